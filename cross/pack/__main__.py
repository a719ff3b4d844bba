"""Packages for routers: `python3 cross/pack COMMAND --help`. docs/reference/packages.md says what is in them."""

import argparse
import sys
from pathlib import Path

sys.dont_write_bytecode = True

import adb  # noqa: E402
import build  # noqa: E402
import dump  # noqa: E402
import index  # noqa: E402
import keys  # noqa: E402
import linux  # noqa: E402
import lmo  # noqa: E402
import sizes  # noqa: E402
from apk import Apk  # noqa: E402
from describe import Description, Wrong  # noqa: E402
from ipk import Ipk  # noqa: E402
from keys import Refused  # noqa: E402
from squeeze import Missing, Squeezer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
USAGE, DATA, UNAVAILABLE = 64, 65, 69


def main() -> int:
    told = _arguments()
    try:
        return told.run(told)
    except (Wrong, Missing) as e:
        print(f"cross/pack: {e}", file=sys.stderr)
        return UNAVAILABLE
    except (ValueError, Refused) as e:
        print(f"cross/pack: {e}", file=sys.stderr)
        return DATA
    except OSError as e:
        print(f"cross/pack: {e.filename or ''}: {e.strerror}", file=sys.stderr)
        return UNAVAILABLE


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cross/pack", description="Router packages of EchoMesh")
    commands = parser.add_subparsers(required=True)

    new = commands.add_parser("build", help="make all packages and indexes of some targets")
    new.add_argument("targets", nargs="+", help="names of cross/targets.tsv, or all")
    new.add_argument("--binaries", type=Path, default=ROOT / "target/cross/out", help="where cross/build left the programs")
    new.add_argument("--out", type=Path, default=ROOT / "target/cross/packages")
    new.add_argument("--keys", type=Path, help="folder of `cross/pack keys`; without it the indexes are unsigned")
    new.set_defaults(run=_build)

    pair = commands.add_parser("keys", help="make the two key pairs that sign the indexes")
    pair.add_argument("folder", type=Path)
    pair.set_defaults(run=_keys)

    read = commands.add_parser("read", help="print and verify an .ipk, .apk, Packages or packages.adb")
    read.add_argument("file", type=Path)
    read.add_argument("--key", type=Path, help="public key that must have signed the index (usign's, or a PEM file)")
    read.add_argument("--quiet", action="store_true", help="verify only")
    read.set_defaults(run=_read)

    catalogue = commands.add_parser("lmo", help="compile a catalogue of the web page")
    catalogue.add_argument("po", type=Path)
    catalogue.add_argument("lmo", type=Path)
    catalogue.set_defaults(run=_lmo)

    beside = commands.add_parser("linux", help="make the .tar.gz and the container image for Linux machines")
    beside.add_argument("targets", nargs="*", default=list(linux.MACHINES), help="x86_64, aarch64; without: both")
    beside.add_argument("--binaries", type=Path, default=ROOT / "target/cross/out")
    beside.add_argument("--out", type=Path, default=ROOT / "target/cross/linux")
    beside.add_argument("--certificates", type=Path, default=Path(linux.CERTIFICATES), help="bundle of authorities for the image")
    beside.set_defaults(run=_linux)

    size = commands.add_parser("sizes", help="measure what cross/build made, and compare with the table in the documentation")
    size.add_argument("targets", nargs="*", help="names of cross/targets.tsv; without: all that were built")
    size.add_argument("--binaries", type=Path, default=ROOT / "target/cross/out")
    size.add_argument("--page", type=Path, default=ROOT / "docs/reference/size.md")
    size.add_argument("--update", action="store_true", help="put what was measured into the table")
    size.set_defaults(run=_sizes)
    return parser.parse_args()


def _build(told: argparse.Namespace) -> int:
    description = Description(ROOT)
    wanted = list(description.targets()) if told.targets == ["all"] else told.targets
    order = build.Order(description, wanted, told.binaries, told.out, told.keys, Squeezer.LIBDEFLATE)
    for path in build.build(order):
        print(path)
    return 0


def _keys(told: argparse.Namespace) -> int:
    told.folder.mkdir(parents=True, exist_ok=True)
    keys.usign_new(told.folder / build.USIGN_SECRET, told.folder / build.USIGN_PUBLIC, "EchoMesh packages")
    keys.p256_new(told.folder / build.APK_SECRET, told.folder / build.APK_PUBLIC)
    print(f"{told.folder}: keep {build.USIGN_SECRET} and {build.APK_SECRET} secret, and somewhere else too")
    return 0


def _read(told: argparse.Namespace) -> int:
    raw = told.file.read_bytes()
    if raw[:3] == b"ADB":
        text, wrong = _read_adb(told, raw)
    elif raw[:2] == b"\x1f\x8b":
        package = Ipk(raw)
        text, wrong = dump.ipk_text(package), package.check()
    else:
        key = keys.usign_public(told.key.read_text()) if told.key else None
        text, wrong = raw.decode(), index.check_opkg(told.file.parent, key)
    if not told.quiet:
        sys.stdout.write(text)
    for what in wrong:
        print(f"cross/pack: {told.file}: {what}", file=sys.stderr)
    return DATA if wrong else 0


def _read_adb(told: argparse.Namespace, raw: bytes) -> tuple[str, list[str]]:
    def verdict(schema: str, store: bytes, payload: bytes) -> str:
        if not told.key:
            return "UNTRUSTED signature"
        try:
            keys.p256_verify(schema, store, payload, told.key)
            return "OK"
        except Refused as e:
            return str(e)

    text = dump.adb_text(raw, verdict)
    if adb.read(raw)[0] == index.SCHEMA:
        return text, index.check_apk(told.file.parent, told.key)
    return text, Apk(raw).check()


def _lmo(told: argparse.Namespace) -> int:
    told.lmo.write_bytes(lmo.compile_po(told.po.read_text()))
    return 0


def _linux(told: argparse.Namespace) -> int:
    description = Description(ROOT)
    certificates = told.certificates.read_bytes()
    told.out.mkdir(parents=True, exist_ok=True)
    for target in told.targets:
        if target not in linux.MACHINES:
            raise Wrong(f"no Linux machine {target}; there are: {' '.join(linux.MACHINES)}")
        program = build.program(description, told.binaries, target, "echomesh")
        for name, content in (linux.archive(description, target, program), linux.image(description, target, program, certificates)):
            (told.out / name).write_bytes(content)
            print(told.out / name)
    return 0


def _sizes(told: argparse.Namespace) -> int:
    description = Description(ROOT)
    rows = sizes.measure(description, told.binaries, told.targets)
    if not rows:
        raise Wrong(f"{told.binaries}: no program there; cross/build makes them")
    budgets, page = description.told["budget"], told.page.read_text()
    print(sizes.updated(f"{sizes.BEGIN}{sizes.END}", rows, budgets))
    for what in sizes.over(rows, budgets):
        print(f"over budget: {what}")
    if told.update:
        told.page.write_text(sizes.updated(page, rows, budgets))
        return 0
    wrong = sizes.grown(rows, sizes.table(page))
    for what in wrong:
        print(f"cross/sizes: {what}; where that is meant: cross/sizes --update", file=sys.stderr)
    return DATA if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
