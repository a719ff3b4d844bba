"""The containers: what OpenWrt's own tools made is read and made again, byte for byte; what is damaged is told."""

import gzip
import io
import random
import tarfile
import unittest
import zlib

import places
import adb
import apk
import dump
import index
import ipk
import keys
from package import Package
from squeeze import Squeezer
from tree import Tree

REAL = places.ROOT / "tests/vectors/openwrt"
IPK = REAL / "sample_1.2.3-r1_x86_64.ipk"
APK = REAL / "sample-1.2.3-r1.apk"


def sample(maintainer: str = "") -> Package:
    """The package the vectors hold, from its sources."""
    tree = Tree()
    tree.mirror(REAL / "src/files")
    return Package(
        name="sample",
        version="1.2.3-r1",
        arch="x86_64",
        description="sample test package",
        license="GPL-2.0-only",
        section="net",
        source="feeds/rig/sample",
        source_name="sample",
        tree=tree,
        depends=["libc"],
        maintainer=maintainer,
        users=(REAL / "src/userid").read_text().strip(),
        conffiles=(REAL / "src/conffiles").read_text().split(),
    )


class OpenWrtsOwn(unittest.TestCase):
    """The files OpenWrt's tools made."""

    def test_ipk_is_made_again_byte_for_byte(self):
        self.assertEqual(ipk.write(sample(), Squeezer.ZLIB_6), IPK.read_bytes())

    def test_apk_is_made_again_byte_for_byte(self):
        self.assertEqual(apk.write(sample("rig"), Squeezer.ZLIB), APK.read_bytes())

    def test_opkg_index_is_made_again_byte_for_byte(self):
        self.assertEqual(index.opkg_text({IPK.name: IPK.read_bytes()}), (REAL / "Packages").read_bytes())

    def test_apk_index_is_made_again_but_for_its_signature(self):
        schema, blocks = adb.read((REAL / "packages.adb").read_bytes())
        self.assertEqual(schema, "indx")
        self.assertEqual(index.apk_store([APK.read_bytes()]), blocks[0].payload)

    def test_dumps_are_those_of_apk(self):
        for name in ("sample-1.2.3-r1.apk", "packages.adb"):
            text = dump.adb_text((REAL / name).read_bytes(), lambda *_: "UNTRUSTED signature")
            self.assertEqual(text, (REAL / f"{name}.dump.yaml").read_text())

    def test_everything_in_them_verifies(self):
        self.assertEqual(ipk.Ipk(IPK.read_bytes()).check(), [])
        self.assertEqual(apk.Apk(APK.read_bytes()).check(), [])
        key = keys.usign_public((REAL / "Packages.pub").read_text())
        self.assertEqual(index.check_opkg(REAL, key), [])
        self.assertEqual(index.check_apk(REAL, REAL / "packages.adb.pub.pem"), [])

    def test_both_containers_hold_the_sources(self):
        source = {p.relative_to(REAL / "src/files").as_posix(): p.read_bytes() for p in (REAL / "src/files").rglob("*") if p.is_file()}
        for files in (ipk.Ipk(IPK.read_bytes()).files, apk.Apk(APK.read_bytes()).files):
            self.assertEqual({n: d for n, (_, d) in files.items() if not n.startswith("lib/apk/")}, source)


