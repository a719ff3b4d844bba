"""Keys and signatures of the indexes: Ed25519 in usign's files for opkg, ECDSA P-256 for apk. The arithmetic is openssl's."""

import base64
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import adb

ED25519_SECRET = bytes.fromhex("302e020100300506032b657004220420")
ED25519_PUBLIC = bytes.fromhex("302a300506032b6570032100")
P256_POINT = 65


class Refused(Exception):
    """A key that is none, or a signature that does not verify."""


@dataclass(frozen=True)
class UsignKey:
    """A public key of usign: opkg looks it up by the hex digits of `number`."""

    number: bytes
    public: bytes


def usign_new(secret_file: Path, public_file: Path, comment: str) -> None:
    """Makes a key pair, in the files `usign -G` would make."""
    der = _openssl(["genpkey", "-algorithm", "ED25519", "-outform", "DER"])
    seed, public = der[-32:], _openssl(["pkey", "-inform", "DER", "-pubout", "-outform", "DER"], der)[-32:]
    number, secret = hashlib.sha512(public).digest()[:8], seed + public
    unsealed = b"EdBK" + bytes(4) + bytes(16) + hashlib.sha512(secret).digest()[:8] + number + secret
    _new_file(secret_file, _commented(f"{comment}, secret", unsealed), 0o600)
    _new_file(public_file, _commented(comment, b"Ed" + number + public), 0o644)


def usign_public(text: str) -> UsignKey:
    """A public key file's content."""
    raw = _uncommented(text)
    if len(raw) != 42 or raw[:2] != b"Ed":
        raise Refused("not a public key of usign")
    return UsignKey(raw[2:10], raw[10:])


def usign_sign(message: bytes, secret_file: Path) -> str:
    """The signature file's content, as `usign -S` writes it."""
    raw = _uncommented(secret_file.read_text())
    if len(raw) != 104 or raw[:4] != b"EdBK" or raw[4:8] != bytes(4):
        raise Refused(f"{secret_file} is not an unsealed secret key of usign")
    number, seed = raw[32:40], raw[40:72]
    with _file(ED25519_SECRET + seed) as key, _file(message) as told:
        signature = _openssl(["pkeyutl", "-sign", "-rawin", "-inkey", key.name, "-keyform", "DER", "-in", told.name])
    return _commented(f"signed by key {number.hex()}", b"Ed" + number + signature)


def usign_verify(message: bytes, signature: str, key: UsignKey) -> None:
    """Refused unless `key` made the signature over `message`."""
    raw = _uncommented(signature)
    if len(raw) != 74 or raw[:2] != b"Ed":
        raise Refused("not a signature of usign")
    if raw[2:10] != key.number:
        raise Refused(f"signed by key {raw[2:10].hex()}, not by {key.number.hex()}")
    with _file(ED25519_PUBLIC + key.public) as public, _file(message) as told, _file(raw[10:]) as made:
        checked = ["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public.name, "-keyform", "DER"]
        _openssl([*checked, "-in", told.name, "-sigfile", made.name])


def p256_new(secret_file: Path, public_file: Path) -> None:
    """Makes a key pair for apk: PEM files."""
    secret = _openssl(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
    _new_file(secret_file, secret.decode(), 0o600)
    _new_file(public_file, _openssl(["pkey", "-pubout"], secret).decode(), 0o644)


def p256_id(public_pem: bytes) -> bytes:
    """The 16 bytes by which a signature names its key: SHA-512 of the point."""
    point = _openssl(["pkey", "-pubin", "-pubout", "-outform", "DER"], public_pem)[-P256_POINT:]
    return hashlib.sha512(point).digest()[:16]


def p256_sign(schema: str, store: bytes, secret_file: Path) -> bytes:
    """The payload of an ADB's signature block."""
    public = _openssl(["pkey", "-in", str(secret_file), "-pubout"])
    head = bytes([0, adb.SHA512]) + p256_id(public)
    with _file(adb.signed(schema, store, head)) as told:
        return head + _openssl(["dgst", "-sha512", "-sign", str(secret_file), told.name])


def p256_verify(schema: str, store: bytes, payload: bytes, public_file: Path) -> None:
    """Refused unless the key made the signature block `payload` over the store."""
    head, signature = payload[:18], payload[18:]
    if head[:2] != bytes([0, adb.SHA512]) or not signature:
        raise Refused("a signature of an unknown form")
    if head[2:] != p256_id(public_file.read_bytes()):
        raise Refused("UNTRUSTED signature")
    with _file(adb.signed(schema, store, head)) as told, _file(signature) as made:
        _openssl(["dgst", "-sha512", "-verify", str(public_file), "-signature", made.name, told.name])


def _openssl(arguments: list[str], told: bytes | None = None) -> bytes:
    done = subprocess.run(["openssl", *arguments], input=told, capture_output=True, check=False)
    if done.returncode:
        raise Refused(f"openssl {arguments[0]}: {(done.stderr or done.stdout).decode(errors='replace').strip()[:200]}")
    return done.stdout


def _file(content: bytes):
    """A file for openssl, readable by its owner alone, gone afterwards."""
    file = tempfile.NamedTemporaryFile()
    file.write(content)
    file.flush()
    return file


def _new_file(path: Path, content: str, mode: int) -> None:
    """Never over a key that is there."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(content)


def _commented(comment: str, raw: bytes) -> str:
    return f"untrusted comment: {comment}\n{base64.b64encode(raw).decode()}\n"


def _uncommented(text: str) -> bytes:
    lines = text.splitlines()
    if len(lines) < 2 or not lines[0].startswith("untrusted comment:"):
        raise Refused("not a file of usign")
    try:
        return base64.b64decode(lines[1], validate=True)
    except ValueError as e:
        raise Refused("not a file of usign: no base64") from e
