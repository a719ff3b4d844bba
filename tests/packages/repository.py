"""A whole repository from the command line: built twice it is the same bytes; signed, it verifies; changed, it does not."""

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import places
import adb
import apk
import index
import ipk
import keys
from squeeze import Squeezer

PACK = [sys.executable, "-B", str(places.ROOT / "cross/pack")]
PROGRAM = bytes(range(256)) * 400


def pack(*arguments: str | Path, expect: int = 0) -> subprocess.CompletedProcess:
    """Runs `cross/pack`."""
    done = subprocess.run([*PACK, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == expect, f"{done.returncode}: {done.stderr}"
    return done


class Repository(unittest.TestCase):
    """mipsel and aarch64 with a stand-in for the program."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        for target in ("mipsel_24kc", "aarch64"):
            folder = cls.scratch / "bin" / target / "proxy"
            folder.mkdir(parents=True)
            (folder / "echomesh").write_bytes(target.encode() + PROGRAM)
        cls.keys = cls.scratch / "keys"
        pack("keys", cls.keys)
        cls.out = cls.built("out")
        cls.opkg, cls.apk = cls.out / "opkg/mipsel_24kc", cls.out / "apk/mipsel_24kc"

    @classmethod
    def built(cls, name: str, *more: str | Path) -> Path:
        out = cls.scratch / name
        if not more:
            more = ("--keys", cls.keys)
        pack("build", "mipsel_24kc", "aarch64", "--binaries", cls.scratch / "bin", "--out", out, *more)
        return out

    def test_two_builds_are_the_same_bytes(self):
        again = self.built("again")
        for path in sorted(self.out.rglob("*")):
            if path.is_file() and path.name != "packages.adb":
                self.assertEqual(path.read_bytes(), (again / path.relative_to(self.out)).read_bytes(), path)
        stores = [adb.read((out / "apk/mipsel_24kc/packages.adb").read_bytes())[1][0] for out in (self.out, again)]
        self.assertEqual(stores[0], stores[1], "but for its signature, which is random by nature")

    def test_every_architecture_has_its_packages(self):
        folders = sorted(p.name for p in (self.out / "opkg").iterdir())
        self.assertLessEqual({"mipsel_24kc", "aarch64_cortex-a53", "aarch64_generic"}, set(folders))
        for arch in folders:
            (made,) = (self.out / "opkg" / arch).glob("echomesh_*.ipk")
            (other,) = (self.out / "apk" / arch).glob("echomesh-[0-9]*.apk")
            ours, theirs = ipk.Ipk(made.read_bytes()), apk.Apk(other.read_bytes())
            self.assertEqual(ours.fields["Architecture"], arch)
            self.assertEqual(theirs.info["arch"], arch)
            self.assertEqual(ours.check() + theirs.check(), [])
            program = (b"mipsel_24kc" if arch.startswith("mipsel") else b"aarch64") + PROGRAM
            self.assertEqual(ours.files["usr/bin/echomesh"], (0o755, program))
            self.assertEqual(theirs.files["usr/bin/echomesh"], (0o755, program))

    def test_both_kinds_tell_the_same(self):
        ours = ipk.Ipk(next(self.opkg.glob("echomesh_*.ipk")).read_bytes())
        theirs = apk.Apk(next(self.apk.glob("echomesh-[0-9]*.apk")).read_bytes())
        same = {"Package": "name", "Version": "version", "License": "license", "Maintainer": "maintainer", "URL": "url", "Source": "origin"}
        self.assertEqual({a: ours.fields[a] for a in same}, {a: theirs.info[b] for a, b in same.items()})
        self.assertEqual(sorted(ours.fields["Depends"].split(", ")), theirs.info["depends"])
        own = {n: f for n, f in theirs.files.items() if not n.startswith("lib/apk/")}
        self.assertEqual(own, ours.files)
        records = {n.rpartition(".")[2]: data.decode() for n, (_, data) in theirs.files.items() if n.startswith("lib/apk/")}
        self.assertEqual(records["rusers"], ours.fields["Require-User"])
        self.assertEqual(records["conffiles"], ours.control["conffiles"][1].decode())
        self.assertEqual(set(records["list"].split()), {f"/{n}" for n in own} | {"/lib/apk/packages/echomesh.rusers"})

    def test_scripts_call_openwrts_defaults(self):
        control = {n: d.decode() for n, (_, d) in ipk.Ipk(next(self.opkg.glob("*.ipk")).read_bytes()).control.items()}
        self.assertTrue(control["postinst"].endswith("default_postinst $0 $@\n"))
        self.assertTrue(control["prerm"].endswith("default_prerm $0 $@\n"))
        scripts = apk.Apk(next(self.apk.glob("echomesh-[0-9]*.apk")).read_bytes()).fields["scripts"]
        self.assertEqual(scripts["post-deinstall"], control["postrm"])
        self.assertNotIn("pre-upgrade", scripts)
        self.assertIn('pkgname="echomesh"\nadd_group_and_user\ndefault_postinst\n', scripts["post-install"])
        for text in [*control.values(), *scripts.values()]:
            if text.startswith("#!"):
                self.assertEqual(subprocess.run(["busybox", "ash", "-n"], input=text.encode(), check=False).returncode, 0, text)

    def test_signify_verifies_the_index(self):
        command = ["signify-openbsd", "-V", "-q", "-p", self.keys / "usign.pub", "-m", self.opkg / "Packages", "-x", self.opkg / "Packages.sig"]
        self.assertEqual(subprocess.run(command, check=False).returncode, 0)

    def test_signifys_signature_verifies_here(self):
        with tempfile.TemporaryDirectory() as scratch:
            secret, public, made = (Path(scratch, n) for n in ("k.sec", "k.pub", "sig"))
            subprocess.run(["signify-openbsd", "-G", "-n", "-p", public, "-s", secret], check=True)
            subprocess.run(["signify-openbsd", "-S", "-s", secret, "-m", self.opkg / "Packages", "-x", made], check=True)
            message, key = (self.opkg / "Packages").read_bytes(), keys.usign_public(public.read_text())
            keys.usign_verify(message, made.read_text(), key)
            with self.assertRaises(keys.Refused):
                keys.usign_verify(message + b" ", made.read_text(), key)

    def test_openssl_verifies_the_apk_index(self):
        schema, blocks = adb.read((self.apk / "packages.adb").read_bytes())
        payload = blocks[1].payload
        with tempfile.TemporaryDirectory() as scratch:
            told, made = Path(scratch, "told"), Path(scratch, "made")
            told.write_bytes(adb.signed(schema, blocks[0].payload, payload[:18]))
            made.write_bytes(payload[18:])
            command = ["openssl", "dgst", "-sha512", "-verify", self.keys / "apk.pub.pem", "-signature", made, told]
            self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 0)

    def test_read_verifies_and_tells_what_is_wrong(self):
        pack("read", self.opkg / "Packages", "--key", self.keys / "usign.pub")
        done = pack("read", self.apk / "packages.adb", "--key", self.keys / "apk.pub.pem")
        self.assertIn(": OK\n", done.stdout)
        other = self.scratch / "others"
        if not other.exists():
            pack("keys", other)
        self.assertIn("not by", pack("read", self.opkg / "Packages", "--key", other / "usign.pub", expect=65).stderr)
        self.assertIn("UNTRUSTED", pack("read", self.apk / "packages.adb", "--key", other / "apk.pub.pem", expect=65).stderr)
        self.assertIn("No such file", pack("read", self.opkg / "none.ipk", expect=69).stderr)

    def test_a_changed_package_does_not_fit_its_index(self):
        bent = self.scratch / "bent"
        for folder, name, read in ((self.opkg, "Packages", index.check_opkg), (self.apk, "packages.adb", index.check_apk)):
            shutil.copytree(folder, bent)
            (victim,) = [p for p in bent.iterdir() if p.suffix in (".ipk", ".apk") and not p.name.startswith("luci-")]
            kind = ipk.Ipk if victim.suffix == ".ipk" else apk.Apk
            raw = victim.read_bytes()
            victim.write_bytes(self.repacked(raw))
            self.assertEqual(kind(victim.read_bytes()).check(), [], "whole in itself")
            self.assertTrue(any("size or hash" in what for what in read(bent, None)), name)
            shutil.rmtree(bent)

    @staticmethod
    def repacked(raw: bytes) -> bytes:
        """Another package of the same name."""
        if raw[:3] == b"ADB":
            schema, blocks = adb.read(raw)
            return adb.write(schema, blocks, Squeezer.ZLIB)
        return gzip.compress(gzip.decompress(raw), 1, mtime=1)

    def test_keys_are_secret_and_never_overwritten(self):
        for name in ("usign.sec", "apk.pem"):
            self.assertEqual((self.keys / name).stat().st_mode & 0o777, 0o600)
        before = (self.keys / "usign.sec").read_bytes()
        pack("keys", self.keys, expect=69)
        self.assertEqual((self.keys / "usign.sec").read_bytes(), before)
        published = [p.read_text() for p in (self.out / "keys").iterdir()]
        self.assertEqual(len(published), 2)
        self.assertFalse(any("secret" in text or "PRIVATE" in text for text in published))

    def test_without_keys_it_is_unsigned(self):
        out = self.built("unsigned", "--binaries", self.scratch / "bin")
        self.assertFalse((out / "opkg/mipsel_24kc/Packages.sig").exists())
        self.assertEqual(len(adb.read((out / "apk/mipsel_24kc/packages.adb").read_bytes())[1]), 1)

    def test_what_is_missing_is_told(self):
        self.assertIn("no target toaster", pack("build", "toaster", expect=69).stderr)
        done = pack("build", "mips_24kc", "--binaries", self.scratch / "bin", "--out", self.scratch / "x", expect=69)
        self.assertIn("cross/build mips_24kc --features proxy makes it", done.stderr)

    def test_the_time_of_all_files_is_the_given_one(self):
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
        out = self.scratch / "dated"
        command = [*PACK, "build", "aarch64", "--binaries", self.scratch / "bin", "--out", out]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        fields = ipk.Ipk(next((out / "opkg/aarch64_generic").glob("*.ipk")).read_bytes()).fields
        self.assertEqual(fields["SourceDateEpoch"], "1700000000")
        folder = apk.Apk(next((out / "apk/aarch64_generic").glob("echomesh-[0-9]*.apk")).read_bytes()).fields["paths"]
        self.assertEqual({f["mtime"] for part in folder for f in part.get("files", [])}, {1700000000})


if __name__ == "__main__":
    unittest.main()
