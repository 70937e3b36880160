"""What is taken away from a server, and given back.

A resource is made for one data directory. `left` says how much of it there is while it is short.
`launcher` and `how` go with each start of a server, `short_launcher` with one while it is short;
`take` and `give` are for a server that runs.
"""

import contextlib
import itertools
import mmap
import os
import pathlib
import shutil
import struct
import subprocess

from checks import check


class Resource:
    may_end = False      # whether a server may end for the lack of it
    restart_may_fail = True
    creations = (202, 503)
    jobs_may_fail = True

    def __init__(self, folder, left):
        self.folder, self.left = folder, left
        self.data = folder / "data"
        self.launcher, self.how = [], {}
        self.short_launcher = []

    def before_short_start(self):
        pass

    def after_short_start(self):
        """When a server that was started while it was short has gone."""

    def take(self, server):
        raise NotImplementedError

    def give(self, server):
        raise NotImplementedError

    def close(self):
        pass


class Limited(Resource):
    """A limit of the process, lowered while it runs; `option` is what prlimit(1) calls it."""
    option = None

    def __init__(self, folder, left):
        super().__init__(folder, left)
        self.short_launcher = ["/usr/bin/prlimit", f"--{self.option}={left}"]

    def take(self, server):
        self.usual = self.prlimit(server, "--output=SOFT", "--noheadings")
        self.prlimit(server, value=self.limit(server.pid))

    def give(self, server):
        if server.alive():
            self.prlimit(server, value=self.usual)

    def prlimit(self, server, *options, value=None):
        set_to = "" if value is None else f"={value}:"  # the hard limit stays
        return subprocess.run(["/usr/bin/prlimit", "--pid", str(server.pid),
                               f"--{self.option}{set_to}", *options], check=True,
                              capture_output=True, text=True, **self.how).stdout.strip()


class Descriptors(Limited):
    """`left` more can be opened; at a start there are `left` in all."""
    option = "nofile"
    jobs_may_fail = False

    def limit(self, pid):
        used = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        free = (number for number in itertools.count() if number not in used)
        return next(itertools.islice(free, self.left, None))


class Threads(Limited):
    """Neither a thread nor a process more; at a start there are `left` in all. The limit is one of
    the user's, and not of root's: each directory is a user's of its own."""
    option = "nproc"
    users = itertools.count(61_000)

    def __init__(self, folder, left):
        super().__init__(folder, left)
        if os.geteuid() == 0:
            user = next(self.users)
            self.how = {"user": user, "group": user, "extra_groups": []}
            os.chown(folder, user, user)

    @staticmethod
    def limit(pid):
        return 1


class Memory(Limited):
    """`left` more bytes of address space; at a start that many in all."""
    option = "as"
    may_end = True

    def limit(self, pid):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        kilobytes, = (line.split()[1] for line in status.splitlines() if line.startswith("VmSize:"))
        return int(kilobytes) * 1024 + self.left


class Disk(Resource):
    """A file system of its own, filled up to `left` bytes."""
    size = 96 * 1024 * 1024
    restart_may_fail = False  # room is kept back for it

    def __init__(self, folder, left):
        super().__init__(folder, left)
        self.place = folder / "disk"
        self.place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.size}", "none", self.place],
                       check=True, capture_output=True)
        self.data = self.place / "data"
        self.ballast = self.place / "ballast"

    @staticmethod
    def can_be_had(folder):
        """Whether this user may mount."""
        try:
            place = folder / "probe"
            place.mkdir()
            Disk(place, 0).close()
            return True
        except subprocess.CalledProcessError:
            return False

    def take(self, server=None):
        with open(self.ballast, "ab", buffering=0) as file:
            for size in (1024 * 1024, 4096):
                with contextlib.suppress(OSError):
                    while file.write(b"x" * size) == size:
                        pass
            file.truncate(max(0, file.tell() - self.left))

    def before_short_start(self):
        self.take()

    def give(self, server=None):
        self.ballast.unlink(missing_ok=True)

    after_short_start = give

    def close(self):
        subprocess.run(["umount", "--lazy", self.place], check=True)


class Clock(Resource):
    """Jumps by `left` seconds."""
    jobs_may_fail = False

    def __init__(self, folder, left):
        super().__init__(folder, left)
        library, file = folder / "clock.so", folder / "clock"
        source = pathlib.Path(__file__).with_name("clock.c")
        compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
        check(compiler, "no C compiler is there")
        subprocess.run([compiler, "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"],
                       check=True)
        file.write_bytes(bytes(8))
        with open(file, "r+b") as opened:
            self.shown = mmap.mmap(opened.fileno(), 8)
        self.how = {"env": {**os.environ, "LD_PRELOAD": str(library), "SCARCITY_CLOCK": str(file)}}

    def move(self, seconds):
        self.shown[:] = struct.pack("=q", seconds)

    def take(self, server=None):
        self.move(self.left)

    def before_short_start(self):
        self.take()

    def give(self, server=None):
        self.move(0)

    after_short_start = give
