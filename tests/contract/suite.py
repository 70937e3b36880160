"""The list of tests, and what each of them is given."""

import os
import pathlib
import socket
import traceback

from checks import Failure
from client import Client
from server import Server, ended

TESTS = []


def test(function):
    """Puts a function into the list; its docstring says what it shows."""
    TESTS.append(function)
    return function


class Suite:
    """The server that most tests share, and the means to start others."""

    def __init__(self, program, folder):
        self.program, self.folder = program, pathlib.Path(folder)
        self.root = self.folder / "the-servers-own-root"
        make_root(self.root)
        self.others = []
        self.begin()

    def begin(self):
        self.server = self.make().wait_ready()
        self.client = self.client_of(self.server)

    def make(self, *options, root=True, launcher=(), **more):
        """A further server, not yet looked after: put it into `ended`. `launcher` is a command that
        becomes it."""
        program, *first = [*launcher, self.program]
        server = Server(program, self.folder, self.root if root else None, *options,
                        program_first=first, **more)
        self.others.append(server)
        return server

    def start(self, *options, **more):
        """A further server, as a context: ready at its begin, ended properly at its end."""
        return ended(self.make(*options, **more).wait_ready())

    @staticmethod
    def client_of(server):
        return Client(server.url, server.key)

    def run(self, function):
        """Runs one test. Why it failed, or None."""
        fault = None
        try:
            function(self)
            self.client.clean()
        except Failure as failure:
            fault = f"{failure}{where(failure)}"
        except Exception as failure:  # a connection refused, a member missing …
            fault = f"{type(failure).__name__}: {failure}{where(failure)}"
        if not self.server.alive():
            fault = f"{fault or ''} [the shared server ended, status {self.server.process.poll()}]"
        return fault

    def said(self):
        """What the servers have said on stderr since the last call."""
        return "".join(f"    {server.stderr_file.name}: {line}\n" for server in self.others
                       for line in server.new_stderr().splitlines())

    def recover(self):
        """After a failed test: no batch of it may disturb the next one."""
        self.server.kill()
        self.begin()


def where(failure):
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__)
              if not frame.filename.endswith(("/checks.py", "/suite.py", "/shapes.py"))]
    places = [f"{os.path.basename(frame.filename)}:{frame.lineno}" for frame in frames[:3]]
    return f"  [{' > '.join(places)}]"


def make_root(root):
    """The directory that the servers open for their jobs."""
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "a.txt").write_bytes(b"belay\n")
    (root / "empty").write_bytes(b"")
    (root / "big.bin").write_bytes(bytes(range(256)) * 8192 + b"odd")
    (root / "sub" / "deep" / "ünïcode name.txt").write_bytes("größer".encode())
    (root / "-dash").write_bytes(b"dash")
    (root.parent / "outside.txt").write_bytes(b"outside")
    os.symlink("../a.txt", root / "sub" / "inside-link")
    os.symlink("../outside.txt", root / "outside-link")
    os.symlink("/etc/hostname", root / "absolute-link")
    os.symlink("..", root / "parent-link")
    os.symlink("nowhere", root / "dangling-link")
    os.symlink("loop", root / "loop")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))