class Ours(unittest.TestCase):
    """What the packages' own compressor makes."""

    def test_other_readers_read_it(self):
        made = ipk.write(sample(), Squeezer.LIBDEFLATE)
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(made))) as outer:
            data = gzip.decompress(outer.extractfile("./data.tar.gz").read())
        with tarfile.open(fileobj=io.BytesIO(data)) as inner:
            names = [(m.name, oct(m.mode), m.uid, m.uname) for m in inner]
        self.assertIn(("./etc/init.d/sample", "0o755", 0, ""), names)
        stream = apk.write(sample(), Squeezer.LIBDEFLATE)
        self.assertEqual(zlib.decompress(stream[4:], -15)[:8], b"ADB.pckg")

    def test_it_is_no_larger_and_holds_the_same(self):
        for squeezer in Squeezer:
            package = apk.Apk(apk.write(sample("rig"), squeezer))
            self.assertEqual(package.store, apk.Apk(APK.read_bytes()).store)
        self.assertLessEqual(len(apk.write(sample(), Squeezer.LIBDEFLATE)), len(apk.write(sample(), Squeezer.ZLIB)))

    def test_every_field_is_one_line(self):
        """apk's database of installed packages is lines; one with a line break in it cannot be read any more."""
        package = sample()
        package.description = "  First line.\n\n  Second line.\n"
        self.assertEqual(apk.Apk(apk.write(package, Squeezer.ZLIB)).info["description"], "First line. Second line.")
        self.assertIn("Description: First line.\n \n Second line.\n", ipk.control_text(package, 0))
        package.url = "https://one.example\nhttps://two.example"
        with self.assertRaisesRegex(ValueError, "more than one line"):
            apk.write(package, Squeezer.ZLIB)

    def test_long_and_many_values(self):
        package = sample()
        package.scripts.postrm = "true\n" * 20000
        for number in range(300):
            package.tree.add(f"/usr/share/many/{number}", b"" if number % 3 else bytes(number), 0o600)
        package.epoch = 1 << 31
        read = apk.Apk(apk.write(package, Squeezer.ZLIB))
        self.assertEqual(read.check(), [])
        self.assertEqual(read.fields["scripts"]["post-deinstall"], "#!/bin/sh\n" + package.scripts.postrm)
        self.assertEqual(read.files["usr/share/many/299"][0], 0o600)
        self.assertEqual(ipk.Ipk(ipk.write(package, Squeezer.ZLIB)).check(), [])


class Damage(unittest.TestCase):
    """Nothing damaged is taken for whole, and nothing makes the reader fail otherwise than by saying so."""

    def damaged(self, raw: bytes, reader) -> int:
        """How many of many single-bit flips in the *uncompressed* content, and cuts, the reader told."""
        chance, told = random.Random(7), 0
        for _ in range(400):
            bent = bytearray(raw)
            at = chance.randrange(len(bent))
            bent[at] ^= 1 << chance.randrange(8)
            if chance.randrange(4) == 0:
                del bent[at:]
            try:
                told += bool(reader(bytes(bent)))
            except ValueError:
                told += 1
        return told

    def test_apk(self):
        raw = zlib.decompress(APK.read_bytes()[4:], -15)

        def check(bent: bytes):
            read = apk.Apk(bent)
            same = read.fields == apk.Apk(raw).fields and read.files == apk.Apk(raw).files
            return read.check() or same

        self.assertEqual(self.damaged(raw, check), 400)

    def test_ipk(self):
        raw = gzip.decompress(IPK.read_bytes())

        def check(bent: bytes):
            try:
                read = ipk.Ipk(gzip.compress(bent))
            except ValueError:
                return True
            whole = ipk.Ipk(IPK.read_bytes())
            return read.check() or (read.files.keys() == whole.files.keys() and read.fields == whole.fields)

        self.assertEqual(self.damaged(raw, check), 400)

    def test_compressed_bombs_are_refused(self):
        with self.assertRaises(ValueError):
            ipk.Ipk(gzip.compress(bytes(ipk.LIMIT + 1), 9))
        with self.assertRaises(ValueError):
            adb.read(b"ADBd" + zlib.compress(bytes(adb.LIMIT + 1), 9, -15))

    def test_paths_do_not_leave_the_package(self):
        for path in ("/etc/../../shadow", "etc/x", "/etc//x"):
            with self.assertRaises(ValueError):
                Tree().add(path, b"")

    def test_a_changed_file_is_told_by_name(self):
        schema, blocks = adb.read(APK.read_bytes())
        last = blocks[-1]
        blocks[-1] = adb.Block(last.kind, last.payload[:-1] + b"!")
        self.assertEqual(apk.Apk(adb.write(schema, blocks, Squeezer.ZLIB)).check(), ["usr/bin/sample: its hash does not fit"])


if __name__ == "__main__":
    unittest.main()
