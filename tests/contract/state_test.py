"""PUT /v1/batches/{id}/state: the rows that are answered with 200, 202 and 409."""

import shapes
from checks import check, equal, one_of
from client import unchanged
from suite import test

WORDS = ("created", "running", "cancelling", "completed", "failed", "expired")


def first_cancel(answer, batch, previous="running"):
    """The answer to the request that closed the gate."""
    equal(answer.is_(200).body.get("message"), "Batch cancelled successfully", "message")
    return shapes.state(answer.data, batch_id=batch, previous_state=previous,
                        current_state="cancelled", changed=True)


def still_stopping(answer, batch, previous, changed):
    """A 202."""
    equal(answer.is_(202).body.get("message"), "Batch is being cancelled", "message")
    answer.header("Location", f"/v1/batches/{batch}/state")
    check(answer.header("Retry-After").isdigit(), "Retry-After is no number of seconds")
    return shapes.state(answer.data, batch_id=batch, previous_state=previous,
                        current_state="cancelling", changed=changed)


@test
def cancels_running(suite):
    """200 on a running batch: changed, the whole account, the first cancel's block"""
    batch = suite.client.sleeping(jobs=6)

    data = first_cancel(suite.client.change(batch, {"state": "cancelled", "reason": "wrong input"}),
                        batch)

    equal({name: n for name, n in data["jobs"].items() if n},
          {"total": 6, "stopped": 2, "not_started": 4}, "the account")
    cancel = data["cancel"]
    for name, value in (("mode", "graceful"), ("grace_ms", 2000), ("cause", "user"),
                        ("reason", "wrong input"), ("escalated", None)):
        equal(cancel[name], value, name)
    check(cancel["requested_by"], "requested_by is empty")
    over_by = shapes.moment(cancel["deadline_at"]) - shapes.moment(cancel["requested_at"])
    check(3.0 <= over_by.total_seconds() < 60, f"deadline_at lies {over_by} after requested_at")


@test
def cancels_created(suite):
    """200 on a created batch: straight to cancelled, also with respond-async and mode drain"""
    suite.client.sleeping(jobs=2)
    for body, headers in (({}, {}), ({}, {"Prefer": "respond-async"}),
                          ({"mode": "drain"}, {"Prefer": "wait=0"})):
        batch = suite.client.create("sleep", [1] * 5)

        data = first_cancel(suite.client.change(batch, body, headers=headers), batch, "created")

        equal(data["jobs"]["not_started"], 5, "not_started")


@test
def never_started_jobs(suite):
    """jobs that a cancel kept from starting ended at requested_at; none started later"""
    batch = suite.client.sleeping(jobs=20)

    requested = suite.client.change(batch).data["cancel"]["requested_at"]

    entries = suite.client.results(batch)
    equal([entry["job"] for entry in entries], list(range(20)), "the jobs")
    for entry in entries:
        equal(entry["status"], "cancelled", "status")
        if entry["disposition"] == "not_started":
            equal(entry["ended_at"], requested, "ended_at")
        else:
            equal(entry["disposition"], "stopped", "disposition")
            check(entry["started_at"] <= requested <= entry["ended_at"], f"{requested}: {entry}")


@test
def respond_async(suite):
    """202 while jobs still run: Retry-After, Location, Preference-Applied"""
    for prefer, applied in (("respond-async", ("respond-async",)), ("wait=0", ("wait=0",)),
                            ("respond-async, wait=0", ("wait=0", "respond-async, wait=0")),
                            ("Wait = 0", ("wait=0",)),
                            ("wait=1", ("wait=1",)), ("respond-async, wait=1", ("wait=1",))):
        batch = suite.client.sleeping(jobs=3)

        answer = suite.client.change(batch, {"mode": "drain"}, headers={"Prefer": prefer})

        data = still_stopping(answer, batch, "running", True)
        one_of(answer.header("Preference-Applied"), applied, "Preference-Applied")
        equal(data["jobs"]["still_running"], 2, "still_running")
        equal(data["jobs"]["not_started"], 1, "not_started")
        found = suite.client.get(answer.header("Location")).is_(200).data
        equal((found["current_state"], found["jobs"]), ("cancelling", data["jobs"]), "Location")
        suite.client.clean()


@test
def respond_async_ended(suite):
    """respond-async is answered with 200 where the batch has ended by then"""
    batch = suite.client.sleeping(jobs=3)
    suite.client.change(batch)

    answer = suite.client.change(batch, headers={"Prefer": "respond-async"})

    shapes.state(answer.is_(200).data, changed=False, current_state="cancelled")


