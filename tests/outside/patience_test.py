"""Behind proxies, where for a minute nothing is said."""

import concurrent.futures
import time

import shapes
from checks import DEADLINE, Cases, check, equal, until
from proxies import Caddy, Nginx, in_front_of, relayed
from proxy_test import drain
from suite import test
from wire import request, wire_to

WAIT_MS = 65_000   # what proxies wait for an answer unless told otherwise, and some


def long_wait(suite, kind):
    """A cancel is answered when its batch has ended, after more than a minute."""
    with in_front_of(suite, kind, suite.server) as proxy, wire_to(proxy) as wire:
        batch = proxy.client.create("sleep", [WAIT_MS])
        proxy.client.until_running(batch, 1)
        begin = time.monotonic()
        wire.socket.settimeout(WAIT_MS / 1000 + DEADLINE)
        data = wire.send(drain(proxy, batch)).answer().is_(200).data
        shapes.state(data, current_state="cancelled", changed=True)
        equal(data["jobs"]["late"], 1, "late")
        check(time.monotonic() - begin > 60, "the answer came within a minute")


def idle_connection(suite, kind):
    """The proxy ends an idle connection before the server does; a request that came then would
    be lost."""
    with relayed(suite, kind, suite.server) as (proxy, relay):
        with wire_to(proxy) as wire:
            wire.send(request(proxy, "GET", "/healthz")).answer().is_(200)
        until(lambda: relay.closed_by, f"the end of the idle connection of {kind.name}")
        equal(relay.closed_by, ["the proxy"], "who has closed it")
        with wire_to(proxy) as wire:
            wire.send(request(proxy, "GET", "/healthz")).answer().is_(200)
        equal(relay.connections, 2, "connections of the proxy")


@test
def patience(suite):
    """nginx and Caddy: a cancel that waits longer than a minute, and as long an idle connection"""
    tasks = [(task, kind) for task in (long_wait, idle_connection) for kind in (Nginx, Caddy)]
    with concurrent.futures.ThreadPoolExecutor(len(tasks)) as lanes, Cases() as table:
        for kind, done in [(kind, lanes.submit(task, suite, kind)) for task, kind in tasks]:
            with table.case(kind.name):
                done.result()
