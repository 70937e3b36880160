"""When what of a cancel came to pass: the block `moments`, and Server-Timing."""

import re

from checks import check, equal
from suite import test

IN_ORDER = ("recorded_us", "interrupted_us", "last_job_ended_us", "sealed_us")


def timing_of(answer):
    """Server-Timing, in microseconds."""
    return {f"{name}_us": round(float(milliseconds) * 1000) for name, milliseconds
            in re.findall(r"(\w+);dur=([0-9.]+)", answer.header("Server-Timing"))}


def check_moments(answer, wanted):
    moments = answer.data["cancel"]["moments"]
    equal([name for name in IN_ORDER if moments[name] is not None], wanted, "the moments that there are")
    found = [moments[name] for name in wanted]
    equal(found, sorted(found), "the moments are in order")
    equal(timing_of(answer), {name: moments[name] for name in wanted}, "Server-Timing")
    return moments


@test
def moments(suite):
    """a cancel has its moments, also after a restart, and its answer says them as Server-Timing"""
    data = suite.folder / "moments"
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=6)
        told = check_moments(client.change(batch).is_(200), list(IN_ORDER))
        equal(client.status(batch)["cancel"]["moments"], told, "what the batch shows")

        idle = client.sleeping(jobs=2)
        pending = client.create("sleep", [1] * 5)
        check_moments(client.change(pending).is_(200), ["recorded_us", "sealed_us"])

        drained = client.change(idle, {"mode": "drain"}, headers={"Prefer": "respond-async"}).is_(202)
        check_moments(drained, ["recorded_us"])
        hurried = check_moments(client.change(idle, {"mode": "immediate"}).is_(200), list(IN_ORDER))
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        for one, known in ((batch, told), (idle, hurried)):
            equal(client.state(one)["cancel"]["moments"], {**known, "sealed_us": None},
                  "after a restart all but the moment after the last commit is known")
    client = suite.client
    completed = client.run("sleep", [0])
    equal(client.status(completed)["cancel"], None, "no cancel, no moments")
    check("Server-Timing" not in client.get(f"/v1/batches/{batch}").headers, "only a cancel has Server-Timing")