@test
def prefer_ignored(suite):
    """a Prefer that can't be understood is ignored"""
    for prefer in ("wait=abc", "wait=-1", "wait", "wait=", "respond-async=x y", "handling=lenient",
                   "\"", ",,;", "wait=0x0", "ẅait=0".encode()):
        batch = suite.client.sleeping(jobs=2)

        answer = suite.client.change(batch, headers={"Prefer": prefer})

        first_cancel(answer, batch)
        equal(answer.headers.get("Preference-Applied"), None, f"Preference-Applied for {prefer!r}")


@test
def waits_at_most(suite):
    """without Prefer, and with a long wait, the answer comes after --wait-max: 202"""
    with suite.start("--wait-max", "1") as server:
        client = suite.client_of(server)
        for headers in ({}, {"Prefer": "wait=3600"}, {"Prefer": "wait=99999999999999999999"}):
            batch = client.sleeping(jobs=2)

            answer = client.change(batch, {"mode": "drain"}, headers=headers)

            still_stopping(answer, batch, "running", True)
            client.clean()


@test
def no_wait(suite):
    """with --wait-max 0 a cancel is answered as soon as the disk has it"""
    with suite.start("--wait-max", "0", data=suite.folder / "data-no-wait") as server:
        client = suite.client_of(server)
        for _ in range(5):
            answer = client.change(client.sleeping(jobs=2))
            one_of(answer.status, (200, 202), answer.text)


@test
def repeated_on_cancelling(suite):
    """a repeat on cancelling: changed false, nothing new in the block; 200 once it has ended"""
    batch = suite.client.sleeping(jobs=3)
    asynchronous = {"Prefer": "respond-async"}
    first = suite.client.change(batch, {"mode": "drain", "reason": "one"}, headers=asynchronous)

    again = suite.client.change(batch, {"mode": "drain", "reason": "two"}, headers=asynchronous)
    data = still_stopping(again, batch, "cancelling", False)
    equal(data["cancel"], first.data["cancel"], "the block")

    ended = suite.client.change(batch, {"mode": "immediate"}).is_(200)
    shapes.state(ended.data, previous_state="cancelling", current_state="cancelled", changed=False)
    equal(ended.body["message"], "Batch was already cancelled", "message")


@test
def repeated_on_cancelled(suite):
    """a repeat on cancelled: 200, previous = current, the first cancel's block, nothing changed"""
    batch = suite.client.sleeping()
    first = suite.client.change(batch, {"reason": "first"}).data
    equal(first["cancel"]["reason"], "first", "reason")
    before = suite.client.results(batch)

    for body in ({}, {"mode": "immediate", "reason": "x"}, {"mode": "drain"}, {"grace_ms": 0}):
        answer = suite.client.change(batch, body).is_(200)
        equal(answer.body["message"], "Batch was already cancelled", "message")
        data = shapes.state(answer.data, previous_state="cancelled", current_state="cancelled",
                            changed=False)
        for name in ("cancel", "timestamp", "jobs"):
            equal(data[name], first[name], name)
    equal(suite.client.results(batch), before, "the results")


@test
def refused_on_completed(suite):
    """409 batch_already_finished on a completed batch, with its state and end"""
    batch = suite.client.run("sleep", [0, 0])
    ended = suite.client.status(batch)["timing"]["ended_at"]

    with unchanged(suite.client, batch):
        for body, query in (({}, ""), ({"mode": "drain"}, ""), ({}, "?dry_run=true")):
            answer = suite.client.change(batch, body, query).is_(409, "batch_already_finished")
            equal(answer.details, {"current_state": "completed", "finished_at": ended}, "details")


@test
def other_states(suite):
    """409 transition_not_allowed for every other known state, on whatever batch"""
    client = suite.client
    completed = client.run("sleep", [0])
    cancelled = client.sleeping(jobs=2)
    client.change(cancelled)
    running = client.sleeping(jobs=3)
    created = client.create("sleep", [0])
    cancelling = running
    for batch, state, allowed in ((completed, "completed", [[]]),
                                  (running, "running", [["cancelled"]]),
                                  (created, "created", [["cancelled"]]),
                                  (cancelled, "cancelled", [[], ["cancelled"]])):
        with unchanged(client, batch):
            for word in WORDS:
                answer = client.change(batch, {"state": word}).is_(409, "transition_not_allowed")
                shapes.members(answer.details, {"from": str, "to": str, "allowed": list}, "details")
                equal((answer.details["from"], answer.details["to"]), (state, word), "from, to")
                one_of(answer.details["allowed"], allowed, "allowed")
    client.change(cancelling, {"mode": "drain"}, headers={"Prefer": "wait=0"}).is_(202)
    answer = client.change(cancelling, {"state": "running"}).is_(409, "transition_not_allowed")
    equal(answer.details["from"], "cancelling", "from")


