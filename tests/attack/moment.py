"""Each attack for a moment: statuses, memory and descriptors, but no times."""

import time

from attack import Assault
from checks import Cases, check, until
from peer import Peer
from usage import Usage

SECONDS = 0.5            # how long an attack goes on, at least
BATCHES = 3              # how many fresh ones are cancelled meanwhile, at least
OVER_IDLE_MB = 64
DESCRIPTORS_LEFT = 8


def play(attack, harness):
    """Fails for all that was wrong."""
    with harness.started(attack) as server, Cases() as table:
        peer = Peer(server)
        attack.prepare(peer)
        attack.begin(peer)
        waiting = [peer.must_create() for _ in range(BATCHES)]
        peer.close()
        usage = Usage(server.pid)
        with table.case("meanwhile"), Assault(attack, server) as assault:
            assault.wait_until_begun()
            ask_around(peer, waiting, usage)
            assault.wait_until_shown()
        peer.close()
        usage.look()
        with table.case("afterwards"):
            look_back(attack, server, peer, usage)
        table.faults += attack.faults(assault.told)
        look_at_server(table, attack, server, usage)


def ask_around(peer, waiting, usage):
    """Cancels fresh batches, each on a connection of its own, and asks how the server is."""
    end, cancelled = time.monotonic() + SECONDS, 0
    while cancelled < BATCHES or time.monotonic() < end:
        peer.is_well("/healthz")
        peer.is_well("/readyz")
        peer.must_cancel(waiting.pop(0))
        cancelled += 1
        usage.look()
        waiting.append(peer.must_create())


def look_back(attack, server, peer, usage):
    """Whether what the attack has held is free again."""
    attack.release(peer)
    peer.close()
    most = usage.idle_descriptors + DESCRIPTORS_LEFT
    until(lambda: not server.alive() or usage.descriptors() <= most,
          f"at most {most} descriptors, as before the attack")
    attack.finish(peer)
    peer.close()


def look_at_server(table, attack, server, usage):
    with table.case("the server"):
        check(server.alive(), f"it has ended, status {server.process.poll()}")
    with table.case("memory"):
        over = usage.over_idle_mb()
        check(over <= OVER_IDLE_MB, f"{over:.0f} MB over idle, not at most {OVER_IDLE_MB}")
    if attack.descriptors_max is not None:
        with table.case("descriptors"):
            over = usage.most_descriptors - usage.idle_descriptors
            check(over <= attack.descriptors_max,
                  f"{over} over idle, not at most {attack.descriptors_max}")
    with table.case("the log"):
        lines = sum("\t{" not in line for line in server.stderr().splitlines())  # of cancels there is one each
        check(lines <= attack.log_lines_max, f"{lines} lines, not at most {attack.log_lines_max}")
