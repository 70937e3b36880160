"""Memory runs out."""

import json
import pathlib
import resource

from checks import one_of, until
from suite import test


def address_space(pid):
    """How much of it a process has, in bytes."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes, = (line.split()[1] for line in lines if line.startswith("VmSize:"))
    return int(kilobytes) * 1024


@test
def used_up(suite):
    """no memory: new batches get 503, cancels are answered; and once there is some it goes on"""
    with suite.start() as server:
        client = suite.client_of(server)
        victim = client.sleeping()
        large = json.dumps({"type": "checksum", "inputs": ["x" * 4000] * 1700})

        def create():
            answer = client.call("POST", "/v1/batches", data=large,
                                 headers={"Content-Type": "application/json"})
            one_of(answer.status, (202, 503), f"the status of a creation: {answer.text[:300]}")
            return answer

        limit = (address_space(server.pid), resource.RLIM_INFINITY)
        resource.prlimit(server.pid, resource.RLIMIT_AS, limit)

        until(lambda: create().status == 503, "a creation that is refused")
        until(lambda: "memory has run out" in server.stderr(), "a line on stderr")
        client.get("/readyz", key=None).is_(503, "unavailable")
        client.change(victim).is_(200)

        resource.prlimit(server.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
        until(lambda: "there is memory again" in server.stderr(), "a line on stderr")
        client.get("/readyz", key=None).is_(200)
        create().is_(202)
        client.run("sleep", [0])
