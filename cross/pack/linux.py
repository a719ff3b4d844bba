"""Beside OpenWrt: a .tar.gz with an installer, and a container image FROM nothing. Both are the same bytes from the same input."""

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from describe import Description, Wrong
from squeeze import Squeezer, gzip

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""Targets that are packed for Linux, and what containers call them."""
USER, STATE = 65532, "/var/lib/echomesh"
ROUTERS_STATE = "option state_dir '/etc/echomesh'"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Entry:
    """A file (or, without content, a folder) of an archive."""

    path: str
    mode: int
    data: bytes | None = None
    owner: int = 0


def archive(description: Description, target: str, program: bytes) -> tuple[str, bytes]:
    """Name and content of the .tar.gz for a machine."""
    root, version = description.root, description.upstream
    top = f"echomesh-{version}-linux-{target}"
    entries = [
        Entry(top, 0o755),
        Entry(f"{top}/LICENSE", 0o644, (root / "LICENSE").read_bytes()),
        Entry(f"{top}/README", 0o644, (root / "cross/linux/README").read_bytes()),
        Entry(f"{top}/echomesh", 0o755, program),
        Entry(f"{top}/echomesh.config", 0o644, settings(root)),
        Entry(f"{top}/echomesh.service", 0o644, (root / "cross/linux/echomesh.service").read_bytes()),
        Entry(f"{top}/install", 0o755, (root / "cross/linux/install").read_bytes()),
    ]
    return f"{top}.tar.gz", gzip(tar(entries, description.epoch), Squeezer.LIBDEFLATE)


def image(description: Description, target: str, program: bytes, certificates: bytes) -> tuple[str, bytes]:
    """Name and content of the container image: an OCI layout that `docker load` and `podman load` take too."""
    name = f"localhost/echomesh:{description.upstream}"
    layer = tar(_image_files(description, program, certificates), description.epoch)
    packed = gzip(layer, Squeezer.LIBDEFLATE)
    config = _json(_config(description, MACHINES[target], hashlib.sha256(layer).hexdigest()))
    media = "application/vnd.oci.image"
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{media}.manifest.v1+json",
            "config": _descriptor(f"{media}.config.v1+json", config),
            "layers": [_descriptor(f"{media}.layer.v1.tar+gzip", packed)],
        }
    )
    told = _descriptor(f"{media}.manifest.v1+json", manifest)
    told["platform"] = {"architecture": MACHINES[target], "os": "linux"}
    told["annotations"] = {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
    listed = _json({"schemaVersion": 2, "mediaType": f"{media}.index.v1+json", "manifests": [told]})
    # What tools from before OCI layouts look for.
    legacy = _json([{"Config": _blob(config), "RepoTags": [name], "Layers": [_blob(packed)]}])
    files = {_blob(content): content for content in (config, packed, manifest)}
    files |= {"index.json": listed, "manifest.json": legacy, "oci-layout": _json({"imageLayoutVersion": "1.0.0"})}
    entries = [Entry("blobs", 0o755), Entry("blobs/sha256", 0o755)]
    entries += [Entry(path, 0o644, content) for path, content in sorted(files.items())]
    return f"echomesh-{description.upstream}-oci-{target}.tar", tar(entries, description.epoch)


def settings(root: Path) -> bytes:
    """The settings as they come, with the state where Linux has it."""
    text = (root / "openwrt/files/etc/config/echomesh").read_text()
    if text.count(ROUTERS_STATE) != 1:
        raise Wrong(f"openwrt/files/etc/config/echomesh no longer has the line {ROUTERS_STATE!r}, which is another one beside OpenWrt")
    return text.replace(ROUTERS_STATE, f"option state_dir '{STATE}'").encode()


def tar(entries: list[Entry], epoch: int) -> bytes:
    """A plain tar with fixed times; folders come before what is in them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.type = tarfile.DIRTYPE if entry.data is None else tarfile.REGTYPE
            info.mode, info.mtime, info.uid, info.gid = entry.mode, epoch, entry.owner, entry.owner
            info.size = len(entry.data or b"")
            archive.addfile(info, io.BytesIO(entry.data or b""))
    return out.getvalue()


def _image_files(description: Description, program: bytes, certificates: bytes) -> list[Entry]:
    users = f"root:x:0:0:root:/:/sbin/nologin\nechomesh:x:{USER}:{USER}:echomesh:{STATE}:/sbin/nologin\n"
    groups = f"root:x:0:\nechomesh:x:{USER}:\n"
    folders = ["etc", "etc/config", "etc/ssl", "etc/ssl/certs", "usr", "usr/bin", "usr/share", "usr/share/licenses", "var", "var/lib", "var/run"]
    return [
        *(Entry(folder, 0o755) for folder in folders),
        Entry("tmp", 0o1777),
        Entry(STATE.lstrip("/"), 0o700, owner=USER),
        # As a tmpfs over it has it: some tools make that root's own.
        Entry("var/run/echomesh", 0o1777, owner=USER),
        Entry("etc/passwd", 0o644, users.encode()),
        Entry("etc/group", 0o644, groups.encode()),
        Entry("etc/config/echomesh", 0o644, settings(description.root)),
        Entry(CERTIFICATES.lstrip("/"), 0o644, certificates),
        Entry("usr/share/licenses/echomesh", 0o644, (description.root / "LICENSE").read_bytes()),
        Entry("usr/bin/echomesh", 0o755, program),
    ]


def _config(description: Description, architecture: str, layer: str) -> dict:
    created = datetime.fromtimestamp(description.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    feed = description.told["feed"]
    labels = {
        "org.opencontainers.image.title": "EchoMesh",
        "org.opencontainers.image.version": description.upstream,
        "org.opencontainers.image.licenses": feed["license"],
        "org.opencontainers.image.url": feed["url"],
    }
    running = {
        "User": f"{USER}:{USER}",
        "Entrypoint": ["/usr/bin/echomesh"],
        "Cmd": ["run"],
        "Env": ["PATH=/usr/bin"],
        "WorkingDir": "/",
        "ExposedPorts": {"8443/tcp": {}},
        "Volumes": {STATE: {}},
        "StopSignal": "SIGTERM",
        "Labels": labels,
    }
    return {
        "created": created,
        "architecture": architecture,
        "os": "linux",
        "config": running,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": created, "created_by": "cross/pack"}],
    }


def _descriptor(media: str, content: bytes) -> dict:
    return {"mediaType": media, "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}


def _blob(content: bytes) -> str:
    return f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"


def _json(value: dict | list) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
