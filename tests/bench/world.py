"""A node in a little Internet of its own: coordinator, DoH server, and a session with a buyer. Policy, metering and limits are on."""

import base64
import http.client
import json
import os
import re
import socket
import ssl
import subprocess
import time

from peers import LOAD_CORE, Peer, start, stop, RAW_NAME, TLS_NAME

# Far above what the machine moves, so that the limiter counts every byte and binds nothing.
NO_BOUND_MBPS = 100_000


class World:
    """What a node needs around it."""

    def __init__(self, binary, folder, net):
        self.binary, self.net = binary, net
        self.folder = os.path.join(folder, "world")
        os.makedirs(self.folder)
        self.log = open(os.path.join(self.folder, "log"), "ab")
        with open(f"{self.folder}/names", "w") as names:
            names.write(f"{RAW_NAME} 127.77.{net}.21\n{TLS_NAME} 127.77.{net}.22\n")
        doh = self.part("doh", ["demo", "part", "doh", "--listen", f"127.77.{net}.53:8443", "--names", f"{self.folder}/names", "--dir", f"{self.folder}/doh"])
        coordinator = self.part(
            "coordinator",
            ["coordinator", "run", "--dir", f"{self.folder}/coordinator", "--listen", f"127.77.{net}.1:8443", "--name", f"127.77.{net}.1"]
            + ["--heartbeat", "30", "--lease", "3600"],
        )
        self.parts = [doh[0], coordinator[0]]
        self.key = re.search(r"ed25519:[\w-]+", coordinator[1]).group()
        said = subprocess.run(
            [binary, "coordinator", "buyer", "add", "bench", "--dir", f"{self.folder}/coordinator"], check=True, capture_output=True, text=True
        ).stdout
        self.token = re.search(r"(?<![\w-])[\w-]{43}(?![\w-])", said).group()
        self.ca = f"{self.folder}/ca.pem"
        with open(self.ca, "w") as ca:
            ca.write(open(f"{self.folder}/coordinator/coordinator.pem").read() + open(f"{self.folder}/doh/doh.pem").read())

    def part(self, name, words):
        log = f"{self.folder}/{name}.out"
        with open(log, "wb") as out:
            process = start([self.binary, *words], out, LOAD_CORE)
        end = time.monotonic() + 20
        while "ready" not in open(log).read():
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError(f"{name} does not start:\n{open(log).read()}")
            time.sleep(0.02)
        return process, open(log).read()

    def buyer(self, method, target, body=None):
        """One call of the buyer API."""
        context = ssl.create_default_context(cafile=self.ca)
        api = http.client.HTTPSConnection(f"127.77.{self.net}.1", 8443, context=context, timeout=20)
        api.request(method, target, json.dumps(body) if body else None, {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        answer = api.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {target}: {answer.status} {text!r}")
        return json.loads(text)

    def stop(self):
        for process in self.parts:
            stop(process)


class Node(Peer):
    """An echomesh node; `Door`s are its listeners."""

    last = 101

    def __init__(self, world, folder, binary, part, mbps=NO_BOUND_MBPS, name="echomesh", last=101):
        self.world, self.last = world, last
        ip = f"127.77.{world.net}"
        own = os.path.join(folder, name)
        config = f"""config node 'node'
	option enabled '1'
	list region_allow 'PH'
	option state_dir '{own}/state'
	option log_dest 'stderr'
config network 'network'
	option max_mbps '{mbps}'
	option burst_mb '{min(1000, max(1, mbps // 40))}'
	option yield '0'
	option max_gb_per_day '100000'
	option max_gb_per_month '1000000'
	list port '8443'
	list block_domain 'blocked.test'
	option max_tunnels '4000'
config security 'security'
	option sandbox_mode 'standard'
	list doh_url 'https://{ip}.53:8443/dns-query'
config coordinator 'coordinator'
	option url 'https://{ip}.1:8443'
	list key '{world.key}'
	option ca_file '{world.ca}'
config proxy 'proxy'
	option enabled '1'
	list listen '{ip}.{last}:8443'
"""
        command = [binary, *part, "--config", "CONFIG", "--run-dir", f"{own}/run"]
        super().__init__(name, folder, world.net, command, config)
        self.auth = None

    def way(self, payload):
        name = TLS_NAME if payload == "tls" else RAW_NAME
        way = ["--via", self.addr(), "--kind", self.kind, "--payload", payload, "--name", name, "--target", f"{name}:8443"]
        return way + ["--auth", self.auth]

    def open_session(self, mbps=NO_BOUND_MBPS):
        """A session whose limits are counted and do not bind, unless `mbps` says so."""
        wish = {
            "region": "PH", "category": "qa_testing", "maxMbps": mbps, "burstMB": min(1000, max(1, mbps // 40)), "maxGB": 100_000, "maxTunnels": 4000,
            "ttlSec": 36_000,
            "profile": {
                "ports": [8443], "categories": ["qa_testing"], "allowDomains": [], "blockDomains": ["blocked.test"],
                "alpn": ["h2", "http/1.1"], "requireSni": True, "ech": "allow",
            },
        }
        opened = self.world.buyer("POST", "/buyers/sessions", wish)
        end = time.monotonic() + 30
        while self.world.buyer("GET", f"/buyers/sessions/{opened['sessionId']}")["state"] != "active":
            if time.monotonic() > end:
                raise RuntimeError("no node takes the session")
            time.sleep(0.05)
        self.auth = base64.b64encode(f"{opened['sessionId']}:{opened['secret']}".encode()).decode()

    def status(self):
        """The status object, over the control socket."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(f"{self.folder}/run/control.sock")
            control.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while piece := control.recv(65536):
                answer += piece
        body = answer.split(b"\r\n\r\n", 1)[1]
        return json.loads(body[body.index(b"{"): body.rindex(b"}") + 1])


class Door:
    """One of a node's listeners under a name of its own."""

    def __init__(self, node, name, kind):
        self.node, self.name, self.kind = node, name, kind

    def way(self, payload):
        way = self.node.way(payload)
        way[way.index("--kind") + 1] = self.kind
        return way

    def pids(self):
        return self.node.pids()
