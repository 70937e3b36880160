"""What an attack is, what it has to tell, and the process that carries it out."""

import asyncio
import multiprocessing
import os
import resource
import signal

from checks import check, until

FORK = multiprocessing.get_context("fork")
STATUSES = 600
BEGUN, LOST = "begun", "lost"


class Attack:
    """A row of the table.

    `prepare` is called once for a server, `begin` before each assault, `release` after it, and
    `finish` when the server has closed what was left: all in the harness. `go` is in a process of
    its own, which is killed when the assault is over.
    """

    name = None
    options = ()         # of the server
    on_disk = False      # whether it keeps its batches there
    needed = 1           # how often the attack must have begun before anything is looked at
    marks = ()           # what it counts, beside BEGUN, LOST and the statuses that it has seen
    log_lines_max = 20   # how much the server may have to say of it
    descriptors_max = None  # how many more than in idleness the server may have had open
    is_measured = True

    def __init__(self, is_full):
        """`is_full` is whether times are measured, and not only something is shown."""
        self.is_full = is_full

    def how(self):
        """Further arguments for the start of the server's process."""
        return {}

    def prepare(self, peer):
        """Makes what has to be there."""

    def begin(self, peer):
        """Makes what each assault uses up."""

    async def go(self, server, told):
        """Attacks until it is killed."""
        raise NotImplementedError

    def has_shown(self, _told):
        """Whether it went on for long enough to give a verdict."""
        return True

    def faults(self, _told):
        """What was wrong with what the attacker saw."""
        return ()

    def release(self, peer):
        """Lets go of what keeps connections open that nobody can know to be of no use."""

    def finish(self, peer):
        """Ends what `begin` has begun and is still there."""

    def close(self):
        """The server has ended."""


class Told:
    """What an attacker has counted, in memory that it shares with the harness: by a status, or by a
    name."""

    def __init__(self, marks):
        names = (BEGUN, LOST, *marks)
        self.places = {name: STATUSES + number for number, name in enumerate(names)}
        self.cells = FORK.RawArray("q", STATUSES + len(names))

    def place(self, what):
        return what if isinstance(what, int) else self.places[what]

    def add(self, what, number=1):
        self.cells[self.place(what)] += number

    def __getitem__(self, what):
        return self.cells[self.place(what)]

    def statuses(self):
        return {status: count for status, count in enumerate(self.cells[:STATUSES]) if count}

    def unexpected(self, *wanted):
        """The answers that have another status, as faults."""
        return [f"the attacker saw {count} × {status}" for status, count in self.statuses().items()
                if status not in wanted]


class Assault:
    """An attack under way; as a context it is over at the end."""

    def __init__(self, attack, server):
        self.attack, self.told = attack, Told(attack.marks)
        self.process = FORK.Process(target=carry_out, args=(attack, server, self.told, os.getpid()),
                                    daemon=True)

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.join()

    def wait_until_begun(self):
        until(lambda: self.goes_on() and self.told[BEGUN] >= self.attack.needed,
              f"an attack under way, begun {self.attack.needed} times")

    def wait_until_shown(self):
        until(lambda: self.goes_on() and self.attack.has_shown(self.told),
              "an attack that has shown something")

    def goes_on(self):
        check(self.process.is_alive(),
              f"the attacker ended by itself, status {self.process.exitcode}")
        return True


def leave_signals_to_harness():
    """In a process that the harness ends, however it ends itself."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def carry_out(attack, server, told, harness):
    """In the process of the attacker."""
    leave_signals_to_harness()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(go_while(attack.go(server, told), harness))


async def go_while(attack, harness):
    """Attacks as long as the harness is there, even if that was killed."""
    going = asyncio.ensure_future(attack)
    while os.getppid() == harness:
        done, _ = await asyncio.wait([going], timeout=0.5)
        if done:
            going.result()
            raise RuntimeError("the attack has ended")
    os._exit(1)