@test
def same_bodies(suite):
    """none, {}, cancelled and canceled are the same body, with whatever media type is JSON"""
    client, json_type = suite.client, "application/json"
    bodies = ((None, None), (None, "text/plain"), (b"", "application/xml"), (b"{}", json_type),
              (b"{}", None), (b' { "state" : "cancelled" }\r\n', json_type),
              (b'{"state":"canceled"}', json_type), (b'{"state":"cancelled"}', None),
              (b'{"mode":"graceful"}', "Application/JSON; charset=utf-8"),
              (b'{"state":"\\u0063ancelled"}', json_type),
              (b"{}", "application/json;charset=UTF-8"), (b"{}", "application/vnd.api+json"),
              (b'{"mode":"graceful"}', "Application/Merge-Patch+JSON; charset=utf-8"))
    for body, media in bodies:
        batch = client.sleeping(jobs=2)
        headers = {"Content-Type": media} if media else {}

        data = first_cancel(client.change(batch, data=body, headers=headers), batch)

        equal((data["cancel"]["mode"], data["cancel"]["reason"]), ("graceful", None), f"of {body}")


@test
def reasons(suite):
    """a reason of 1024 characters is kept as it is, non-ASCII too; a bearer key cancels"""
    for reason in ("r", "x" * 1024, "ü" * 1024, "🧗" * 1024, "a\"\\\n\t\u2028שלום"):
        batch = suite.client.sleeping(jobs=2)

        answer = suite.client.change(batch, {"reason": reason}, key=None,
                                     headers={"Authorization": f"Bearer {suite.client.key}"})

        equal(first_cancel(answer, batch)["cancel"]["reason"], reason, "reason")


@test
def dry_run(suite):
    """dry_run shows the counts that a cancel would give, and changes nothing"""
    client = suite.client
    batch = client.sleeping(jobs=5)
    with unchanged(client, batch):
        for body in ({}, {"mode": "immediate"}, {"grace_ms": 1, "reason": "x"}, {"mode": "drain"}):
            data = dict(client.change(batch, body, "?dry_run=true").is_(200).data)
            equal(data.pop("dry_run", None), True, "dry_run")
            shapes.state(data, batch_id=batch, previous_state="running", current_state="running",
                         changed=False, cancel=None)
            jobs = data["jobs"]
            equal((jobs["pending"], jobs["not_started"], jobs["still_running"]), (0, 3, 2),
                  "counts")
    first_cancel(client.change(batch, {}, "?dry_run=false"), batch)

    after = dict(client.change(batch, {}, "?dry_run=true").is_(200).data)
    equal(after.pop("dry_run", None), True, "dry_run")
    shapes.state(after, previous_state="cancelled", current_state="cancelled", changed=False)


@test
def dry_run_refused(suite):
    """dry_run answers 409 and 400 where the real call would"""
    client = suite.client
    completed = client.run("sleep", [0])
    client.change(completed, {}, "?dry_run=true").is_(409, "batch_already_finished")
    batch = client.sleeping(jobs=2)
    with unchanged(client, batch):
        query = "?dry_run=true"
        client.change(batch, {"state": "running"}, query).is_(409, "transition_not_allowed")
        client.change(batch, {"mode": "slow"}, query).is_(400, "invalid_request", "mode")
        client.change(batch, {}, "?dry_run=yes").is_(400, "invalid_request", "dry_run")
        client.change(batch, {}, "?dryrun=true").is_(400, "invalid_request", "dryrun")
        client.change(batch, {}, "?dry_run=true&dry_run=false").is_(400, "invalid_request",
                                                                    "dry_run")


@test
def reads_state(suite):
    """GET …/state shows each state as PUT does, with cancel null where there is none"""
    client = suite.client
    ended = client.run("sleep", [0])
    equal((client.state(ended)["current_state"], client.state(ended)["cancel"]),
          ("completed", None), "of an ended batch")
    batch = client.sleeping(jobs=4)
    waiting = client.create("sleep", [0])
    equal(client.state(waiting)["current_state"], "created", "current_state")
    data = client.state(batch)
    equal((data["current_state"], data["cancel"], data["jobs"]["pending"]), ("running", None, 2),
          "of a running batch")

    put = client.change(batch, {"mode": "drain"}, headers={"Prefer": "respond-async"}).data
    seen = client.state(batch)

    for name in ("current_state", "timestamp", "cancel", "jobs"):
        equal(seen[name], put[name], name)


@test
def times_in_order(suite):
    """timing: created, started, ended in order; timestamp is when the state was entered"""
    client = suite.client
    batch = client.sleeping(jobs=2)
    timing = client.status(batch)["timing"]
    check(timing["created_at"] <= timing["started_at"], f"{timing}")
    equal(client.state(batch)["timestamp"], timing["started_at"][:19] + "Z", "timestamp")

    cancel = client.change(batch).data["cancel"]

    timing = client.status(batch)["timing"]
    check(timing["started_at"] <= cancel["requested_at"] <= cancel["finished_at"], f"{cancel}")
    equal(timing["ended_at"], cancel["finished_at"], "ended_at")
