"""cross/packages.toml, cross/targets.tsv and openwrt/Makefile, read: which packages there are, and what is in each."""

import os
import re
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

import lmo
from package import Package, Scripts
from tree import Tree

I18N = "/usr/lib/lua/luci/i18n"
RELOAD = '[ -n "${IPKG_INSTROOT}" ] || { rm -f /tmp/luci-indexcache.*; rm -rf /tmp/luci-modulecache; /etc/init.d/rpcd reload 2> /dev/null; }\n'
"""After a page comes or goes: its menu and its access rules."""


class Wrong(Exception):
    """The description does not fit what is there; says what and where."""


@dataclass(frozen=True)
class Target:
    """One build, and the architectures it is packed for."""

    name: str
    rust: str
    arches: list[str]


class Description:
    """All of it, for one source tree."""

    def __init__(self, root: Path):
        self.root = root
        self.told = tomllib.loads((root / "cross/packages.toml").read_text())
        cargo = tomllib.loads((root / "Cargo.toml").read_text())
        self.upstream = cargo["package"]["version"]
        self.version = f"{self.upstream}-r{self.told['feed']['release']}"
        self.epoch = epoch(root)

    def targets(self) -> dict[str, Target]:
        """The builds by name."""
        return targets((self.root / "cross/targets.tsv").read_text())

    def node(self, name: str, arch: str, binary: bytes) -> Package:
        """A package with a binary in it."""
        told = self.told["package"][name]
        tree = Tree()
        mirrored = self.root / told["mirror"]
        for top in sorted(p for p in mirrored.iterdir() if p.is_dir()):
            tree.mirror(top, f"/{top.name}")
        for path, source in told["files"].items():
            tree.add(path, self._read(source))
        tree.add(told["binary"], binary, 0o755)
        for path, mode in told["modes"].items():
            if path not in tree.files:
                raise Wrong(f"cross/packages.toml gives a mode to {path}, which is not in {name}")
            tree.files[path] = type(tree.files[path])(mode, tree.files[path].data)
        for path in told["conffiles"]:
            if path not in tree.files:
                raise Wrong(f"the conffile {path} is not in {name}")
        scripts = scripts_of(self._read(told["scripts"]).decode(), name)
        return self._package(name, arch, told, tree, scripts)

    def pages(self) -> list[Package]:
        """The web page's packages, for all architectures; none as long as there is no page."""
        told = self.told["luci"]
        folder = self.root / told["folder"]
        if not folder.is_dir():
            return []
        tree = Tree()
        for source, place in (("htdocs", "/www"), ("root", "")):
            if (folder / source).is_dir():
                tree.mirror(folder / source, place)
        both = Scripts(postinst=RELOAD, postrm=RELOAD)
        packages = [self._package(told["name"], "all", told, tree, both)]
        for language in sorted(p.name for p in (folder / "po").glob("*") if p.is_dir() and p.name != "templates"):
            packages += self._language(language, folder / "po" / language)
        return packages

    def _language(self, language: str, folder: Path) -> list[Package]:
        told = self.told["luci"]
        if language not in told["languages"]:
            raise Wrong(f"cross/packages.toml names no title for the language {language}")
        code, title = told["languages"][language]
        tree = Tree()
        for po in sorted(folder.glob("*.po")):
            if compiled := lmo.compile_po(po.read_text()):
                tree.add(f"{I18N}/{po.stem}.{code}.lmo", compiled)
        if not tree.files:
            return []
        set_up = f"uci set luci.languages.{code.replace('-', '_')}='{title}'; uci commit luci\n"
        name = f"luci-i18n-{told['basename']}-{code}"
        tree.add(f"/etc/uci-defaults/{name}", set_up.encode(), 0o755)
        about = {"description": f"Translation for {told['name']} - {title}", "depends": ["libc", told["name"]]}
        return [self._package(name, "all", about, tree, Scripts())]

    def _package(self, name: str, arch: str, told: dict, tree: Tree, scripts: Scripts) -> Package:
        feed = self.told["feed"]
        return Package(
            name=name,
            version=self.version,
            arch=arch,
            description=told["description"].strip(),
            license=feed["license"],
            license_files=feed["license_files"],
            section=told.get("section", "luci"),
            source=feed["source"],
            source_name=feed["name"],
            tree=tree,
            depends=list(told["depends"]),
            maintainer=feed["maintainer"],
            url=feed["url"],
            users=told.get("users", ""),
            conffiles=list(told.get("conffiles", [])),
            scripts=scripts,
            epoch=self.epoch,
        )

    def _read(self, source: str) -> bytes:
        try:
            return (self.root / source).read_bytes()
        except OSError as e:
            raise Wrong(f"cross/packages.toml names {source}: {e.strerror}") from e


def targets(text: str) -> dict[str, Target]:
    """The table of builds: tab-separated, the first line that is no comment names the columns."""
    rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    found = {}
    for row in rows[1:]:
        told = dict(zip(rows[0], row, strict=True))
        found[told["name"]] = Target(told["name"], told["rust"], told["arches"].split(","))
    return found


def scripts_of(makefile: str, package: str) -> Scripts:
    """The bodies of `define Package/NAME/postinst` and so on, as make would hand them to a shell."""

    def body(name: str) -> str:
        found = re.search(rf"^define Package/{re.escape(package)}/{name}\n(.*?)^endef$", makefile, re.DOTALL | re.MULTILINE)
        text = found[1].replace("$$", "$") if found else ""
        return text.removeprefix("#!/bin/sh\n")

    return Scripts(body("postinst"), body("prerm"), body("postrm"))


def epoch(root: Path) -> int:
    """The time all files get: SOURCE_DATE_EPOCH, else the commit's, else 0 (a source archive without history)."""
    if told := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(told)
    done = subprocess.run(["git", "-C", str(root), "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip().isdigit() else 0
