"""The proxies that stand in front of a `belay serve`, and what can be put between the two."""

import contextlib
import os
import pathlib
import random
import shutil
import socket
import subprocess
import threading

import guide
from checks import DEADLINE, check, equal, until
from client import Client
from server import Server, ended
from wire import Wire

PIECE = 64 * 1024
KEPT = 1024 * 1024  # how much of what a proxy sent is looked at


def free_port():
    """Below those that the system gives to connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Proxy(Server):
    """One process, with the guide's configuration in a folder of its own. To the tests it is what
    a server is."""

    def __init__(self, folder, server):
        self.folder = folder / f"{self.name}-{id(self)}"
        self.folder.mkdir()
        self.stderr_file = self.folder / "stderr"
        self.shown = 0
        self.port = free_port()
        self.url, self.key = f"http://127.0.0.1:{self.port}", server.key
        self.configure("{}:{}".format(*server.address))
        with open(self.stderr_file, "wb") as errors:
            self.process = subprocess.Popen(
                [self.found(), *self.arguments], cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=errors, stderr=errors, env=self.environment())

    def environment(self):
        """What a proxy keeps for itself it keeps in its folder."""
        places = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(self.folder))
        return {**os.environ, **places}

    @classmethod
    def found(cls):
        path = shutil.which(cls.name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        check(path, f"there is no {cls.name} here: it is in Debian's package {cls.name}")
        return path

    def wait_ready(self):
        def accepts():
            check(self.alive(), f"{self.name} ended at its start, status {self.process.poll()}: "
                                f"{self.stderr()}")
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(self.address).close()
                return True

        until(accepts, f"{self.name} to accept")
        return self

    def stop(self):
        self.signal()
        equal(self.wait_end(), 0, f"the exit status of {self.name} after SIGTERM")

    def kill(self):
        self.process.terminate()  # the workers of nginx would outlive its SIGKILL
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            super().kill()


class Nginx(Proxy):
    name = "nginx"
    arguments = ("-p", ".", "-e", "stderr", "-c", "nginx.conf")

    # What a distribution's nginx.conf says around the guide's part.
    FRAME = """\
daemon off;
worker_processes 1;
pid nginx.pid;
{user}
error_log stderr warn;
events {{ }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include belay.conf;
}}
"""

    def configure(self, upstream):
        part = guide.replaced(guide.block("upstream belay"), (guide.UPSTREAM, upstream),
                              ("listen 80;", f"listen 127.0.0.1:{self.port};"))
        (self.folder / "belay.conf").write_text(part)
        # Its workers would be of a user that can't read this folder.
        user = "user root;" if os.geteuid() == 0 else ""
        (self.folder / "nginx.conf").write_text(self.FRAME.format(user=user))


class Caddy(Proxy):
    name = "caddy"
    arguments = ("run", "--config", "Caddyfile", "--adapter", "caddyfile")

    FRAME = """\
{
    admin off
    auto_https off
    default_bind 127.0.0.1
    grace_period 1s
    log {
        level ERROR
    }
}
"""

    def configure(self, upstream):
        part = guide.replaced(guide.block("reverse_proxy"), (guide.UPSTREAM, upstream),
                              (f"{guide.NAME} {{", f"http://:{self.port} {{"))
        (self.folder / "Caddyfile").write_text(self.FRAME + part)


@contextlib.contextmanager
def in_front_of(suite, kind, server):
    """A proxy of that kind, with a client of it."""
    proxy = kind(suite.folder, server)
    suite.others.append(proxy)
    with ended(proxy.wait_ready()):
        proxy.client = Client(proxy.url, proxy.key)
        yield proxy
        proxy.client.clean()
        proxy.client.session.close()


class Relay:
    """Stands between a proxy and a server, passes everything on, and keeps an account of it."""

    def __init__(self, server):
        self.server, self.key = server, server.key
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.lock = threading.Lock()
        # All are guarded by the lock.
        self.connections = 0       # that were accepted
        self.sent = bytearray()    # what the proxy sent, its begin
        self.up = self.down = 0    # bytes to the server, and from it
        self.closed_by = []        # for each connection that ended, who began that
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def address(self):
        return self.listener.getsockname()

    def accept(self):
        while True:
            try:
                proxy, _ = self.listener.accept()
            except OSError:
                return  # it was closed
            with self.lock:
                self.connections += 1
            threading.Thread(target=self.serve, args=(proxy,), daemon=True).start()

    def serve(self, proxy):
        with proxy, socket.create_connection(self.server.address) as server:
            over = []
            back = threading.Thread(target=self.pump, args=(server, proxy, over, "the server"))
            back.start()
            self.pump(proxy, server, over, "the proxy")
            back.join()
        with self.lock:
            self.closed_by.append(over[0])

    def pump(self, source, sink, over, name):
        with contextlib.suppress(OSError):
            while piece := source.recv(PIECE):
                self.note(name == "the proxy", piece)
                sink.sendall(piece)
        over.append(name)
        for end, how in ((sink, socket.SHUT_WR), (source, socket.SHUT_RD)):
            with contextlib.suppress(OSError):
                end.shutdown(how)

    def note(self, upwards, piece):
        with self.lock:
            if not upwards:
                self.down += len(piece)
                return
            self.up += len(piece)
            self.sent += piece[:KEPT - len(self.sent)]

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self.listener.close()

    def fields(self, name):
        """The values that the proxy has sent of a field, request by request."""
        with self.lock:
            lines = bytes(self.sent).decode("latin-1").split("\r\n")
        found = (line.partition(":") for line in lines)
        return [value.strip() for field, _, value in found if field.lower() == name.lower()]


@contextlib.contextmanager
def relayed(suite, kind, server):
    """A proxy, and the relay that is between it and the server."""
    with contextlib.closing(Relay(server)) as relay, in_front_of(suite, kind, relay) as proxy:
        yield proxy, relay


class WireFrom(Wire):
    """A connection from another address of this machine."""

    def __init__(self, server, source):
        self.server = server
        self.socket = socket.create_connection(server.address, DEADLINE, (source, 0))
        self.file = self.socket.makefile("rb")


def established(server):
    """How many connections to the server are open at both ends."""
    port = f":{server.address[1]:04X}"
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(fields[1].endswith(port) and fields[3] == "01" for fields in map(str.split, lines))
