"""Crashes at chosen places of a cancel: the server kills itself there."""

import signal

import requests

from checks import check, equal, one_of, until

from check import jobs_of, verify_ended
from record import Batch

JOBS, SHORT = 40, 10


def scenario(harness, name, times):
    """A batch with ended, running and pending jobs, whose cancel crashes the server, as the
    `times`-th cancel; gives what had been seen of it, and a server that was started again."""
    data = harness.folder / f"data-{name}-{times}"
    server = harness.start(data, f"{name}:{times}")
    client = harness.client_of(server)
    before = []
    for _ in range(times - 1):
        earlier = client.sleeping(jobs=4)
        before.append(client.change(earlier, {"mode": "immediate"}).is_(200).data)
    batch = Batch(client.create("sleep", [0] * SHORT + [3_600_000] * (JOBS - SHORT)), JOBS)
    # A job that has ended is shown as running until its end is durable.
    until(lambda: (jobs := client.state(batch.id)["jobs"])["succeeded"] == SHORT
          and jobs["still_running"] == 2, "ended and running jobs")
    for job in jobs_of(client, batch):
        batch.saw_job(job)
    equal((len(batch.ended), len(batch.running)), (SHORT, 2), "ended and running jobs")
    try:
        answer = client.change(batch.id, {"reason": "r"})
        check(False, f"the cancel was answered {answer.status}: the server was to die at {name}")
    except requests.ConnectionError:
        equal(server.wait_end(), -signal.SIGKILL, "how the server ended")
    server = harness.start(data)
    client = harness.client_of(server)
    for data in before:
        now = client.state(data["batch_id"])
        shown = {member: data[member] for member in ("current_state", "timestamp", "cancel", "jobs")}
        verify_ended(now, shown, "of the batch cancelled before")
    return server, client, batch


def kept(client, batch):
    """The jobs, of which those that had ended are unchanged (G3)."""
    jobs = jobs_of(client, batch)
    for number, job in batch.ended.items():
        equal(jobs[number], job, f"job {number}, which was shown ended (G3)")
    return jobs


def cancelled(client, batch):
    """It is cancelled: what ran is lost or stopped, the rest was never started."""
    state = client.until_state(batch.id, "cancelled")
    jobs = kept(client, batch)
    for job in jobs[SHORT:]:
        equal(job["state"], "cancelled", f"job {job['job']}")
        wanted = ("lost", "stopped") if job["job"] in batch.running else ("not_started",)
        one_of(job["disposition"], wanted, f"the disposition of job {job['job']}")
        check(job["started_at"] is None
              or job["started_at"] <= state["cancel"]["requested_at"], f"a late start: {job}")
    equal((state["cancel"]["reason"], state["cancel"]["cause"]), ("r", "user"), "the cancel")
    equal(len(client.results(batch.id)), JOBS, "results (G6)")
    counts = state["jobs"]
    return (f"cancelled: {counts['succeeded']} succeeded, {counts['lost']} lost, "
            f"{counts['stopped']} stopped, {counts['not_started']} not started")


def at_gate_closed(harness, name, times):
    """Not yet recorded: the batch goes on, or it is cancelled; no mixture."""
    server, client, batch = scenario(harness, name, times)
    try:
        state = client.state(batch.id)
        if state["cancel"]:
            return cancelled(client, batch)
        client.until_running(batch.id, 2)
        jobs = kept(client, batch)
        attempts = sorted(jobs[number]["attempt"] for number in batch.running)
        equal(attempts, [2, 2], "the attempts of what ran")
        data = client.change(batch.id, {"reason": "r"}).is_(200).data
        equal(data["current_state"], "cancelled", "the state")
        return "it goes on, what ran is attempt 2; a second cancel is taken"
    finally:
        server.kill()


def at_recorded(harness, name, times):
    """Recorded: it is cancelled after the restart."""
    server, client, batch = scenario(harness, name, times)
    try:
        return cancelled(client, batch)
    finally:
        server.kill()


def at_sealed(harness, name, times):
    """The terminal record is written: it is cancelled at once, with all results."""
    server, client, batch = scenario(harness, name, times)
    try:
        equal(client.state(batch.id)["current_state"], "cancelled", "the state at the restart")
        said = cancelled(client, batch)
        equal(client.state(batch.id)["jobs"]["lost"], 0, "lost")
        return said
    finally:
        server.kill()


def at_start(harness, name, times):
    """Starts that are killed while they take up what a crash left: it is counted once."""
    data = harness.folder / f"data-{name}-{times}"
    server = harness.start(data)
    client = harness.client_of(server)
    batches = [Batch(client.create("sleep", [3_600_000]), 1) for _ in range(2)]
    for batch in batches:
        client.until_running(batch.id, 1)
    server.kill()
    for _ in range(times):
        equal(harness.launch(data, f"{name}:1").wait_end(), -signal.SIGKILL, "how a start ended")
    server = harness.start(data)
    try:
        client = harness.client_of(server)
        for batch in batches:
            client.until_running(batch.id, 1)
            equal(jobs_of(client, batch)[0]["attempt"], 2, f"the attempt of the job of {batch.id}")
            client.change(batch.id, {"mode": "immediate"}).is_(200)
        return f"{times} starts were killed, and the jobs run their second attempts"
    finally:
        server.kill()


def at_operation(harness, name, times):
    """A cancel of many batches, recorded: all of them are cancelled, and nothing of them starts anew."""
    data = harness.folder / f"data-{name}-{times}"
    server = harness.start(data, f"{name}:{times}")
    client = harness.client_of(server)
    batches = [client.create("sleep", [3_600_000] * 2) for _ in range(times + 4)]
    client.until_running(batches[0], 2)
    try:
        answer = client.call("POST", "/v1/batches/cancel", json={"filter": {"type": "sleep"}, "reason": "r"})
        check(False, f"the cancel was answered {answer.status}: the server was to die at {name}")
    except requests.ConnectionError:
        equal(server.wait_end(), -signal.SIGKILL, "how the server ended")
    server = harness.start(data)
    try:
        client = harness.client_of(server)
        operation = client.get("/v1/operations").is_(200).data["operations"][0]
        path = f"/v1/operations/{operation['operation_id']}"
        until(lambda: client.get(path).data["finished_at"], "the end of the operation")
        equal(client.get(path).data["counts"]["cancelled"], len(batches), "how many were cancelled")
        for id in batches:
            batch = Batch(id, 2)
            state = client.state(id)
            equal((state["current_state"], state["cancel"]["reason"]), ("cancelled", "r"), "a batch")
            for job in jobs_of(client, batch):
                equal(job["attempt"], 1, f"a start after the crash: {job}")
                check(job["started_at"] is None or job["started_at"] <= state["cancel"]["requested_at"],
                      f"a late start: {job}")
        return f"{len(batches)} batches are cancelled"
    finally:
        server.kill()


POINTS = [("crash_read", 2, at_start), ("crash_counted", 1, at_start)]
POINTS += [("operation_cancel", 1, at_operation), ("operation_cancel", 300, at_operation)]
POINTS += [(name, times, check_) for name, check_ in (
    ("gate_closed", at_gate_closed), ("cancel_recorded", at_recorded),
    ("interrupted", at_recorded), ("sealed", at_sealed)) for times in (1, 2)]
