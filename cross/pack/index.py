"""Signed indexes of a folder of packages: `Packages` for opkg, `packages.adb` for apk."""

import hashlib
from pathlib import Path

import adb
from adb import SIGNATURE, STORE, Block, Store, Values
from apk import Apk
from ipk import Ipk, paragraph
from keys import Refused, UsignKey, p256_sign, p256_verify, usign_sign, usign_verify
from schema import INDEX, INFO, read
from squeeze import Squeezer, gzip

SCHEMA = "indx"
HASHES, FILE_SIZE = 2, 12
"""Places in a package's info that an index fills anew."""


def write_opkg(folder: Path, secret_key: Path | None, squeezer: Squeezer) -> None:
    """Packages, Packages.gz and, with a key, Packages.sig for all .ipk of the folder."""
    text = opkg_text({file.name: file.read_bytes() for file in folder.glob("*.ipk")})
    (folder / "Packages").write_bytes(text)
    (folder / "Packages.gz").write_bytes(gzip(text, squeezer))
    (folder / "Packages.sig").unlink(missing_ok=True)
    if secret_key:
        (folder / "Packages.sig").write_text(usign_sign(text, secret_key))


def opkg_text(files: dict[str, bytes]) -> bytes:
    """The index of files by name: each control, and before its description where the file is and its hash."""
    out = []
    for name in sorted(files):
        control = Ipk(files[name]).control["control"][1].decode()
        digest = hashlib.sha256(files[name]).hexdigest()
        place = f"Filename: {name}\nSize: {len(files[name])}\nSHA256sum: {digest}\n"
        out.append(control.replace("\nDescription:", f"\n{place}Description:", 1).rstrip("\n") + "\n\n")
    return "".join(out).encode()


def check_opkg(folder: Path, key: UsignKey | None) -> list[str]:
    """What is wrong with the folder's `Packages`; empty = nothing: signature, sizes, hashes, fields."""
    raw = (folder / "Packages").read_bytes()
    wrong = []
    if key:
        try:
            usign_verify(raw, (folder / "Packages.sig").read_text(), key)
        except (OSError, Refused) as e:
            wrong.append(f"Packages.sig: {e}")
    for told in entries(raw.decode()):
        name = told.get("Filename", "")
        if not name or "/" in name:
            wrong.append(f"an entry without a file: {told.get('Package')}")
            continue
        try:
            content = (folder / name).read_bytes()
            control = Ipk(content).fields
        except (OSError, ValueError) as e:
            wrong.append(f"{name}: {e}")
            continue
        if told.get("Size") != str(len(content)) or told.get("SHA256sum") != hashlib.sha256(content).hexdigest():
            wrong.append(f"{name}: size or hash differ")
        wrong += [f"{name}: {field} differs" for field, value in control.items() if told.get(field) != value]
    return wrong


def entries(text: str) -> list[dict[str, str]]:
    """The paragraphs of a `Packages`."""
    return [paragraph(part) for part in text.split("\n\n") if part.strip()]


def write_apk(folder: Path, secret_key: Path | None, squeezer: Squeezer) -> None:
    """packages.adb for all .apk of the folder, signed where there is a key."""
    store = apk_store([file.read_bytes() for file in sorted(folder.glob("*.apk"))])
    blocks = [Block(STORE, store)]
    if secret_key:
        blocks.append(Block(SIGNATURE, p256_sign(SCHEMA, store, secret_key)))
    (folder / "packages.adb").write_bytes(adb.write(SCHEMA, blocks, squeezer))


def apk_store(files: list[bytes]) -> bytes:
    """The index of packages: each one's info, with the file's size and the hash of its store."""
    store = Store()
    packages = [(Apk(raw), len(raw)) for raw in files]
    packages.sort(key=lambda item: (item[0].info["name"], item[0].info["version"]))
    listed = store.list([_entry(store, package, size) for package, size in packages])
    return bytes(store.close(store.list([0, listed])))


def _entry(store: Store, package: Apk, size: int) -> int:
    """Copies the info as it stands, nested values first, then fills in the two fields of an index."""
    info = package.values.list(package.values.list(package.values.root)[0])
    copied = [_copy(store, package.values, value) for value in info]
    copied += [0] * (FILE_SIZE + 1 - len(copied))
    copied[FILE_SIZE] = store.number(size)
    copied[HASHES] = store.blob(hashlib.sha256(package.store).digest())
    return store.list(copied)


def _copy(store: Store, values: Values, value: int) -> int:
    kind = value >> 28
    if kind in (adb.ARRAY, adb.OBJECT):
        return store.list([_copy(store, values, inner) for inner in values.list(value)])
    if kind in (adb.INT, adb.INT_32, adb.INT_64):
        return store.number(values.number(value))
    return store.blob(values.blob(value))


def check_apk(folder: Path, public_key: Path | None) -> list[str]:
    """What is wrong with the folder's packages.adb; empty = nothing: signature, sizes, hashes, fields."""
    schema, blocks = adb.read((folder / "packages.adb").read_bytes())
    if schema != SCHEMA:
        return [f"packages.adb is no index: schema {schema!r}"]
    store = blocks[0].payload
    wrong = []
    if public_key:
        wrong += _unsigned(schema, store, [b.payload for b in blocks[1:] if b.kind == SIGNATURE], public_key)
    values = Values(store)
    for told in read(values, values.root, INDEX).get("packages", []):
        name = f"{told.get('name')}-{told.get('version')}.apk"
        try:
            content = (folder / name).read_bytes()
            package = Apk(content)
        except (OSError, ValueError) as e:
            wrong.append(f"{name}: {e}")
            continue
        if told.get("file-size") != len(content) or told.get("hashes") != hashlib.sha256(package.store).hexdigest():
            wrong.append(f"{name}: size or hash differ")
        same = [field for field in INFO if field not in ("hashes", "file-size")]
        wrong += [f"{name}: {field} differs" for field in same if told.get(field) != package.info.get(field)]
    return wrong


def _unsigned(schema: str, store: bytes, signatures: list[bytes], public_key: Path) -> list[str]:
    reasons = []
    for payload in signatures:
        try:
            p256_verify(schema, store, payload, public_key)
            return []
        except Refused as e:
            reasons.append(f"packages.adb: {e}")
    return reasons or ["packages.adb is not signed"]
