"""The feed's Makefile, run by make with stand-ins for OpenWrt's includes: it says and installs what cross/packages.toml does."""

import re
import shutil
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

import places
import describe
from describe import Description

BUILDROOT = Path(__file__).parent / "buildroot"
PROGRAM = b"a stand-in for the program"


def make(*arguments: str, **variables: str | Path) -> str:
    """What make prints."""
    variables = {"SOURCE": places.ROOT, **variables}
    told = [f"{name}={value}" for name, value in variables.items()]
    command = ["make", "--silent", "-C", str(places.ROOT / "openwrt"), f"TOPDIR={BUILDROOT}", *told]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Recipe(unittest.TestCase):
    """openwrt/Makefile against the description."""

    def setUp(self):
        self.description = Description(places.ROOT)
        self.ours = self.description.node("echomesh", "mipsel_24kc", PROGRAM)
        self.feed = dict(line.split("=", 1) for line in make("show").splitlines())

    def test_fields_are_the_descriptions(self):
        self.assertEqual(f"{self.feed['version']}-r{self.feed['release']}", self.ours.version)
        for field in ("name", "license", "license_files", "maintainer", "section", "url", "users"):
            self.assertEqual(self.feed[field], getattr(self.ours, field), field)
        self.assertEqual(self.feed["features"], self.description.told["package"]["echomesh"]["features"])
        runtime = [d.lstrip("+") for d in self.feed["depends"].split() if not d.startswith("@")]
        self.assertEqual(sorted(["libc", *runtime]), sorted(self.ours.depends))

    def test_texts_are_the_descriptions(self):
        def lines(text: str) -> list[str]:
            return [line.strip() for line in text.strip().splitlines()]

        self.assertEqual(lines(make("script-DESCRIPTION")), lines(self.ours.description))
        self.assertEqual(make("script-CONFFILES").split(), self.ours.conffiles)

    def test_scripts_are_what_make_hands_to_the_shell(self):
        for name in ("postinst", "prerm", "postrm"):
            told = make(f"script-{name.upper()}").strip().removeprefix("#!/bin/sh\n")
            self.assertEqual(told.strip(), getattr(self.ours.scripts, name).strip(), name)
        self.assertIn("nft delete table inet echomesh", self.ours.scripts.postrm)

    def test_both_install_the_same_tree(self):
        with tempfile.TemporaryDirectory() as scratch:
            programs, dest = Path(scratch, "programs"), Path(scratch, "dest")
            (programs / "bin").mkdir(parents=True)
            (programs / "bin/echomesh").write_bytes(PROGRAM)
            # As a source archive of git's has them, where root unpacks it.
            source = Path(scratch, "source")
            for part in ("init.d", "openwrt/files"):
                shutil.copytree(places.ROOT / part, source / part)
            subprocess.run(["chmod", "-R", "g+w", source], check=True)
            make("install", SOURCE=source, DEST=dest, PROGRAMS=programs)
            installed = {}
            for path in dest.rglob("*"):
                if not path.is_dir():
                    installed[f"/{path.relative_to(dest)}"] = (stat.S_IMODE(path.stat().st_mode), path.read_bytes())
        ours = {path: (file.mode, file.data) for path, file in self.ours.tree.files.items()}
        self.assertEqual(installed.keys(), ours.keys())
        for path, (mode, data) in ours.items():
            self.assertEqual(installed[path][1], data, path)
            self.assertEqual(installed[path][0], mode, path)

    def test_cargo_builds_the_named_features_alone_and_from_the_lock(self):
        self.assertEqual(make("compile").split(), f"cargo install --path {places.ROOT}/ --features proxy --locked --no-default-features --bin echomesh".split())
        self.assertIn("--cfg=fix_y2038", self.feed["rustflags"])

    def test_it_keeps_the_packages_feeds_rules(self):
        text = (places.ROOT / "openwrt/Makefile").read_text()
        for name in ("PKG_NAME", "PKG_VERSION", "PKG_RELEASE", "PKG_SOURCE", "PKG_SOURCE_URL", "PKG_HASH", "PKG_MAINTAINER", "PKG_LICENSE"):
            self.assertEqual(len(re.findall(rf"^{name}:=\S", text, re.MULTILINE)), 1, name)
        self.assertIn("PKG_BUILD_DEPENDS:=rust/host\nPKG_BUILD_PARALLEL:=1\n", text)
        self.assertRegex(text, r"PKG_MAINTAINER:=[^<]+ <[^@>]+@[^>]+>\n")
        self.assertTrue(text.endswith("$(eval $(call BuildPackage,echomesh))\n"))
        self.assertNotRegex(text, r"[ \t]\n", "blanks at the end of a line")
        for body in re.findall(r"^define Package/echomesh\n(.*?)^endef", text, re.DOTALL | re.MULTILINE):
            self.assertTrue(all(re.match(r"  \S", line) for line in body.splitlines()), "fields are indented by two blanks")
        # OpenWrt expands recipes before the sources are unpacked.
        self.assertNotRegex(text.partition("define Package/echomesh/install")[2].partition("endef")[0], r"\$\((wildcard|shell)")
        for body in re.findall(r"^define (?:Build/\S+|Package/echomesh/install)\n(.*?)^endef", text, re.DOTALL | re.MULTILINE):
            self.assertTrue(all(line.startswith("\t") for line in body.splitlines()), "recipes are indented by a tab")


class Content(unittest.TestCase):
    """What a router gets, by the description."""

    def test_the_agreed_files_are_there(self):
        files = Description(places.ROOT).node("echomesh", "x86_64", PROGRAM).tree.files
        expected = {
            "/usr/bin/echomesh": 0o755,
            "/etc/config/echomesh": 0o600,
            "/etc/init.d/echomesh": 0o755,
            "/usr/libexec/rpcd/echomesh": 0o755,
            "/etc/capabilities/echomesh.json": 0o644,
            "/lib/upgrade/keep.d/echomesh": 0o644,
            "/usr/share/echomesh/roles/proxy": 0o644,
        }
        self.assertEqual({path: files[path].mode for path in expected}, expected)
        for path in files:
            self.assertRegex(path, r"^/(etc|lib|usr)/", "a file in an unusual place")
        self.assertIn(b"/etc/echomesh", files["/lib/upgrade/keep.d/echomesh"].data)

    def test_a_missing_file_is_told(self):
        description = Description(places.ROOT)
        description.told["package"]["echomesh"]["files"]["/etc/x"] = "no/such/file"
        with self.assertRaisesRegex(describe.Wrong, "no/such/file"):
            description.node("echomesh", "x86_64", PROGRAM)

    def test_the_table_of_targets(self):
        known = Description(places.ROOT).targets()
        self.assertLessEqual({"mipsel_24kc", "mips_24kc", "armv7", "aarch64", "x86_64"}, known.keys())
        self.assertIn("mipsel_24kc", known["mipsel_24kc"].arches)
        arches = [arch for target in known.values() for arch in target.arches]
        self.assertEqual(len(arches), len(set(arches)), "an architecture of two builds")


if __name__ == "__main__":
    unittest.main()
