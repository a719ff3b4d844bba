"""The web page's packages: from folders as LuCI's own applications have them; catalogues as LuCI's compiler makes them."""

import json
import re
import shutil
import struct
import tempfile
import unittest
from pathlib import Path

import places
import apk
import lmo
from describe import Description, Wrong
from squeeze import Squeezer

REAL = places.ROOT / "tests/vectors/openwrt"


class Catalogue(unittest.TestCase):
    """The compiler of .po."""

    def test_luci_s_own_is_made_again_byte_for_byte(self):
        self.assertEqual(lmo.compile_po((REAL / "sample.po").read_text()), (REAL / "sample.de.lmo").read_bytes())

    def test_what_a_page_asks_for_is_found(self):
        po = 'msgid "Käse %s"\nmsgstr "Fromage\\n%s"\n\n'
        po += 'msgid ""\n"long "\n"key"\nmsgstr "a \\"quoted\\" "\n"b\\\\c"\n\n'
        po += 'msgid "same"\nmsgstr "same"\n\nmsgid "not yet"\nmsgstr ""\n'
        compiled = lmo.compile_po(po)
        (offset,) = struct.unpack(">I", compiled[-4:])
        found = {}
        for at in range(offset, len(compiled) - 4, 16):
            key, _, start, length = struct.unpack_from(">4I", compiled, at)
            found[key] = compiled[start : start + length].decode()
        self.assertEqual(found, {lmo._hash("Käse %s".encode()): "Fromage\\n%s", lmo._hash(b"long key"): 'a "quoted" b\\c'})

    def test_nothing_translated_is_nothing(self):
        self.assertEqual(lmo.compile_po('msgid "a"\nmsgstr ""\n'), b"")

    def test_what_is_no_po_is_told_with_its_line(self):
        for text in ('msgid "a\n', 'mgsid "a"\n', '"a"\n', 'msgid "a"\nmsgstr[12] "b"\n', "msgid a\n"):
            with self.assertRaisesRegex(ValueError, "line"):
                lmo.compile_po(text)


