#!/usr/bin/env python3
"""Checks what `echomesh demo --json` printed: demo_check.py FILE (or - for standard input)."""

import json
import sys

REASONS = """
malformed https-only bad-credentials session-unknown session-expired port-not-allowed ip-literal blocked-domain
not-allowed-domain category opt-out private-address geo session-cap daily-cap monthly-cap tunnel-cap rate-table-full dns-failed dial-failed timed-out
paused stopped quarantine schedule lease-expired overload not-tls sni-missing sni-mismatch alpn ech node-restart gateway-lost
insecure
""".split()
# What a machine with nothing but loopback cannot show.
MAY_BE_MISSING = {"insecure"}
LEAST_EACH_WAY = 1_000_000


def faults(run):
    if run.get("ok") is not True:
        yield f"ok is {run.get('ok')}: {run.get('faults')}"
    sessions = run.get("sessions", [])
    if len(sessions) != 3:
        yield f"{len(sessions)} sessions instead of 3"
    for session in sessions:
        name = session.get("name")
        for way in ("", "In", "Out"):
            counts = {who: session.get(f"{who}Bytes{way}") for who in ("origin", "node", "ledger")}
            if None in counts.values() or len(set(counts.values())) != 1:
                yield f"{name}: bytes {way or 'of both ways'} differ: {counts}"
            elif way and counts["origin"] < LEAST_EACH_WAY:
                yield f"{name}: only {counts['origin']} bytes {way}"
    if run.get("bundlesVerified", 0) < len(sessions):
        yield f"only {run.get('bundlesVerified')} bundles were verified"
    if run.get("probesPassed", 0) < 1:
        yield "no probe passed"
    for member in ("coordinatorOutage", "nodeRestart"):
        if run.get(member) != "survived":
            yield f"{member} is {run.get(member)}"
    for reason in REASONS:
        if reason in MAY_BE_MISSING and reason in run.get("notTried", {}):
            continue
        if run.get("refusals", {}).get(reason) is not True:
            yield f"refusal {reason} was not shown"


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: demo_check.py FILE")
    with sys.stdin if sys.argv[1] == "-" else open(sys.argv[1], encoding="utf-8") as file:
        run = json.load(file)
    found = list(faults(run))
    for fault in found:
        print(f"demo: {fault}", file=sys.stderr)
    if found:
        sys.exit(1)
    total = sum(session["originBytes"] for session in run["sessions"])
    print(f"demo: {total} bytes agree; {run['bundlesVerified']} bundles, {len(run['refusals'])} refusals, {run['probesPassed']} probes")


if __name__ == "__main__":
    main()
