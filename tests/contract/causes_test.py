"""Batches that stop for another cause than a cancel: the deadline, fail_fast."""

import contextlib

import shapes
from checks import Cases, check, equal
from client import unchanged
from suite import test

HOUR = 3_600_000


def stopped(client, batch, state, cause):
    """The state of a batch that came to `state` without a cancel."""
    data = shapes.state(client.until_ended(batch), current_state=state)
    cancel = data["cancel"]
    equal((cancel["cause"], cancel["requested_by"], cancel["reason"], cancel["mode"]),
          (cause, None, None, "graceful"), "the block")
    equal(client.status(batch)["cancel"], cancel, "the block in the status")
    equal(cancel["finished_at"], client.status(batch)["timing"]["ended_at"], "finished_at")
    return data


def refuses_cancels(client, batch, state):
    ended = client.status(batch)["timing"]["ended_at"]
    with unchanged(client, batch), Cases() as table:
        for body, query in (({}, ""), ({"mode": "immediate"}, ""), ({}, "?dry_run=true")):
            with table.case(f"{body} {query}"):
                answer = client.change(batch, body, query).is_(409, "batch_already_finished")
                equal(answer.details, {"current_state": state, "finished_at": ended}, "details")
        answer = client.change(batch, {"state": "running"}).is_(409, "transition_not_allowed")
        equal(answer.details, {"from": state, "to": "running", "allowed": []}, "details")


def listed(client, name, state):
    found = client.get(f"/v1/batches?batch_name={name}&status={state}").is_(200).data["batches"]
    return [(batch["batch_id"], batch["status"]) for batch in found]


@contextlib.contextmanager
def endless(suite):
    """The path of a file that takes longer to read than any test."""
    path = suite.root / "endless"
    with open(path, "wb") as file:
        file.truncate(64 << 30)
    yield path.name
    path.unlink()


@test
def deadlines(suite):
    """deadline_ms: expired, with cause deadline; cancels come too late"""
    client = suite.client
    for deadline in (1, 200):
        name = f"deadline-{deadline}"
        batch = client.create("sleep", [HOUR] * 5, batch_name=name,
                              options={"deadline_ms": deadline})

        data = stopped(client, batch, "expired", "deadline")

        jobs = data["jobs"]
        equal(jobs["stopped"] + jobs["not_started"], 5, f"stopped and not_started of {jobs}")
        over_by = (shapes.moment(data["cancel"]["requested_at"])
                   - shapes.moment(client.status(batch)["timing"]["created_at"]))
        check(over_by.total_seconds() >= deadline / 1000, f"expired after {over_by}")
        refuses_cancels(client, batch, "expired")
        equal(listed(client, name, "expired"), [(batch, "expired")], "the list")
        equal(len(client.results(batch)), 5, "entries")


@test
def deadline_of_created(suite):
    """a batch that waits for a worker expires without having started"""
    client = suite.client
    client.sleeping(jobs=2)
    batch = client.create("sleep", [HOUR] * 3, options={"deadline_ms": 1})

    data = stopped(client, batch, "expired", "deadline")

    equal(data["jobs"]["not_started"], 3, "not_started")
    equal(client.status(batch)["timing"]["started_at"], None, "started_at")


@test
def deadline_in_back_off(suite):
    """a batch whose only job waits for a retry expires"""
    client = suite.client
    batch = client.create("sleep", [HOUR], options={
        "deadline_ms": 500, "timeout_ms": 1, "max_attempts": 2, "backoff_ms": HOUR, "backoff_max_ms": HOUR})

    data = stopped(client, batch, "expired", "deadline")

    jobs = data["jobs"]
    equal(jobs["not_started"] + jobs["stopped"], 1, f"not_started, or stopped at the start: {jobs}")


@test
def cancelled_before_its_deadline(suite):
    """a cancel before the deadline is a cancel; a batch that completes in time is completed"""
    client, options = suite.client, {"deadline_ms": HOUR}
    batch = client.sleeping(jobs=3, options=options)
    data = shapes.state(client.change(batch).is_(200).data, current_state="cancelled")
    equal(data["cancel"]["cause"], "user", "cause")
    equal(client.state(client.run("sleep", [0], options=options))["current_state"], "completed",
          "current_state")


@test
def fail_fast(suite):
    """fail_fast: the first failure stops the rest; failed, with cause fail_fast"""
    client, name = suite.client, "fail-fast"
    with endless(suite) as file:
        batch = client.create("checksum", [file, "missing", file], batch_name=name,
                              options={"failure_policy": "fail_fast"})

        data = stopped(client, batch, "failed", "fail_fast")

    equal({name: n for name, n in data["jobs"].items() if n},
          {"total": 3, "failed": 1, "stopped": 1, "not_started": 1}, "the account")
    refuses_cancels(client, batch, "failed")
    equal(listed(client, name, "failed"), [(batch, "failed")], "the list")


@test
def fail_fast_after_the_last_attempt(suite):
    """fail_fast: only a failure for good stops the batch; one that is continued completes"""
    client, options = suite.client, {"max_attempts": 3, "backoff_ms": 0, "timeout_ms": 1}
    batch = client.create("sleep", [HOUR], options={**options, "failure_policy": "fail_fast"})

    data = stopped(client, batch, "failed", "fail_fast")

    equal((data["jobs"]["failed"], client.job(batch, 0)["attempt"]), (1, 3), "failed, attempt")
    other = client.run("sleep", [HOUR, 0], options={**options, "failure_policy": "continue"})
    equal((client.state(other)["current_state"], client.state(other)["cancel"]),
          ("completed", None), "with continue")


@test
def fail_fast_by_time_out(suite):
    """fail_fast: a time-out is a failure like others"""
    client = suite.client
    batch = client.create("sleep", [HOUR] * 4,
                          options={"failure_policy": "fail_fast", "timeout_ms": 20})

    data = stopped(client, batch, "failed", "fail_fast")

    check(data["jobs"]["failed"] in (1, 2), f"{data['jobs']}")
    equal(client.status(batch)["errors"][0]["code"], "timeout", "code")


@test
def job_cancel_is_no_failure(suite):
    """fail_fast: the cancel of one job does not trip it"""
    client = suite.client
    batch = client.sleeping(jobs=3, options={"failure_policy": "fail_fast"})

    for job in (0, 2, 1):
        client.change_job(batch, job).is_(200)

    data = client.until_ended(batch)
    equal((data["current_state"], data["cancel"]), ("completed", None), "the batch")
