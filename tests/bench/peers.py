"""The programs compared: how each is set up, started and stopped."""

import os
import signal
import subprocess
import time

PROXY_CORE = "1"
LOAD_CORE = "0"
RAW_NAME, TLS_NAME = "raw.bench.test", "tls.bench.test"


def start(words, log, core=PROXY_CORE):
    """A process pinned to a core, in a session of its own: else the scheduler's autogroups give all of them one weight."""
    return subprocess.Popen(["taskset", "-c", core, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def stop(process):
    """Ends a process and whatever it started."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(5)
    except ProcessLookupError:
        pass
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def family(pid):
    """A process and all below it."""
    found, look = [], [pid]
    while look:
        one = look.pop()
        found.append(one)
        try:
            for task in os.listdir(f"/proc/{one}/task"):
                with open(f"/proc/{one}/task/{task}/children") as children:
                    look += [int(child) for child in children.read().split()]
        except OSError:
            pass
    return found


def accepts(addr, seconds=10):
    """Waits until somebody listens."""
    import socket

    host, port = addr.rsplit(":", 1)
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((host, int(port)), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


class Peer:
    """A proxy. `way(payload)` gives the load generator's arguments; `command` starts it in the foreground."""

    process = None
    signal = "term"
    listeners = 1

    def __init__(self, name, folder, net, command, config=None, kind="connect"):
        self.name, self.net, self.kind, self.command = name, net, kind, command
        self.folder = os.path.join(folder, name.replace(" ", "-"))
        os.makedirs(self.folder)
        # Some of them drop their privileges.
        os.chmod(self.folder, 0o777)
        self.log = open(os.path.join(self.folder, "log"), "ab")
        if config is not None:
            with open(self.config(), "w") as file:
                file.write(config)
        self.command = [word.replace("CONFIG", self.config()) for word in command]

    def config(self):
        return os.path.join(self.folder, "config")

    def origin(self, payload):
        return f"127.77.{self.net}.{22 if payload == 'tls' else 21}:8443"

    def addr(self, payload="raw"):
        # A forward has one port for each destination.
        return f"127.77.{self.net}.{self.last}:{8444 if self.kind == 'direct' and payload == 'tls' else 8443}"

    def way(self, payload):
        name = TLS_NAME if payload == "tls" else RAW_NAME
        return ["--via", self.addr(payload), "--kind", self.kind, "--payload", payload, "--name", name, "--target", self.origin(payload)]

    def start(self):
        self.process = start(self.command, self.log)
        accepts(self.addr())

    def pids(self):
        return family(self.process.pid)

    def stop(self):
        stop(self.process)
        self.process = None


class Direct(Peer):
    """No proxy at all."""

    def __init__(self, folder, net):
        super().__init__("direct", folder, net, [], kind="direct")

    def addr(self, payload="raw"):
        return self.origin(payload)

    def start(self):
        pass

    def pids(self):
        return []

    def stop(self):
        pass


def debian(folder, net):
    """The peers, as Debian packages them; no access control, no log, no cache: they do less than a node must."""
    ip = lambda last: f"127.77.{net}.{last}"
    raw, tls = f"{ip(21)}:8443", f"{ip(22)}:8443"
    tinyproxy = f"""Port 8443
Listen {ip(31)}
Timeout 600
LogLevel Error
MaxClients 5000
Allow 127.0.0.0/8
ConnectPort 8443
"""
    squid = f"""http_port {ip(32)}:8443
acl CONNECT method CONNECT
http_access allow CONNECT
http_access deny all
cache deny all
cache_mem 0 MB
access_log none
cache_log /dev/null
cache_store_log none
pid_filename none
max_filedescriptors 16000
shutdown_lifetime 0 seconds
netdb_filename none
pinger_enable off
coredump_dir {folder}
"""
    haproxy = f"""global
  nbthread 1
  maxconn 6000
defaults
  mode tcp
  option splice-request
  option splice-response
  timeout connect 10s
  timeout client 10m
  timeout server 10m
listen raw
  bind {ip(33)}:8443
  server origin {raw}
listen tls
  bind {ip(33)}:8444
  server origin {tls}
"""
    nginx = f"""load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 12000; }}
stream {{
  server {{ listen {ip(34)}:8443; proxy_pass {raw}; }}
  server {{ listen {ip(34)}:8444; proxy_pass {tls}; }}
}}
"""
    made = [
        Peer("tinyproxy", folder, net, ["tinyproxy", "-d", "-c", "CONFIG"], tinyproxy),
        Peer("squid", folder, net, ["squid", "-N", "-f", "CONFIG"], squid),
        Peer("haproxy", folder, net, ["haproxy", "-db", "-f", "CONFIG"], haproxy, kind="direct"),
        Peer("nginx", folder, net, ["nginx", "-e", "stderr", "-c", "CONFIG"], nginx, kind="direct"),
    ]
    for last, peer in enumerate(made, 31):
        peer.last = last
    return made
