"""The .apk of apk v3, as `apk mkpkg` makes it from OpenWrt's build: an ADB store and the files' data."""

import hashlib
import struct

import adb
from adb import DATA, SIGNATURE, STORE, Block, Store, Values
from package import Package
from schema import PACKAGE, read
from scripts import for_apk
from squeeze import Squeezer
from tree import File, Tree

SCHEMA = "pckg"
SCRIPTS = ["trigger", "pre-install", "post-install", "pre-deinstall", "post-deinstall", "pre-upgrade", "post-upgrade"]
IDENTITY = 20
"""Bytes of the package's own hash."""


def write(package: Package, squeezer: Squeezer) -> bytes:
    """The package's bytes: the same for the same package and squeezer."""
    tree = _with_records(package)
    blocks = [Block(STORE, _store(package, tree))]
    for path_index, folder in enumerate(tree.folders(), 1):
        for file_index, (_, file) in enumerate(tree.within(folder), 1):
            if file.data:
                blocks.append(Block(DATA, struct.pack("<II", path_index, file_index) + file.data))
    return adb.write(SCHEMA, blocks, squeezer)


def file_name(package: Package) -> str:
    """As apk's index expects it."""
    return f"{package.name}-{package.version}.apk"


def _with_records(package: Package) -> Tree:
    """The tree with what OpenWrt's scripts look up in /lib/apk/packages: users, list, conffiles and their hashes."""
    tree = Tree(package.tree.files)
    base = f"/lib/apk/packages/{package.name}"
    if package.users:
        tree.add(f"{base}.rusers", package.users.encode())
    tree.add(f"{base}.list", "".join(f"{path}\n" for path in sorted(tree.files)).encode())
    if package.conffiles:
        tree.add(f"{base}.conffiles", "".join(f"{path}\n" for path in package.conffiles).encode())
        known = [path for path in package.conffiles if path in tree.files]
        hashed = "".join(f"{path} {hashlib.sha256(tree.files[path].data).hexdigest()}\n" for path in known)
        tree.add(f"{base}.conffiles_static", hashed.encode())
    return tree


def _store(package: Package, tree: Tree) -> bytes:
    """The order of writing is mkpkg's, which makes the bytes equal to its."""
    store = Store()
    info = [0] * 21
    told = [package.name, package.version, "", " ".join(package.description.split()), _arch(package), package.license]
    told += [package.source, package.maintainer, package.url]
    for at, value in enumerate(told):
        # The router's database of what is installed has a line for each: a second one makes all of it unreadable.
        if "\n" in value:
            raise ValueError(f"{package.name}: {value!r} has more than one line")
        info[at] = store.text(value)
    info[14] = store.list([_dependency(store, name) for name in sorted(set(package.depends), key=str.encode)])
    folders = [_folder(store, package, tree, name) for name in tree.folders()]
    info[11] = store.number(tree.size() or 1)
    info[2] = store.blob(bytes(IDENTITY), once=False)
    infos, paths = store.list(info), store.list(folders)
    scripts = for_apk(package)
    bodies = [store.text(scripts.get(name, "")) for name in SCRIPTS]
    out = store.close(store.list([infos, paths, store.list(bodies)]))
    identity = Values(bytes(out)).place(info[2])
    out[identity : identity + IDENTITY] = hashlib.sha256(out).digest()[:IDENTITY]
    return bytes(out)


def _arch(package: Package) -> str:
    return "noarch" if package.arch == "all" else package.arch


def _dependency(store: Store, name: str) -> int:
    return store.list([store.text(name)])


def _folder(store: Store, package: Package, tree: Tree, folder: str) -> int:
    files = [_file(store, package, name, file) for name, file in tree.within(folder)]
    name = store.text(folder)
    access = _access(store, 0o755)
    return store.list([name, access, store.list(files)])


def _file(store: Store, package: Package, name: str, file: File) -> int:
    named, digest = store.text(name), store.blob(hashlib.sha256(file.data).digest())
    mtime, size = store.number(package.epoch), store.number(len(file.data))
    return store.list([named, _access(store, file.mode), size, mtime, digest])


def _access(store: Store, mode: int) -> int:
    return store.list([store.number(mode), store.text("root"), store.text("root")])


class Apk:
    """A read .apk: its fields as named values, and the content of each file by path."""

    def __init__(self, raw: bytes):
        schema, self.blocks = adb.read(raw)
        if schema != SCHEMA:
            raise ValueError(f"not a package: schema {schema!r}")
        self.store = self.blocks[0].payload
        self.values = Values(self.store)
        self.fields = read(self.values, self.values.root, PACKAGE)
        self.signatures = [b.payload for b in self.blocks if b.kind == SIGNATURE]
        self.wrong: list[str] = []
        self.files = self._files()

    @property
    def info(self) -> dict:
        """Name, version, depends and so on."""
        return self.fields.get("info", {})

    def check(self) -> list[str]:
        """What is wrong with it; empty = nothing: each file's hash and size, and the package's own hash."""
        wrong = [f"info lacks {name}" for name in ("name", "version", "arch", "hashes") if name not in self.info]
        return wrong + self.wrong + ([] if self._identity_holds() else ["the package's own hash does not fit"])

    def _identity_holds(self) -> bool:
        hashes = self.values.list(self.values.list(self.values.root)[0])[2]
        told = self.values.blob(hashes)
        at = self.values.place(hashes)
        blank = bytearray(self.store)
        blank[at : at + len(told)] = bytes(len(told))
        return len(told) == IDENTITY and hashlib.sha256(blank).digest()[:IDENTITY] == told

    def _files(self) -> dict[str, tuple[int, bytes]]:
        """Path → mode and content; notes in `wrong` what does not fit its entry."""
        data: dict[tuple[int, int], bytes] = {}
        for block in self.blocks:
            if block.kind == DATA:
                if len(block.payload) < 8:
                    raise ValueError("a data block without a head")
                data[struct.unpack_from("<II", block.payload)] = block.payload[8:]
        found = {}
        for path_index, folder in enumerate(self.fields.get("paths", []), 1):
            for file_index, file in enumerate(folder.get("files", []), 1):
                content = data.pop((path_index, file_index), b"")
                path = f"{folder.get('name', '')}/{file['name']}".lstrip("/")
                if ".." in path.split("/") or path in found:
                    raise ValueError(f"unexpected path {path!r}")
                if len(content) != file.get("size", 0):
                    self.wrong.append(f"{path}: {len(content)} bytes, told {file.get('size', 0)}")
                elif hashlib.sha256(content).hexdigest() != file.get("hash"):
                    self.wrong.append(f"{path}: its hash does not fit")
                found[path] = (file.get("acl", {}).get("mode", 0), content)
        self.wrong += [f"data of no file: {place}" for place in data]
        return found
