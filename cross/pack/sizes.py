"""The table of sizes: what was measured, what the documentation says, and where the two part."""

import lzma
from dataclasses import dataclass
from pathlib import Path

import ipk
from describe import Description, Wrong
from squeeze import Squeezer, gzip

BEGIN, END = "<!-- sizes: cross/sizes --update -->", "<!-- /sizes -->"
HEAD = "| target | features | program | gz | xz | .ipk | budget |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |"
GROWTH = 1.02
"""How much larger than the table a measure may be."""


@dataclass(frozen=True)
class Row:
    """Bytes of one build: the program, `gzip -9n` and `xz -9e` of it, and the package."""

    target: str
    features: str
    program: int
    gz: int
    xz: int
    ipk: int

    def measures(self) -> dict[str, int]:
        """By the name of their column."""
        return {"program": self.program, "gz": self.gz, "xz": self.xz, ".ipk": self.ipk}


def measure(description: Description, binaries: Path, wanted: list[str]) -> list[Row]:
    """A row for each TARGET/FEATURES/echomesh that stands there, of these targets or (none named) of all."""
    known = {name: target for name, target in description.targets().items() if name in wanted or not wanted}
    rows = []
    for program in sorted(binaries.glob("*/*/echomesh")):
        target, features = program.parent.parent.name, program.parent.name
        if target in known:
            raw = program.read_bytes()
            package = description.node("echomesh", known[target].arches[0], raw)
            packed = len(ipk.write(package, Squeezer.LIBDEFLATE))
            squeezed = len(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))
            rows.append(Row(target, features, len(raw), len(gzip(raw, Squeezer.ZLIB)), squeezed, packed))
    return rows


def table(page: str) -> list[Row]:
    """The rows the page holds."""
    rows = []
    for line in _part(page)[1].splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 7 and cells[2].replace(",", "").isdigit():
            rows.append(Row(cells[0], cells[1], *(int(cell.replace(",", "")) for cell in cells[2:6])))
    return rows


def updated(page: str, rows: list[Row], budgets: dict[str, dict[str, int]]) -> str:
    """The page with these rows in the place of those of the same target and features; others stay."""
    kept = {(row.target, row.features): row for row in [*table(page), *rows]}
    lines = [_line(row, budgets.get(row.target, {}).get(row.features)) for _, row in sorted(kept.items())]
    before, _, after = _part(page)
    return f"{before}{BEGIN}\n{HEAD}\n" + "".join(f"{line}\n" for line in lines) + END + after


def grown(rows: list[Row], told: list[Row]) -> list[str]:
    """What is larger than the table allows, or not in it."""
    known = {(row.target, row.features): row for row in told}
    wrong = []
    for row in rows:
        before = known.get((row.target, row.features))
        if before is None:
            wrong.append(f"{row.target} {row.features} is not in the table")
            continue
        for name, value in row.measures().items():
            old = before.measures()[name]
            if value > old * GROWTH:
                wrong.append(f"{row.target} {row.features}: {name} grew by {100 * (value - old) / old:.1f} %, from {old:,} to {value:,}")
    return wrong


def over(rows: list[Row], budgets: dict[str, dict[str, int]]) -> list[str]:
    """Packages beyond their budget."""
    found = []
    for row in rows:
        budget = budgets.get(row.target, {}).get(row.features)
        if budget and row.ipk > budget:
            found.append(f"{row.target} {row.features}: the .ipk is {row.ipk - budget:,} over its budget of {budget:,}")
    return found


def _line(row: Row, budget: int | None) -> str:
    numbers = " | ".join(f"{value:,}" for value in row.measures().values())
    return f"| {row.target} | {row.features} | {numbers} | {f'{budget:,}' if budget else ''} |"


def _part(page: str) -> tuple[str, str, str]:
    before, begun, rest = page.partition(BEGIN)
    part, ended, after = rest.partition(END)
    if not begun or not ended:
        raise Wrong("the page of sizes has lost the marks around its table")
    return before, part, after
