"""What installing, upgrading and removing does on a router: the packages' scripts under busybox ash, in a root of their own."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import places
import ipk
from describe import Description
from scripts import for_apk
from squeeze import Squeezer

FUNCTIONS = """
. /lib/recorder.sh
default_postinst() { note "default_postinst $*"; [ ! -f "$OWN" ] || ( . "$OWN" ); }
default_prerm() { note "default_prerm $*"; }
add_group_and_user() { note add_group_and_user; }
"""
"""A stand-in of OpenWrt's lib/functions.sh that records what the scripts ask of it."""

STATE = ["etc/echomesh/identity", "etc/config/echomesh", "var/run/echomesh/control.sock", "var/run/echomesh-root/echomesh"]
STATE += ["var/run/echomesh-update/trial", "var/run/echomesh.rpcd/job", "usr/lib/echomesh/green/record"]
GONE = STATE[2:]


@unittest.skipUnless(os.geteuid() == 0, "chroot needs root")
class OnARouter(unittest.TestCase):
    """Each test has a router's root: busybox, recorders of nft and of rpcd's script, a node's state."""

    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self._busybox()
        self._put("dev/null", "")
        self._put("lib/recorder.sh", 'note() { echo "$*" >> /recorded; }\n')
        self._put("lib/functions.sh", FUNCTIONS)
        for command in ("usr/sbin/nft", "etc/init.d/rpcd"):
            self._put(command, f'#!/bin/sh\n. /lib/recorder.sh\nnote "{Path(command).name} $*"\n', 0o755)
        for name in STATE:
            self._put(name, "x")
        package = Description(places.ROOT).node("echomesh", "x86_64", b"")
        self.opkg = {n: d.decode() for n, (_, d) in ipk.Ipk(ipk.write(package, Squeezer.ZLIB)).control.items()}
        self.apk = for_apk(package)

    def _busybox(self) -> None:
        """The dynamic or static busybox of this machine, with what it is linked to."""
        program = Path(shutil.which("busybox")).resolve()
        listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
        libraries = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
        for source, target in [(program, "bin/busybox"), *((Path(lib), lib.lstrip("/")) for lib in libraries)]:
            (self.root / target).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, self.root / target)
        for applet in ("sh", "rm", "rmdir", "echo", "[", "basename"):
            (self.root / "bin" / applet).symlink_to("busybox")

    def _put(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def run_script(self, text: str, *arguments: str, **environment: str) -> list[str]:
        """What the script asked for, in order; it must end well."""
        self._put("script", text, 0o755)
        (self.root / "recorded").unlink(missing_ok=True)
        told = {"PATH": "/usr/sbin:/bin", **environment}
        done = subprocess.run(["chroot", self.root, "/script", *arguments], env=told, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        recorded = self.root / "recorded"
        return recorded.read_text().splitlines() if recorded.exists() else []

    def left(self) -> list[str]:
        return [name for name in STATE if (self.root / name).exists()]

    def test_installing_makes_the_user_and_tells_rpcd(self):
        self._put("own", self.opkg["postinst-pkg"])
        asked = self.run_script(self.opkg["postinst"], "configure", OWN="/own")
        self.assertEqual(asked, ["default_postinst /script configure", "rpcd reload"])
        self.assertEqual(self.run_script(self.apk["post-install"]), ["add_group_and_user", "default_postinst ", "rpcd reload"])
        self.assertEqual(self.left(), STATE)

    def test_removing_leaves_the_key_and_the_settings_alone(self):
        self.assertEqual(self.run_script(self.opkg["prerm"], "remove"), ["default_prerm /script remove"])
        self.assertEqual(self.run_script(self.opkg["postrm"], "remove"), ["nft delete table inet echomesh", "rpcd reload"])
        self.assertEqual(self.left(), [name for name in STATE if name not in GONE])

    def test_apk_removes_the_same(self):
        self.assertEqual(self.run_script(self.apk["pre-deinstall"], "0.1.0-r1"), ["default_prerm "])
        self.assertEqual(self.run_script(self.apk["post-deinstall"], "0.1.0-r1"), ["nft delete table inet echomesh", "rpcd reload"])
        self.assertEqual(self.left(), [name for name in STATE if name not in GONE])

    def test_after_opting_out_nothing_is_left(self):
        (self.root / "etc/echomesh/identity").unlink()
        (self.root / "etc/config/echomesh").unlink()
        self.run_script(self.opkg["postrm"], "remove")
        self.assertEqual(self.left(), [])
        self.assertFalse((self.root / "etc/echomesh").exists())

    def test_an_upgrade_removes_nothing(self):
        self.assertEqual(self.run_script(self.opkg["postrm"], "upgrade", "0.2.0-r1"), [])
        self.assertEqual(self.run_script(self.opkg["postrm"], "remove", PKG_UPGRADE="1"), [])
        asked = self.run_script(self.apk["post-upgrade"], "0.2.0-r1", "0.1.0-r1")
        self.assertEqual(asked, ["add_group_and_user", "default_postinst ", "rpcd reload"])
        self.assertEqual(self.left(), STATE)

    def test_while_an_image_is_built_nothing_of_the_builder_is_touched(self):
        self._put("image/lib/functions.sh", FUNCTIONS)
        self.assertEqual(self.run_script(self.opkg["postrm"], "remove", IPKG_INSTROOT="/image"), [])
        self._put("own", self.opkg["postinst-pkg"])
        asked = self.run_script(self.opkg["postinst"], "configure", IPKG_INSTROOT="/image", OWN="/own")
        self.assertEqual(asked, ["default_postinst /script configure"])
        self.assertEqual(self.left(), STATE)


if __name__ == "__main__":
    unittest.main()
