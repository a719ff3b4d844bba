#!/usr/bin/env python3
"""Captures the first bytes of real TLS programs on loopback: `./capture.py [NAME...]`, beside this file.

Clients connect to a sink that reads their ClientHello and never answers. For the servers, `openssl s_server` with a
throw-away certificate answers a captured hello, and the record with its ServerHello is kept.
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
CHROMIUM = "chromium --headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update" \
    " --disable-sync --no-first-run --user-data-dir={tmp} --host-resolver-rules=MAP_example.test_127.0.0.1 https://example.test:{port}/"
OPENSSL = "openssl s_client -connect 127.0.0.1:{port}"
CLIENTS = {
    "chromium": CHROMIUM,
    "curl": "curl -s --resolve example.test:{port}:127.0.0.1 https://example.test:{port}/",
    "curl-http1": "curl -s --http1.1 --resolve example.test:{port}:127.0.0.1 https://example.test:{port}/",
    "curl-no-alpn": "curl -s --no-alpn --resolve example.test:{port}:127.0.0.1 https://example.test:{port}/",
    "openssl-alpn": OPENSSL + " -servername example.test -alpn h2,http/1.1",
    "openssl-no-sni": OPENSSL + " -noservername",
    "openssl-tls12": OPENSSL + " -servername example.test -tls1_2",
}
SERVERS = {"server-tls13": "openssl-alpn", "server-tls12": "openssl-tls12"}


def records(data):
    """How many bytes the records with the first handshake message take; None while some are missing."""
    message, at = b"", 0
    while len(message) < 4 or len(message) < 4 + int.from_bytes(message[1:4], "big"):
        if len(data) < at + 5:
            return None
        end = at + 5 + int.from_bytes(data[at + 3:at + 5], "big")
        if len(data) < end:
            return None
        message += data[at + 5:end]
        at = end
    return at


def read_message(sock):
    data = b""
    while records(data) is None:
        piece = sock.recv(65536)
        if not piece:
            raise SystemExit(f"the peer closed after {data!r}")
        data += piece
    return data[:records(data)]


def client(command):
    with socket.create_server(("127.0.0.1", 0)) as sink, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as tmp:
        sink.settimeout(60)
        port = sink.getsockname()[1]
        words = [w.replace("MAP_example.test_", "MAP example.test ").format(port=port, tmp=tmp) for w in command.split()]
        quiet = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        program = subprocess.Popen(words, start_new_session=True, **quiet)
        try:
            stream, _ = sink.accept()
            stream.settimeout(10)
            with stream:
                return read_message(stream)
        finally:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()


def server(hello):
    with tempfile.TemporaryDirectory() as tmp:
        key, cert = f"{tmp}/key.pem", f"{tmp}/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                        "-out", cert, "-days", "1", "-subj", "/CN=example.test"], check=True, capture_output=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        program = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-key", key, "-cert", cert, "-quiet"],
                                   stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                try:
                    stream = socket.create_connection(("127.0.0.1", port), timeout=10)
                    break
                except ConnectionRefusedError:
                    time.sleep(0.1)
            with stream:
                stream.sendall(hello)
                return read_message(stream)
        finally:
            program.kill()
            program.wait()


def main():
    for name in sys.argv[1:] or [*CLIENTS, *SERVERS]:
        data = client(CLIENTS[name]) if name in CLIENTS else server((HERE / f"{SERVERS[name]}.bin").read_bytes())
        (HERE / f"{name}.bin").write_bytes(data)
        print(f"{name}: {len(data)} bytes")


main()
