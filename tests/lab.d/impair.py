#!/usr/bin/env python3
"""The lab's line: carries packets between two tun devices at a set rate, delay and loss.

    impair.py FIRST SECOND LINE.json

Makes both devices in the namespace it starts in (the caller may move one away afterwards: the file descriptor stays
valid) and prints "ready". LINE.json holds {"mbps": 0, "delay_ms": 0, "loss_pct": 0}; 0 Mbps = no limit; the delay and
loss are those of one way. It is read again on SIGHUP.
"""
import fcntl
import heapq
import json
import os
import random
import select
import signal
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
QUEUE_S = 0.3  # what a home line's buffer holds


def tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return fd


def main():
    first, second, path = sys.argv[1:4]
    fds = [tun(first), tun(second)]
    other = {fds[0]: fds[1], fds[1]: fds[0]}
    line = {}

    def load(*_):
        with open(path, encoding="utf-8") as f:
            line.update(json.load(f))

    load()
    signal.signal(signal.SIGHUP, load)
    print("ready", flush=True)
    free_at = {fd: 0.0 for fd in fds}  # when the line towards fd is free again
    waiting = []  # (arrival, number, fd, packet)
    number = 0
    while True:
        wait = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for fd in select.select(fds, [], [], wait)[0]:
            for _ in range(64):
                try:
                    packet = os.read(fd, 65536)
                except BlockingIOError:
                    break
                now = time.monotonic()
                out = other[fd]
                start = max(now, free_at[out])
                if random.random() * 100 < line["loss_pct"] or start - now > QUEUE_S:
                    continue
                took = len(packet) * 8 / (line["mbps"] * 1e6) if line["mbps"] else 0.0
                free_at[out] = start + took
                number += 1
                heapq.heappush(waiting, (start + took + line["delay_ms"] / 1e3, number, out, packet))
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, fd, packet = heapq.heappop(waiting)
            try:
                os.write(fd, packet)
            except OSError:
                pass  # the device is down or its queue is full: a packet lost


main()
