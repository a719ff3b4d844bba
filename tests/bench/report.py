"""Figures as tables and plots."""

import json
import os
import statistics
import subprocess
import time

DOCS = os.path.join(os.path.dirname(__file__), "..", "..", "docs")
ORDER = ["direct", "tinyproxy", "squid", "haproxy", "nginx", "echomesh", "echomesh TLS"]
CELLS = [f"{payload} {tunnels} {direction}" for payload in ("raw", "tls") for tunnels in (1, 8) for direction in ("down", "up")]
BEGIN, END = "<!-- figures: tests/bench/run --docs -->", "<!-- end of figures -->"


def machine():
    """Where and when."""
    model = next(line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name"))
    load = open("/proc/loadavg").read().split()[0]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    return {"model": model, "cores": os.cpu_count(), "kernel": os.uname().release, "load": load, "date": time.strftime("%Y-%m-%d %H:%M"), "commit": commit}


def median(figures, name, what, member):
    rows = figures["figures"].get(name, {}).get(what, [])
    values = [row[member] for row in rows if row.get(member) is not None]
    return statistics.median(values) if values else None


def text(value, digits):
    return "–" if value is None else f"{value:.{digits}f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def tables(f):
    m = f["machine"]
    parts = [
        f"{m['date']}, commit {m['commit']}: {m['cores']} cores of {m['model']}, Linux {m['kernel']}, load average {m['load']} at the end; "
        f"medians of {f['rounds']} interleaved rounds, {f['seconds']} s in all."
    ]
    bulk = lambda member, digits: table(
        ["", *CELLS], [[name, *(text(median(f, name, cell, member), digits) for cell in CELLS)] for name in ORDER if member == "mbs" or name != "direct"]
    )
    parts += ["**MB/s** (payload, tunnels, direction)", bulk("mbs", 0), "**CPU seconds per GB** of the proxy", bulk("cpu_per_gb", 3)]
    rows = []
    for name in ORDER:
        get = lambda member, what="connects": median(f, name, what, member)
        row = [text(get("per_second"), 0), text(get("cpu_us"), 0), *(text(get(q), 1) for q in ("p50", "p95", "p99"))]
        ten = median(f, name, "10 Mbps", "cpu"), median(f, name, "10 Mbps", "seconds")
        row += [text(get("p95", "at 80 %"), 2), text(None if None in ten or name == "direct" else ten[0] / ten[1] * 100, 2)]
        rows.append([name, *row])
    head = ["", "connects/s, 16 clients", "CPU µs each", "p50 ms", "p95 ms", "p99 ms", "p95 ms at 80 % of 100 Mbps", "CPU % at 10 Mbps"]
    parts += ["**Tunnels opened**, up to the origin's first byte", table(head, rows)]
    rows = []
    for name in ORDER[1:-1]:
        get = lambda member, what="memory": median(f, name, what, member)
        mb = lambda member: text(None if get(member) is None else get(member) / 1024, 1)
        start = [text(get(member, "start"), 1) for member in ("first_ms", "stop_ms")]
        rows.append([name, mb("idle"), mb("idle_anon"), mb("peak"), text(get("tunnel"), 1), *start])
    head = ["", "RSS idle MB", "of it anonymous", "RSS at most, 100 busy tunnels", "KiB a tunnel, 2,000 idle", "start to first tunnel ms", "stop ms"]
    parts += ["**Memory and life**", table(head, rows)]
    alone = f["figures"].get("echomesh base build", {}).get("alone")
    if alone:
        a = alone[0]
        before, after = a["flash"]
        keys = [k for k in after if isinstance(after[k], (int, float))]
        grew = ", ".join(f"{k} {before[k]} → {after[k]}" for k in keys)
        parts.append(
            f"The base build (`--no-default-features --features proxy`, {a['bytes'] / 1e6:.2f} MB), registered and idle: RSS {a['idle'] / 1024:.1f} MB, "
            f"of it {a['idle_anon'] / 1024:.2f} MB anonymous; {a['wakeups']:.2f} wake-ups a second; flash over the idle minute: {grew}."
        )
    return "\n\n".join(parts)


def plot(path, title, unit, rows):
    """Horizontal bars; `rows` = name, value."""
    rows = [(name, value) for name, value in rows if value is not None]
    most = max(value for _, value in rows)
    height, left, width = 22, 130, 460
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{len(rows) * height + 44}" font-family="sans-serif" font-size="12">']
    out.append(f'<text x="8" y="18" font-weight="bold">{title}</text><text x="{left}" y="36" fill="#666">{unit}</text>')
    for nth, (name, value) in enumerate(rows):
        y = 42 + nth * height
        colour = "#2a7" if name.startswith("echomesh") else "#89a"
        bar = max(1, value / most * width)
        out.append(f'<text x="{left - 6}" y="{y + 13}" text-anchor="end">{name}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{bar:.1f}" height="{height - 6}" fill="{colour}"/>')
        out.append(f'<text x="{left + bar + 5:.1f}" y="{y + 13}">{value:.3g}</text>')
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n</svg>\n")


def write_docs(f):
    """The table into docs/bench.md, the plots and all figures beside it."""
    folder = os.path.join(DOCS, "bench")
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/figures.json", "w") as file:
        json.dump(f, file, indent=1)
    of = lambda what, member, names=ORDER: [(name, median(f, name, what, member)) for name in names]
    plot(f"{folder}/cpu-raw.svg", "CPU of the proxy, raw payload, 8 tunnels down", "seconds per GB: less is better", of("raw 8 down", "cpu_per_gb", ORDER[1:]))
    plot(f"{folder}/cpu-tls.svg", "CPU of the proxy, TLS payload, 8 tunnels down", "seconds per GB: less is better", of("tls 8 down", "cpu_per_gb", ORDER[1:]))
    plot(f"{folder}/throughput.svg", "Throughput, raw payload, 8 tunnels down", "MB/s: more is better", of("raw 8 down", "mbs"))
    plot(f"{folder}/connects.svg", "Tunnels opened by 16 clients", "a second: more is better", of("connects", "per_second"))
    plot(f"{folder}/memory.svg", "User memory of an idle tunnel, of 2,000", "KiB: less is better", of("memory", "tunnel", ORDER[1:-1]))
    path = os.path.join(DOCS, "bench.md")
    page = open(path).read()
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    with open(path, "w") as file:
        file.write(f"{before}{BEGIN}\n{tables(f)}\n{END}{after}")
