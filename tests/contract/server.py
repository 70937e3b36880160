"""A `belay serve` that the tests start, watch and end."""

import contextlib
import itertools
import json
import os
import signal
import stat
import subprocess

from checks import DEADLINE, check, equal, until

counter = itertools.count(1)


class Server:
    """One process; its stderr and stdout are kept in files of `folder`. Batches are kept in
    memory, or in the directory `data`, or where the options `kept` say; `program_first` are
    arguments that come before all others; `how` is for whoever starts the process."""

    def __init__(self, program, folder, root, *options, listen="127.0.0.1:0", ready=None,
                 data=None, kept=None, program_first=(), **how):
        number = next(counter)
        self.ready_file = ready or folder / f"ready-{number}.json"
        self.stderr_file = folder / f"stderr-{number}"
        self.stdout_file = folder / f"stdout-{number}"
        self.url = self.key = None
        self.shown = 0
        if kept is None:
            kept = ["--data", data] if data else ["--in-memory"]
        command = [program, *program_first, "serve", *kept, "--threads", "2", "--listen", listen,
                   "--ready-file", self.ready_file, *options]
        command += ["--root", root] if root else []
        with open(self.stderr_file, "wb") as errors, open(self.stdout_file, "wb") as output:
            how = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": errors, **how}
            self.process = subprocess.Popen([str(part) for part in command], **how)

    @property
    def pid(self):
        return self.process.pid

    @property
    def address(self):
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host, int(port)

    def alive(self):
        return self.process.poll() is None

    def wait_ready(self):
        def ready():
            check(self.alive(), f"the server ended at its start, status {self.process.poll()}: "
                                f"{self.stderr()}")
            return self.ready_file.exists() and self.pid_in_file() == self.pid

        until(ready, "the ready file")
        said = json.loads(self.ready_file.read_text())
        self.url, self.key = said["url"], said["api_key"]
        return self

    def pid_in_file(self):
        """Of the ready file, which may be a stale one that is about to go."""
        try:
            return json.loads(self.ready_file.read_text())["pid"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def ready_mode(self):
        return stat.S_IMODE(os.stat(self.ready_file).st_mode)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait_end(self):
        try:
            return self.process.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            check(False, f"the server did not end; its stderr: {self.stderr()}")

    def stop(self):
        """Ends it as an operator does."""
        self.signal()
        equal(self.wait_end(), 0, "the exit status after SIGTERM")
        check(not self.ready_file.exists(), "the ready file is still there after the exit")

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait()

    def stderr(self):
        return self.stderr_file.read_text(errors="replace")

    def new_stderr(self):
        """What it has said since this was last asked."""
        text = self.stderr()
        new, self.shown = text[self.shown:], len(text)
        return new


@contextlib.contextmanager
def ended(server):
    """Ends the server with SIGTERM if the test has not; with SIGKILL if the test failed."""
    try:
        yield server
        if server.alive():
            server.stop()
    finally:
        server.kill()
