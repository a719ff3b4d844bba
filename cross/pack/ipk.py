"""The .ipk of opkg: a tar.gz of debian-binary, data.tar.gz and control.tar.gz, as OpenWrt's ipkg-build lays it out."""

import io
import tarfile

from package import Package
from scripts import for_ipk
from squeeze import Squeezer, gunzip, gzip
from tree import Tree

LIMIT = 64 << 20
"""Nothing larger is read: no router has room for it."""


def write(package: Package, squeezer: Squeezer) -> bytes:
    """The package's bytes: the same for the same package and squeezer."""
    data = _tar(package.tree, package.epoch)
    control = Tree()
    control.add("/control", control_text(package, len(data)).encode())
    if package.conffiles:
        control.add("/conffiles", "".join(f"{path}\n" for path in package.conffiles).encode())
    for name, text in for_ipk(package).items():
        control.add(f"/{name}", text.encode(), 0o755)
    outer = _Writer(package.epoch)
    outer.file("./debian-binary", b"2.0\n", 0o644)
    outer.file("./data.tar.gz", gzip(data, squeezer), 0o644)
    outer.file("./control.tar.gz", gzip(_tar(control, package.epoch), squeezer), 0o644)
    return gzip(outer.close(), squeezer)


def file_name(package: Package) -> str:
    """As opkg's index names it."""
    return f"{package.name}_{package.version}_{package.arch}.ipk"


def control_text(package: Package, installed_size: int) -> str:
    """The control file; `installed_size` is the unpacked data archive's, as OpenWrt counts it."""
    fields = [
        ("Package", package.name),
        ("Version", package.version),
        ("Depends", ", ".join(package.depends)),
        ("Source", package.source),
        ("SourceName", package.source_name),
        ("License", package.license),
        ("LicenseFiles", package.license_files),
        ("Section", package.section),
        ("Require-User", package.users),
        ("SourceDateEpoch", str(package.epoch)),
        ("URL", package.url),
        ("Maintainer", package.maintainer),
        ("Architecture", package.arch),
        ("Installed-Size", str(installed_size)),
    ]
    text = "".join(f"{name}: {value}\n" for name, value in fields if value)
    lines = [f" {line.strip()}\n" for line in package.description.strip().splitlines()]
    return f"{text}Description:{''.join(lines)}"


class Ipk:
    """A read .ipk: control fields, control files, and the files it installs."""

    def __init__(self, raw: bytes):
        outer = _untar(gunzip(raw, LIMIT))
        if outer.keys() != {"./debian-binary", "./data.tar.gz", "./control.tar.gz"}:
            raise ValueError(f"not an .ipk: it holds {sorted(outer)}")
        if outer["./debian-binary"][1] != b"2.0\n":
            raise ValueError("not an .ipk of version 2.0")
        self.data_size = len(gunzip(outer["./data.tar.gz"][1], LIMIT))
        self.control = {_plain(n): f for n, f in _untar(gunzip(outer["./control.tar.gz"][1], LIMIT)).items()}
        self.files = {_plain(n): f for n, f in _untar(gunzip(outer["./data.tar.gz"][1], LIMIT)).items()}
        if "control" not in self.control:
            raise ValueError("no control file")
        self.fields = paragraph(self.control["control"][1].decode())

    def check(self) -> list[str]:
        """What is wrong with it; empty = nothing. (The format has no hashes of its own: the index has them.)"""
        wrong = [f"control lacks {name}" for name in ("Package", "Version", "Architecture") if name not in self.fields]
        if self.fields.get("Installed-Size") != str(self.data_size):
            wrong.append(f"Installed-Size {self.fields.get('Installed-Size')}, but {self.data_size}")
        for path in self.control.get("conffiles", (0, b""))[1].decode().split():
            if path.lstrip("/") not in self.files:
                wrong.append(f"conffile {path} is not in it")
        for name, (mode, _) in self.control.items():
            if name not in ("control", "conffiles") and not mode & 0o100:
                wrong.append(f"script {name} is not executable")
        return wrong


def paragraph(text: str) -> dict[str, str]:
    """`Name: value` lines; a line that begins with a blank goes on with the one before."""
    found: dict[str, str] = {}
    last = None
    for line in text.splitlines():
        if line[:1].isspace() and last is not None:
            found[last] += f"\n{line.strip()}"
        elif ":" in line:
            last, value = line.split(":", 1)
            found[last] = value.strip()
        elif line:
            raise ValueError(f"not a control line: {line[:60]!r}")
    return found


class _Writer:
    """GNU tar with fixed times and owners, as `tar --format=gnu --numeric-owner --sort=name` writes it."""

    def __init__(self, epoch: int):
        self.epoch = epoch
        self.out = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.out, mode="w", format=tarfile.GNU_FORMAT)

    def folder(self, name: str) -> None:
        self._add(name, tarfile.DIRTYPE, 0o755, b"")

    def file(self, name: str, data: bytes, mode: int) -> None:
        self._add(name, tarfile.REGTYPE, mode, data)

    def _add(self, name: str, kind: bytes, mode: int, data: bytes) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.mode, info.size, info.mtime = kind, mode, len(data), self.epoch
        self.tar.addfile(info, io.BytesIO(data))

    def close(self) -> bytes:
        self.tar.close()
        return self.out.getvalue()


def _tar(tree: Tree, epoch: int) -> bytes:
    out = _Writer(epoch)
    _walk(out, tree, "", tree.folders())
    return out.close()


def _walk(out: _Writer, tree: Tree, folder: str, folders: list[str]) -> None:
    """Depth first, files and folders of one folder together in the order of their names."""
    out.folder(f"./{folder}/" if folder else "./")
    below = {f[len(folder) :].strip("/"): f for f in folders if f and _parent(f) == folder}
    files = dict(tree.within(folder))
    for name in sorted([*below, *files], key=str.encode):
        if name in files:
            out.file(f"./{folder}/{name}" if folder else f"./{name}", files[name].data, files[name].mode)
        else:
            _walk(out, tree, below[name], folders)


def _parent(folder: str) -> str:
    return folder.rpartition("/")[0]


def _plain(name: str) -> str:
    return name.removeprefix("./")


def _untar(raw: bytes) -> dict[str, tuple[int, bytes]]:
    """Regular files: name → mode and content. Links and devices are refused; so are paths that leave the archive."""
    found: dict[str, tuple[int, bytes]] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(raw), mode="r:") as tar:
            for info in tar:
                if info.isdir():
                    continue
                if not info.isreg() or ".." in info.name.split("/") or info.name in found:
                    raise ValueError(f"unexpected member {info.name!r}")
                found[info.name] = (info.mode, tar.extractfile(info).read())
    except tarfile.TarError as e:
        raise ValueError(f"damaged tar: {e}") from e
    return found
