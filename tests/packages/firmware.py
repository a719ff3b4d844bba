"""cross/imagebuilder against a stand-in of OpenWrt's ImageBuilder that writes down what it was asked."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import places

MAKEFILE = """
image:
	@echo 'profile=$(PROFILE)' > asked; echo 'packages=$(PACKAGES)' >> asked; echo 'files=$(FILES)' >> asked
"""


class Firmware(unittest.TestCase):
    """An ImageBuilder for mipsel, and a repository with packages for it."""

    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.scratch)
        self.builder, self.repository = self.scratch / "builder", self.scratch / "repository"
        self.builder.mkdir()
        (self.builder / "Makefile").write_text(MAKEFILE)
        self.config('CONFIG_TARGET_ARCH_PACKAGES="mipsel_24kc"\n')
        for name in ("opkg/mipsel_24kc/echomesh_1.2.3-r1_mipsel_24kc.ipk", "opkg/mipsel_24kc/luci-app-echomesh_1.2.3-r1_all.ipk"):
            self.put(self.repository / name)
        self.put(self.repository / "opkg/mipsel_24kc/luci-i18n-echomesh-de_1.2.3-r1_all.ipk")
        for name in ("echomesh-1.2.3-r1.apk", "luci-app-echomesh-1.2.3-r1.apk"):
            self.put(self.repository / "apk/mipsel_24kc" / name)

    def config(self, text: str) -> None:
        (self.builder / ".config").write_text(text)

    def put(self, path: Path, text: str = "x") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run_it(self, *arguments: str | Path, expect: int = 0) -> str:
        """Its errors."""
        command = [places.ROOT / "cross/imagebuilder", self.builder, "some_router", "--repository", self.repository, *arguments]
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        self.assertEqual(done.returncode, expect, done.stderr)
        return done.stderr

    def asked(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in (self.builder / "asked").read_text().splitlines())

    def test_opkg(self):
        files = self.scratch / "files"
        self.put(files / "etc/config/echomesh")
        self.run_it("--files", files, "--packages", "luci-i18n-echomesh-de -dnsmasq")
        packages = "echomesh luci-app-echomesh luci-i18n-echomesh-de -dnsmasq"
        self.assertEqual(self.asked(), {"profile": "some_router", "packages": packages, "files": str(files)})
        self.assertEqual(len(list((self.builder / "packages").glob("*.ipk"))), 3)

    def test_apk(self):
        self.config('CONFIG_USE_APK=y\nCONFIG_TARGET_ARCH_PACKAGES="mipsel_24kc"\n')
        self.run_it()
        self.assertEqual(self.asked(), {"profile": "some_router", "packages": "echomesh luci-app-echomesh", "files": ""})

    def test_packages_of_an_earlier_run_are_gone_and_others_stay(self):
        self.put(self.builder / "packages/echomesh_0.9-r1_mipsel_24kc.ipk")
        self.put(self.builder / "packages/other_1_all.ipk")
        self.run_it()
        names = {p.name for p in (self.builder / "packages").iterdir()}
        self.assertNotIn("echomesh_0.9-r1_mipsel_24kc.ipk", names)
        self.assertIn("other_1_all.ipk", names)

    def test_a_key_for_many_routers_is_refused(self):
        files = self.scratch / "files"
        self.put(files / "etc/echomesh/identity")
        self.assertIn("is a node's key", self.run_it("--files", files, expect=65))
        self.assertFalse((self.builder / "asked").exists())
        self.run_it("--files", files, "--one-router")

    def test_what_is_missing_is_told(self):
        self.config('CONFIG_TARGET_ARCH_PACKAGES="toaster"\n')
        self.assertIn("opkg/toaster: no packages", self.run_it(expect=69))
        (self.builder / ".config").unlink()
        self.assertIn("no unpacked ImageBuilder", self.run_it(expect=69))


if __name__ == "__main__":
    unittest.main()
