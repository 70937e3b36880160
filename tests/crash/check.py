"""Holds a restarted server against the record."""

import shapes
from checks import check, equal, one_of, until

from record import ENDED_BATCH, ENDED_JOB


def verify(client, record):
    """Every promise of the record. What was found."""
    resolve(client, record)
    found = {}
    listed = list_all(client)
    known = {batch.id for batch in record.all()}
    equal(sorted(known - set(listed)), [], "what was acknowledged and is not there (G2)")
    equal(sorted(set(listed) - known), [], "what is there and was never asked for")
    equal(len(listed), len(known), "how many are listed")
    for batch in record.all():
        try:
            state = verify_batch(client, batch)
        except AssertionError as fault:
            raise type(fault)(f"{fault}; it is now {client.state(batch.id)}, and was told of "
                              f"{batch}") from None
        found[state] = found.get(state, 0) + 1
    verify_operations(client, record)
    return ", ".join(f"{count} {state}" for state, count in sorted(found.items())) or "nothing"


def verify_operations(client, record):
    """An acknowledged cancel of many batches is there, and comes to its end whatever was killed."""
    for operation, batches in record.operations.items():
        path = f"/v1/operations/{operation}"
        until(lambda: client.get(path).is_(200).data["finished_at"], f"the end of {operation}")
        for batch in batches:
            state = client.state(batch.id)
            one_of(state["current_state"], ENDED_BATCH, f"the state of {batch}, cancelled by {operation} (G2)")
            batch.saw_state(state)


def resolve(client, record):
    """Creations that were not answered: repeated, they are there once."""
    for creation in list(record.unanswered):
        answer = creation.send(client).is_(202)
        record.answered(creation)
        equal(answer.data["total"], creation.total, "total of a repeated creation")
        record.made(answer.data["batch_id"], creation.total, creation.digests)


def list_all(client):
    ids, cursor = [], ""
    while True:
        data = client.get(f"/v1/batches?limit=1000{cursor}").is_(200).data
        ids += [entry["batch_id"] for entry in data["batches"]]
        if data["next_cursor"] is None:
            return ids
        cursor = f"&cursor={data['next_cursor']}"


def verify_batch(client, batch):
    state = client.state(batch.id)  # its account is checked on the way (G6)
    equal(state["jobs"]["total"], batch.total, "total")
    if batch.final:
        verify_ended(state, batch.final, "of a batch that was shown ended (G3)")
    verify_cancel(client, batch, state)
    jobs = jobs_of(client, batch)
    verify_jobs(batch, jobs)
    now = client.state(batch.id)
    if now["cancel"]:
        verify_no_late_start(batch, jobs_of(client, batch), now)
    batch.saw_state(now)
    if now["current_state"] == "completed":
        equal(now["jobs"]["pending"] + now["jobs"]["still_running"], 0, "open jobs at the end")
    return now["current_state"]


def verify_ended(state, shown, what):
    """What was shown of an ended batch is as it was, but for when its last commit was done: no record can
    have that of itself."""
    for name, value in shown.items():
        if name == "cancel" and value:
            moments = dict(value["moments"])
            last = ["sealed_us"] + (["recorded_us"] if moments["last_job_ended_us"] is None else [])
            for moment in last:
                if state["cancel"] and state["cancel"]["moments"][moment] is None:
                    moments[moment] = None
            value = {**value, "moments": moments}
        equal(state[name], value, f"{name} {what}")


def verify_cancel(client, batch, state):
    """G2, and that a cancel which was refused changed nothing."""
    if batch.cancel and batch.cancel["cause"] == "user":
        check(state["cancel"], "an acknowledged cancel is gone (G2)")
        for name in ("requested_at", "mode", "grace_ms", "cause", "requested_by", "reason"):
            # A repeat may have made it stronger.
            if name in ("requested_at", "cause", "requested_by", "reason") or \
                    not state["cancel"]["escalated"]:
                equal(state["cancel"][name], batch.cancel[name], f"cancel.{name} (G2)")
        one_of(state["current_state"], ("cancelling", "cancelled"), "state of a cancelled batch")
        client.until_state(batch.id, "cancelled")
    elif not batch.cancel_asked:
        equal(state["cancel"], None, "a cancel that nobody asked for")
    elif batch.cancel_refused and batch.cancel_refused["outcome"] == "not_cancelled" \
            and not batch.cancel:
        equal(state["cancel"], None, "a cancel that was answered not_cancelled")


def jobs_of(client, batch):
    jobs, cursor = [], ""
    while True:
        data = client.get(f"/v1/batches/{batch.id}/jobs?limit=1000{cursor}").is_(200).data
        jobs += data["jobs"]
        if data["next_cursor"] is None:
            equal([job["job"] for job in jobs], list(range(batch.total)), "the jobs (G6)")
            return [shapes.job(job) for job in jobs]
        cursor = f"&cursor={data['next_cursor']}"


def verify_jobs(batch, jobs):
    for number, job in batch.ended.items():
        equal(jobs[number], job, f"job {number}, which was shown ended (G3)")
    for number, attempt in batch.running.items():
        if number in batch.ended:
            continue
        job = jobs[number]
        what = f"job {number}, shown running as attempt {attempt}: {job}"
        if job["state"] in ENDED_JOB:
            check(job["attempt"] >= attempt and job["disposition"] != "not_started"
                  or job["attempt"] > attempt, what)
        else:
            check(job["attempt"] > attempt, what)
    for number, told in batch.jobs_cancelled.items():
        job = jobs[number]
        check(job["state"] in ENDED_JOB, f"job {number}, whose cancel was acknowledged (G2): {job}")
        if told["current_state"] == "cancelled":
            equal((job["state"], job["disposition"]), ("cancelled", told["disposition"]),
                  f"job {number}, which was cancelled")
    for job in jobs:
        if batch.digests and job["state"] == "succeeded":
            equal(job["result"]["digest"], batch.digests[job["job"]], f"what was uploaded for job {job['job']}")
        if job["state"] in ENDED_JOB:
            batch.saw_job(job)
        elif job["state"] == "running":
            batch.running[job["job"]] = job["attempt"]


def verify_no_late_start(batch, jobs, state):
    """G1: nothing started after the cancel, and nothing will."""
    requested = state["cancel"]["requested_at"]
    for job in jobs:
        check(job["started_at"] is None or job["started_at"] <= requested,
              f"a start after {requested} (G1): {job}")
        check(job["state"] != "pending", f"a job that is queued again (G1): {job}")
    if state["current_state"] in ENDED_BATCH:
        check(all(job["state"] in ENDED_JOB for job in jobs), "open jobs in an ended batch")


def settle(client, record):
    """Cancels what is open; every batch ends, with a complete account."""
    for batch in record.all():
        state = client.state(batch.id)
        if state["current_state"] not in ENDED_BATCH:
            batch.cancel_asked = True
            answer = client.change(batch.id, {"mode": "immediate"})
            if answer.status != 409:
                one_of(answer.status, (200, 202), "the status of a cancel")
                batch.saw_cancel(answer.data)
    for batch in record.all():
        state = client.until_ended(batch.id)
        batch.saw_state(state)
        entries = client.results(batch.id)
        equal([entry["job"] for entry in entries], list(range(batch.total)), "the results (G6)")
