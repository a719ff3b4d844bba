"""The table of sizes: growth fails until the table is updated."""

import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import places
import sizes

PAGE = f"# Sizes\n\n{sizes.BEGIN}\n{sizes.END}\n\nAfter it.\n"


class Growth(unittest.TestCase):
    """With a stand-in for the program."""

    def setUp(self):
        self.scratch = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.scratch)
        self.page = self.scratch / "size.md"
        self.page.write_text(PAGE)
        self.program = self.scratch / "bin/mipsel_24kc/proxy/echomesh"
        self.program.parent.mkdir(parents=True)

    def told(self, size: int, *arguments: str) -> subprocess.CompletedProcess:
        """What `cross/sizes` says of a program of that many bytes that do not compress."""
        self.program.write_bytes(places.noise(size))
        command = [sys.executable, "-B", places.ROOT / "cross/pack", "sizes", "--binaries", self.scratch / "bin", "--page", self.page]
        return subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)

    def test_growth_fails_until_the_table_knows_it(self):
        self.assertEqual(self.told(100_000).returncode, 65, "not in the table")
        self.assertEqual(self.told(100_000, "--update").returncode, 0)
        self.assertEqual(self.told(100_000).returncode, 0)
        self.assertEqual(self.told(90_000).returncode, 0, "smaller is welcome")
        self.assertEqual(self.told(101_900).returncode, 0)
        grown = self.told(104_000)
        self.assertEqual(grown.returncode, 65)
        self.assertIn("mipsel_24kc proxy: program grew by 4.0 %, from 100,000 to 104,000", grown.stderr)
        self.assertEqual(self.told(104_000, "--update").returncode, 0)
        self.assertEqual(self.told(104_000).returncode, 0)
        page = self.page.read_text()
        self.assertTrue(page.startswith("# Sizes\n") and page.endswith("\nAfter it.\n"))
        self.assertEqual(page.count("| mipsel_24kc | proxy |"), 1)

    def test_other_builds_stay_in_the_table(self):
        self.told(100_000, "--update")
        self.program.parent.rename(self.scratch / "bin/mipsel_24kc/proxy,relay")
        self.program = self.scratch / "bin/mipsel_24kc/proxy,relay/echomesh"
        self.told(200_000, "--update")
        rows = {(row.target, row.features): row.program for row in sizes.table(self.page.read_text())}
        self.assertEqual(rows, {("mipsel_24kc", "proxy"): 100_000, ("mipsel_24kc", "proxy,relay"): 200_000})

    def test_a_build_without_a_budget_is_kept_too(self):
        self.program.parent.parent.rename(self.scratch / "bin/x86_64")
        self.program = self.scratch / "bin/x86_64/proxy/echomesh"
        self.told(100_000, "--update")
        self.assertEqual(self.told(100_000).returncode, 0)

    def test_what_is_over_its_budget_is_said(self):
        self.assertIn("over its budget of 1,200,000", self.told(1_300_000, "--update").stdout)

    def test_the_documented_table_reads(self):
        page = (places.ROOT / "docs/reference/size.md").read_text()
        self.assertEqual(sizes.table(sizes.updated(page, [], {})), sizes.table(page))

    def test_nothing_built_is_told(self):
        shutil.rmtree(self.scratch / "bin")
        command = [sys.executable, "-B", places.ROOT / "cross/pack", "sizes", "--binaries", self.scratch / "bin", "--page", self.page]
        self.assertEqual(subprocess.run(command, capture_output=True, check=False).returncode, 69)


if __name__ == "__main__":
    unittest.main()
