"""The web page's packages: from folders as LuCI's own applications have them; catalogues as LuCI's compiler makes them."""

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


if __name__ == "__main__":
    unittest.main()
