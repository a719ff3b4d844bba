"""All packages of some targets, with signed indexes: folders that a web server hands out as they are.

    OUT/opkg/ARCH/  *.ipk, Packages, Packages.gz, Packages.sig      OUT/apk/ARCH/  *.apk, packages.adb
    OUT/keys/       the public keys, as routers want them
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import apk
import index
import ipk
from describe import Description, Wrong
from keys import usign_public
from package import Package
from squeeze import Squeezer

USIGN_SECRET, USIGN_PUBLIC, APK_SECRET, APK_PUBLIC = "usign.sec", "usign.pub", "apk.pem", "apk.pub.pem"


@dataclass(frozen=True)
class Order:
    """What to build from where to where."""

    description: Description
    targets: list[str]
    binaries: Path  # TARGET/FEATURES/echomesh below it, as cross/build leaves them
    out: Path
    keys: Path | None  # none = unsigned indexes
    squeezer: Squeezer


def build(order: Order) -> list[Path]:
    """The package files, in the order they were made, read back and verified. What stood in OUT/opkg and OUT/apk for these architectures is gone."""
    pages = order.description.pages()
    known = order.description.targets()
    made = []
    for name in order.targets:
        if name not in known:
            raise Wrong(f"no target {name}; there are: {' '.join(known)}")
        for arch in known[name].arches:
            told = order.description
            packages = [told.node(n, arch, program(told, order.binaries, name, n)) for n in told.told["package"]]
            made += _folder(order, arch, packages + pages)
    if order.keys:
        _publish_keys(order.keys, order.out / "keys")
    return made


def program(description: Description, binaries: Path, target: str, package: str) -> bytes:
    """What cross/build made for a package of a target."""
    features = description.told["package"][package]["features"]
    path = binaries / target / features / "echomesh"
    try:
        return path.read_bytes()
    except OSError as e:
        raise Wrong(f"{path}: {e.strerror}; cross/build {target} --features {features} makes it") from e


def _folder(order: Order, arch: str, packages: list[Package]) -> list[Path]:
    opkg, apks = order.out / "opkg" / arch, order.out / "apk" / arch
    for folder in (opkg, apks):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    made = []
    for package in packages:
        for path, content in (
            (opkg / ipk.file_name(package), ipk.write(package, order.squeezer)),
            (apks / apk.file_name(package), apk.write(package, order.squeezer)),
        ):
            path.write_bytes(content)
            made.append(path)
    index.write_opkg(opkg, order.keys and order.keys / USIGN_SECRET, order.squeezer)
    index.write_apk(apks, order.keys and order.keys / APK_SECRET, order.squeezer)
    wrong = index.check_opkg(opkg, order.keys and usign_public((order.keys / USIGN_PUBLIC).read_text()))
    wrong += index.check_apk(apks, order.keys and order.keys / APK_PUBLIC)
    for path in made:
        wrong += (ipk.Ipk if path.suffix == ".ipk" else apk.Apk)(path.read_bytes()).check()
    if wrong:
        raise Wrong(f"what was written does not read back: {'; '.join(wrong)}")
    return made


def _publish_keys(keys: Path, out: Path) -> None:
    """opkg looks a key up by its number, apk tries all of a folder."""
    out.mkdir(parents=True, exist_ok=True)
    text = (keys / USIGN_PUBLIC).read_text()
    (out / usign_public(text).number.hex()).write_text(text)
    shutil.copyfile(keys / APK_PUBLIC, out / "echomesh.pem")
