"""Measures every proxy in interleaved rounds: what disturbs one disturbs all. Started by `tests/bench/run`."""

import argparse
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time

import report
from peers import LOAD_CORE, Direct, accepts, debian, start, stop
from world import Door, Node, World

NET = 77
PAYLOADS, TUNNELS, DIRECTIONS = ("raw", "tls"), (1, 8), ("down", "up")
# The cap of the run at 80 % of it.
CAP_MBPS = 100


def status(pids, name):
    """A member of /proc/PID/status in KiB, over all processes; RSS shared between them counts once, as PSS would."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/status") as file:
                for line in file:
                    if line.startswith(name + ":"):
                        total += int(line.split()[1])
        except OSError:
            pass
    return total


def sleeps(pids):
    """How often the threads went to sleep so far."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return total


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder, self.figures = options, folder, {}
        self.origin = start([options.load, "origin", "--raw", f"127.77.{NET}.21:8443", "--tls", f"127.77.{NET}.22:8443"], subprocess.DEVNULL, LOAD_CORE)
        accepts(f"127.77.{NET}.21:8443")
        self.world = World(options.binary, folder, NET)
        self.part = ["demo", "part", "node"]
        self.node = Node(self.world, folder, options.binary, self.part)
        self.peers = [Direct(folder, NET), *debian(folder, NET)]

    def up(self):
        for peer in (*self.peers, self.node):
            peer.start()
        self.node.open_session()
        self.doors = [*self.peers, self.node, Door(self.node, "echomesh TLS", "tls-connect")]

    def down(self):
        for peer in (*self.peers, self.node):
            if peer.process:
                peer.stop()
        self.world.stop()
        stop(self.origin)

    def words(self, command, door, payload, *more):
        pids = ",".join(map(str, door.pids())) or "0"
        words = [self.options.load, command, *door.way(payload), "--pids", pids, *map(str, more)]
        return ["setsid", "--wait", "taskset", "-c", LOAD_CORE, *words]

    def load(self, command, door, payload, *more):
        """One run of the load generator; `None` where the proxy failed it."""
        done = subprocess.run(self.words(command, door, payload, *more), capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            print(f"{door.name} {command} {payload} {more}: {done.stderr.strip()[-200:]}", file=sys.stderr)
            return None
        return json.loads(done.stdout)

    def note(self, door, what, figures):
        if figures is not None:
            self.figures.setdefault(door.name, {}).setdefault(what, []).append(figures)

    def round(self):
        for payload, tunnels, direction in itertools.product(PAYLOADS, TUNNELS, DIRECTIONS):
            for door in self.shuffled():
                more = ["--tunnels", tunnels, "--dir", direction, "--seconds", self.options.seconds]
                self.note(door, f"{payload} {tunnels} {direction}", self.load("bulk", door, payload, *more))
        for door in self.shuffled():
            self.note(door, "connects", self.load("connects", door, "raw", "--clients", 16, "--seconds", 1.5 * self.options.seconds))

    def shuffled(self):
        return random.sample(self.doors, len(self.doors))

    def at_the_cap(self):
        """Opens tunnels beside a load of 80 % of the cap; the node's session has that cap."""
        unbound = self.node.auth
        self.node.open_session(CAP_MBPS)
        for door in self.shuffled():
            bulk = self.words("bulk", door, "raw", "--tunnels", 8, "--mbps", CAP_MBPS * 0.8, "--warm", 0.5, "--seconds", 3)
            beside = subprocess.Popen(bulk, stdout=subprocess.PIPE, text=True)
            time.sleep(0.7)
            self.note(door, "at 80 %", self.load("connects", door, "raw", "--clients", 8, "--rate", 60, "--seconds", 2.5))
            beside.communicate()
        self.node.auth = unbound

    def ten_mbps(self):
        for door in self.shuffled():
            self.note(door, "10 Mbps", self.load("bulk", door, "raw", "--mbps", 10, "--warm", 0.5, "--seconds", 4))

    def memory(self):
        """RSS some seconds after a fresh start and a first tunnel, with 2,000 idle tunnels, and in a burst of 100 that move all they can."""
        for peer in (*self.peers[1:], self.node):
            peer.stop()
            peer.start()
            if peer is self.node:
                time.sleep(1)
            self.load("bulk", peer, "raw", "--tunnels", 1, "--warm", 0.1, "--seconds", 0.2)
            # The node tidies up five seconds after its start.
            time.sleep(6 if peer is self.node else 2)
            pids = peer.pids()
            kib = {"idle": status(pids, "VmRSS"), "idle_anon": status(pids, "RssAnon")}
            before = status(peer.pids(), "RssAnon")
            hold = subprocess.Popen(
                self.words("hold", peer, "raw", "--tunnels", 2000), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            opened = json.loads(hold.stdout.readline() or '{"open": 0}')["open"]
            time.sleep(2)
            if opened:
                kib["tunnel"] = (status(peer.pids(), "RssAnon") - before) / opened
            hold.communicate()
            time.sleep(1)
            burst = subprocess.Popen(self.words("bulk", peer, "raw", "--tunnels", 100, "--warm", 0.5, "--seconds", 2), stdout=subprocess.DEVNULL)
            peak = 0
            while burst.poll() is None:
                peak = max(peak, status(peer.pids(), "VmRSS"))
                time.sleep(0.02)
            self.note(peer, "memory", {**kib, "peak": peak})

    def starts(self):
        """From the start of the process to the first tunnel; the node has its session and identity, as after a reboot."""
        for _ in range(3 if self.options.quick else 9):
            for peer in (*self.peers[1:], self.node):
                if peer.process:
                    peer.stop()
                words = ["setsid", "--wait", "taskset", "-c", LOAD_CORE, self.options.load, "first", *peer.way("raw"), "--core", "1", "--", *peer.command]
                done = subprocess.run(words, capture_output=True, text=True, timeout=60)
                self.note(peer, "start", json.loads(done.stdout) if done.returncode == 0 else None)
                if done.returncode:
                    print(f"{peer.name} start: {done.stderr.strip()}", file=sys.stderr)

    def alone(self):
        """What only a node has: its base build, sleep, and the flash."""
        base = Node(self.world, self.folder, self.options.base, ["run"], name="base", last=102)
        base.start()
        time.sleep(8)
        pids = base.pids()
        kib = {"idle": status(pids, "VmRSS"), "idle_anon": status(pids, "RssAnon"), "bytes": os.path.getsize(self.options.base)}
        began, before = time.monotonic(), sleeps(pids)
        flash = base.status()["flash"]
        time.sleep(5 if self.options.quick else 60)
        kib["wakeups"] = (sleeps(pids) - before) / (time.monotonic() - began)
        kib["flash"] = [flash, base.status()["flash"]]
        base.stop()
        self.figures["echomesh base build"] = {"alone": [kib]}


def main():
    parser = argparse.ArgumentParser()
    for name in ("binary", "base", "load", "out"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    options.rounds = options.rounds or (1 if options.quick else 5)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    # Congestion control is nothing a loopback shows, and a pacing one (bbr) costs timers: the plain one for everybody.
    with open("/proc/sys/net/ipv4/tcp_congestion_control", "w") as control:
        control.write("reno")
    folder = tempfile.mkdtemp(prefix="echomesh-bench-")
    os.chmod(folder, 0o755)
    bench = Bench(options, folder)
    began = time.monotonic()
    try:
        bench.up()
        for _ in range(options.rounds):
            bench.round()
        for _ in range(1 if options.quick else 2):
            bench.at_the_cap()
            bench.ten_mbps()
        bench.memory()
        bench.starts()
        bench.alone()
    finally:
        bench.down()
    shutil.rmtree(folder)
    figures = {"machine": report.machine(), "seconds": round(time.monotonic() - began), "rounds": options.rounds, "figures": bench.figures}
    os.makedirs(options.out, exist_ok=True)
    with open(f"{options.out}/figures.json", "w") as file:
        json.dump(figures, file, indent=1)
    print(report.tables(figures))
    if options.docs:
        report.write_docs(figures)


main()
