"""Beside OpenWrt: the installer in a root of its own, the unit as systemd sees it, the image as container tools see it."""

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from pathlib import Path

import places
import linux
from describe import Description, Wrong

PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int n, char **a) {
    if (n > 1 && !strcmp(a[1], "--version")) { puts("echomesh 0.0.0"); return 0; }
    printf("%s uid=%d state=%d run=%d etc=%d\n", n > 1 ? a[1] : "-", (int)getuid(),
           access("/var/lib/echomesh", W_OK), access("/var/run/echomesh", W_OK), access("/etc/config/echomesh", W_OK));
    return access("/etc/ssl/certs/ca-certificates.crt", R_OK) || access("/etc/config/echomesh", R_OK);
}
"""
"""A stand-in for the program, static as it is: says what it was asked and what it may write."""


class Beside(unittest.TestCase):
    """Archive and image of a stand-in."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = Path(tempfile.mkdtemp())
        cls.addClassCleanup(shutil.rmtree, cls.scratch)
        (cls.scratch / "program.c").write_text(PROGRAM)
        subprocess.run(["cc", "-static", "-Os", "-s", "-o", cls.scratch / "program", cls.scratch / "program.c"], check=True)
        cls.program = (cls.scratch / "program").read_bytes()
        cls.description = Description(places.ROOT)

    def unpacked(self) -> Path:
        name, content = linux.archive(self.description, "x86_64", self.program)
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            places.unpack(archive, folder)
        return folder / name.removesuffix(".tar.gz")

    def test_installing_upgrading_and_removing(self):
        folder, root = self.unpacked(), Path(tempfile.mkdtemp(dir=self.scratch))
        install = [folder / "install", "--root", root]
        subprocess.run(install, check=True)
        found = {str(p.relative_to(root)): p.stat().st_mode & 0o777 for p in root.rglob("*") if p.is_file()}
        self.assertEqual(
            found,
            {
                "usr/local/bin/echomesh": 0o755,
                "etc/config/echomesh": 0o640,
                "etc/systemd/system/echomesh.service": 0o644,
                "usr/local/share/doc/echomesh/README": 0o644,
                "usr/local/share/doc/echomesh/LICENSE": 0o644,
            },
        )
        settings = root / "etc/config/echomesh"
        self.assertIn("option state_dir '/var/lib/echomesh'", settings.read_text())
        settings.write_text("mine")
        subprocess.run(install, check=True)
        self.assertEqual(settings.read_text(), "mine", "an upgrade leaves the settings alone")
        subprocess.run([*install, "--remove"], check=True, stdout=subprocess.DEVNULL)
        self.assertEqual([str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()], ["etc/config/echomesh"])

    def test_the_installer_is_plain_shell(self):
        script = places.ROOT / "cross/linux/install"
        subprocess.run(["busybox", "ash", "-n", script], check=True)
        done = subprocess.run([script, "--toaster"], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, "unknown option" in done.stderr), (64, True))

    def test_the_settings_that_come_are_the_routers_but_for_the_state(self):
        ours = linux.settings(places.ROOT).decode().splitlines()
        routers = (places.ROOT / "openwrt/files/etc/config/echomesh").read_text().splitlines()
        self.assertEqual([a for a, b in zip(ours, routers, strict=True) if a != b], ["\toption state_dir '/var/lib/echomesh'"])

    def test_systemd_takes_the_unit(self):
        unit = self.scratch / "echomesh.service"
        text = (places.ROOT / "cross/linux/echomesh.service").read_text()
        unit.write_text(text.replace("/usr/local/bin/echomesh run", "/bin/true run").replace("Documentation=file", "#Documentation=file"))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", unit], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-400:])

    def test_the_image_is_an_oci_layout_whose_digests_hold(self):
        _, content = linux.image(self.description, "aarch64", self.program, b"certificates")
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
        for name, data in files.items():
            if name.startswith("blobs/sha256/"):
                self.assertEqual(name.removeprefix("blobs/sha256/"), hashlib.sha256(data).hexdigest())

        def blob(told: dict) -> bytes:
            data = files[f"blobs/{told['digest'].replace(':', '/')}"]
            self.assertEqual(len(data), told["size"])
            return data

        (told,) = json.loads(files["index.json"])["manifests"]
        self.assertEqual(told["platform"], {"architecture": "arm64", "os": "linux"})
        manifest = json.loads(blob(told))
        config, layer = json.loads(blob(manifest["config"])), gzip.decompress(blob(manifest["layers"][0]))
        self.assertEqual(config["rootfs"]["diff_ids"], [f"sha256:{hashlib.sha256(layer).hexdigest()}"])
        self.assertEqual(config["config"]["User"], "65532:65532")
        with tarfile.open(fileobj=io.BytesIO(layer)) as tree:
            members = {m.name: (m.mode, m.uid) for m in tree}
        self.assertEqual(members["usr/bin/echomesh"], (0o755, 0))
        self.assertEqual(members["var/lib/echomesh"], (0o700, 65532))
        self.assertFalse([n for n, (mode, _) in members.items() if mode & 0o6000 or (mode & 0o002 and n not in ("tmp", "var/run/echomesh"))])

    def test_both_are_the_same_bytes_again(self):
        self.assertEqual(*(linux.archive(Description(places.ROOT), "x86_64", self.program) for _ in range(2)))
        self.assertEqual(*(linux.image(Description(places.ROOT), "x86_64", self.program, b"c") for _ in range(2)))

    @unittest.skipUnless(os.geteuid() == 0, "chroot needs root")
    def test_the_image_runs_as_its_user(self):
        """Without a container tool: its layer as a root, its user, its command."""
        _, content = linux.image(self.description, "x86_64", self.program, b"certificates")
        root = Path(tempfile.mkdtemp(dir=self.scratch))
        root.chmod(0o755)
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            told = json.loads(archive.extractfile("manifest.json").read())[0]
            config = json.loads(archive.extractfile(told["Config"]).read())["config"]
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive.extractfile(told["Layers"][0]).read()))) as layer:
                places.unpack(layer, root)
        command = ["chroot", f"--userspec={config['User']}", root, *config["Entrypoint"], *config["Cmd"]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, "run uid=65532 state=0 run=0 etc=-1\n"))

    def test_skopeo_reads_the_image(self):
        name, content = linux.image(self.description, "x86_64", self.program, b"certificates")
        file, copy = self.scratch / name, Path(tempfile.mkdtemp(dir=self.scratch))
        file.write_bytes(content)
        for kind in ("oci-archive", "docker-archive"):
            subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", f"{kind}:{file}", f"dir:{copy}"], check=True)
            told = json.loads(subprocess.run(["skopeo", "inspect", "--config", f"dir:{copy}"], check=True, capture_output=True).stdout)
            self.assertEqual((told["architecture"], told["config"]["Entrypoint"]), ("amd64", ["/usr/bin/echomesh"]))

    @unittest.skipUnless(shutil.which("podman") and os.geteuid() == 0, "needs podman, and root")
    def test_podman_loads_the_image(self):
        name, content = linux.image(self.description, "x86_64", self.program, b"certificates")
        file, store = self.scratch / name, Path(tempfile.mkdtemp(dir=self.scratch))
        file.write_bytes(content)
        podman = ["podman", "--root", store / "root", "--runroot", store / "run", "--storage-driver", "vfs"]
        subprocess.run([*podman, "load", "--quiet", "--input", file], check=True, capture_output=True)
        image = f"localhost/echomesh:{self.description.upstream}"
        told = subprocess.run([*podman, "image", "inspect", image], check=True, capture_output=True).stdout
        self.assertEqual(json.loads(told)[0]["Config"]["User"], "65532:65532")

    def test_compose_takes_what_the_image_offers(self):
        text = (places.ROOT / "cross/linux/compose.yaml").read_text()
        self.assertIn(f"image: localhost/echomesh:{self.description.upstream}\n", text)
        for path in (f":{linux.STATE}\n", "/etc/config/echomesh:ro", "/var/run/echomesh:mode=1777"):
            self.assertIn(path, text)

    def test_settings_that_changed_their_line_are_told(self):
        root = Path(tempfile.mkdtemp(dir=self.scratch))
        (root / "openwrt/files/etc/config").mkdir(parents=True)
        (root / "openwrt/files/etc/config/echomesh").write_text("config node 'node'\n")
        with self.assertRaises(Wrong):
            linux.settings(root)


if __name__ == "__main__":
    unittest.main()