class Pages(unittest.TestCase):
    """luci-app as packages, from a stand-in."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        for path in ("Cargo.toml", "cross/packages.toml"):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(places.ROOT / path, self.root / path)
        for path, text in {
            "htdocs/luci-static/resources/view/echomesh/status.js": "'use strict';",
            "root/usr/share/luci/menu.d/luci-app-echomesh.json": "{}",
            "po/templates/echomesh.pot": 'msgid "Start"\nmsgstr ""\n',
            "po/de/echomesh.po": 'msgid "Start"\nmsgstr "Starten"\n',
            "po/zh_Hans/echomesh.po": 'msgid "Start"\nmsgstr "开始"\n',
        }.items():
            (self.root / "luci-app" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / "luci-app" / path).write_text(text)

    def test_page_and_languages(self):
        packages = {p.name: p for p in Description(self.root).pages()}
        self.assertEqual(sorted(packages), ["luci-app-echomesh", "luci-i18n-echomesh-de", "luci-i18n-echomesh-zh-cn"])
        page = packages["luci-app-echomesh"]
        places_of = ["/usr/share/luci/menu.d/luci-app-echomesh.json", "/www/luci-static/resources/view/echomesh/status.js"]
        self.assertEqual(sorted(page.tree.files), places_of)
        self.assertIn("rpcd reload", page.scripts.postinst)
        german = packages["luci-i18n-echomesh-de"].tree.files
        self.assertIn("/usr/lib/lua/luci/i18n/echomesh.de.lmo", german)
        self.assertEqual(german["/etc/uci-defaults/luci-i18n-echomesh-de"].data, b"uci set luci.languages.de='Deutsch (German)'; uci commit luci\n")
        self.assertIn("/usr/lib/lua/luci/i18n/echomesh.zh-cn.lmo", packages["luci-i18n-echomesh-zh-cn"].tree.files)

    def test_they_fit_every_architecture(self):
        package = apk.Apk(apk.write(Description(self.root).pages()[0], Squeezer.ZLIB))
        self.assertEqual(package.check(), [])
        self.assertEqual((package.info["arch"], package.info["depends"]), ("noarch", ["echomesh", "libc", "luci-base"]))

    def test_without_a_page_there_is_no_package(self):
        shutil.rmtree(self.root / "luci-app")
        self.assertEqual(Description(self.root).pages(), [])

    def test_a_language_without_a_title_is_told(self):
        (self.root / "luci-app/po/xx").mkdir()
        with self.assertRaisesRegex(Wrong, "xx"):
            Description(self.root).pages()


class Own(unittest.TestCase):
    """The project's own page, as its packages have it."""

    def setUp(self):
        self.packages = {p.name: p for p in Description(places.ROOT).pages()}

    def test_every_page_of_the_menu_is_there_with_what_it_requires(self):
        files = self.packages["luci-app-echomesh"].tree.files
        menu = json.loads(files["/usr/share/luci/menu.d/luci-app-echomesh.json"].data)
        views = [node["action"]["path"] for node in menu.values() if node["action"]["type"] == "view"]
        self.assertGreater(len(views), 5)
        resources = "/www/luci-static/resources"
        wanted = {f"{resources}/view/{view}.js" for view in views}
        while wanted:
            path = wanted.pop()
            self.assertIn(path, files)
            own = re.findall(r"^'require (echomesh\.[\w.]+)", files[path].data.decode(), re.MULTILINE)
            wanted |= {f"{resources}/{name.replace('.', '/')}.js" for name in own}
        for path, file in files.items():
            self.assertRegex(path, r"^(/www/luci-static/resources/(view/)?(echomesh|status)/|/usr/share/(luci/menu\.d|rpcd/acl\.d)/)", "a file in an unusual place")
            self.assertEqual(file.mode, 0o644, path)

    def test_its_rights_are_methods_that_there_are_named_one_by_one(self):
        files = self.packages["luci-app-echomesh"].tree.files
        (group,) = json.loads(files["/usr/share/rpcd/acl.d/luci-app-echomesh.json"].data).values()
        whole = json.loads((places.ROOT / "openwrt/files/usr/share/rpcd/acl.d/echomesh.json").read_text())["echomesh"]
        for side in ("read", "write"):
            self.assertEqual(set(group[side]), {"ubus", "uci"}, "neither files nor programs")
            self.assertLessEqual(set(group[side]["ubus"]["echomesh"]), set(whole[side]["ubus"]["echomesh"]), side)
            self.assertEqual(list(group[side]["ubus"]), ["echomesh"])
            self.assertEqual(group[side]["uci"], ["echomesh"])

    def test_every_language_has_its_catalogue(self):
        for language in ("de", "es"):
            self.assertIn(f"/usr/lib/lua/luci/i18n/echomesh.{language}.lmo", self.packages[f"luci-i18n-echomesh-{language}"].tree.files)

    def test_the_feeds_makefile_says_the_same(self):
        text = (places.ROOT / "luci-app/Makefile").read_text()
        said = dict(re.findall(r"^(\w+):=(.*)$", text, re.MULTILINE))
        page = self.packages["luci-app-echomesh"]
        self.assertEqual((said["PKG_NAME"], said["PKG_LICENSE"], said["PKG_MAINTAINER"]), (page.name, page.license, page.maintainer))
        self.assertEqual((said["LUCI_TITLE"], said["LUCI_PKGARCH"]), (page.description, "all"))
        self.assertEqual(sorted(["libc", *said["LUCI_DEPENDS"].replace("+", "").split()]), sorted(page.depends))
        self.assertTrue(text.endswith("\n# call BuildPackage - OpenWrt buildroot signature\n"))


if __name__ == "__main__":
    unittest.main()
