"""PUT /v1/batches/{id}/jobs/{n}/state: the same table for one job."""

import shapes
from checks import Cases, check, equal, one_of
from client import unchanged
from suite import test

UNKNOWN = "batch-" + "0" * 26
# "%31" is a plain 1 again once it has been decoded.
BAD_NUMBERS = ["6", "7", "1000000", "18446744073709551616", "9" * 40, "-1", "-0", "+1", "01", "00",
               "1.0", "1e0", "0x1", "a", "1a", "%201", "1%20", "1_0", "", "%D9%A1", "1,2", "*"]


def job_data(answer, status, batch, job, **wanted):
    data = answer.is_(status).data
    shapes.members(data, shapes.JOB_STATE, "data")
    for name, value in {"batch_id": batch, "job": job, **wanted}.items():
        equal(data[name], value, name)
    return data


@test
def cancels_pending(suite):
    """a pending job: cancelled(not_started) at once, never started; the others untouched"""
    client = suite.client
    batch = client.sleeping(jobs=6)

    data = job_data(client.change_job(batch, 4, {"state": "cancelled"}), 200, batch, 4,
                    previous_state="pending", current_state="cancelled",
                    disposition="not_started", changed=True)

    job = client.job(batch, 4)
    equal((job["state"], job["disposition"], job["started_at"]), ("cancelled", "not_started", None),
          "the job")
    equal(data["timestamp"], job["ended_at"][:19] + "Z", "timestamp")
    status = client.status(batch)
    equal(status["jobs"], {"total": 6, "pending": 3, "running": 2, "succeeded": 0, "failed": 0,
                           "cancelled": 1}, "jobs")
    equal((status["status"], status["cancel"]), ("running", None), "the batch")


@test
def cancels_running(suite):
    """a running job: stopped; another takes its place, the batch goes on"""
    client = suite.client
    batch = client.sleeping(jobs=4)

    job_data(client.change_job(batch, 1), 200, batch, 1, previous_state="running",
             current_state="cancelled", disposition="stopped", changed=True)

    job = client.job(batch, 1)
    equal((job["disposition"], job["error"], job["late"]), ("stopped", None, False), "the job")
    client.until_running(batch, 2)
    equal(client.status(batch)["status"], "running", "status")


@test
def cancelled_before(suite):
    """a job that is cancelled already: 200, changed false, the first one's end"""
    client = suite.client
    batch = client.sleeping(jobs=4)
    for job, disposition in ((0, "stopped"), (3, "not_started")):
        first = client.change_job(batch, job).is_(200).data
        before = client.job(batch, job)

        data = job_data(client.change_job(batch, job, {"mode": "immediate"}), 200, batch, job,
                        previous_state="cancelled", current_state="cancelled",
                        disposition=disposition, changed=False)

        equal(data["timestamp"], first["timestamp"], "timestamp")
        equal(client.job(batch, job), before, "the job")
    client.change(batch).is_(200)
    cancelled = client.sleeping(jobs=3)
    client.change(cancelled).is_(200)
    job_data(client.change_job(cancelled, 2), 200, cancelled, 2, previous_state="cancelled",
             current_state="cancelled", disposition="not_started", changed=False)


@test
def keeps_who_and_why(suite):
    """a job cancelled alone shows who, why, when and how in every view of it; others show null"""
    client = suite.client
    batch = client.sleeping(jobs=6)
    caller = client.change(client.create("sleep", [0])).is_(200).data["cancel"]["requested_by"]
    wanted = {"mode": "graceful", "reason": "wrong input", "requested_by": caller}
    for job in (0, 4):
        client.change_job(batch, job, {"reason": "wrong input"}).is_(200)
        client.change_job(batch, job, {"reason": "again", "mode": "immediate"}).is_(200)

    for job in (0, 4):
        cancel = client.job(batch, job)["cancel"]
        equal({name: cancel[name] for name in wanted}, wanted, "cancel")
        check(cancel["requested_at"] <= client.job(batch, job)["ended_at"], "it ended afterwards")
    equal(client.job(batch, 4)["cancel"]["requested_at"], client.job(batch, 4)["ended_at"],
          "requested_at of a job that never started")
    client.change(batch, {"reason": "all of it"}).is_(200)
    path = f"/v1/batches/{batch}"
    for listed in (client.get(f"{path}/jobs").is_(200).data["jobs"],
                   client.get(f"{path}/results").is_(200).data["job_results"]):
        equal([entry["job"] for entry in listed if entry["cancel"] is not None], [0, 4], "cancelled")
        equal([entry["cancel"]["reason"] for entry in listed if entry["cancel"]],
              ["wrong input"] * 2, "reason")


@test
def ended_before(suite):
    """409 job_already_finished on a job that succeeded or failed"""
    client = suite.client
    batch = client.run("checksum", ["a.txt", "missing"])
    for job, state in ((0, "succeeded"), (1, "failed")):
        before = client.job(batch, job)

        answer = client.change_job(batch, job).is_(409, "job_already_finished")

        equal(answer.details, {"current_state": state, "finished_at": before["ended_at"]},
              "details")
        equal(client.job(batch, job), before, "the job")


@test
def no_such_job(suite):
    """404 for a number outside the batch, or not plain decimal"""
    client = suite.client
    batch = client.sleeping(jobs=6)
    with unchanged(client, batch), Cases() as table:
        for number in BAD_NUMBERS:
            with table.case(number):
                client.change_job(batch, number).is_(404, "not_found")
                client.get(f"/v1/batches/{batch}/jobs/{number or '%20'}").is_(404, "not_found")
        client.change_job(UNKNOWN, 0).is_(404, "not_found")


@test
def bad_requests(suite):
    """400 with details.field, mode drain included; 401, 405, 413, 415 as for batches"""
    client = suite.client
    batch = client.sleeping(jobs=3)
    json_type = {"Content-Type": "application/json"}
    with unchanged(client, batch):
        for body, field in (({"mode": "drain"}, "mode"), ({"mode": "x"}, "mode"), ({"x": 1}, "x"),
                            ({"state": "gone"}, "state"), ({"state": 0}, "state"),
                            ({"grace_ms": 2000.0}, "grace_ms"), ({"grace_ms": -1}, "grace_ms"),
                            ({"mode": "immediate", "grace_ms": 1}, "grace_ms"),
                            ({"reason": "x" * 1025}, "reason")):
            client.change_job(batch, 0, body).is_(400, "invalid_request", field)
        client.change_job(batch, 0, data=b"{", headers=json_type).is_(400, "invalid_request")
        client.change_job(batch, 0, key=None).is_(401, "unauthorized")
        client.change_job(batch, 0, data=b"{}", headers={"Content-Type": "text/plain"}).is_(415)
        client.change_job(batch, 0, data=b" " * 100_000, headers=json_type).is_(413)
        path = f"/v1/batches/{batch}/jobs/99/state"
        client.call("DELETE", path).is_(405).header("Allow", "PUT")
        client.call("DELETE", path, key=None).is_(401)


@test
def other_states(suite):
    """409 transition_not_allowed for another known state of a job"""
    client = suite.client
    batch = client.sleeping(jobs=3)
    with unchanged(client, batch):
        for job, state in ((0, "running"), (2, "pending")):
            for word in ("pending", "running", "succeeded", "failed"):
                answer = client.change_job(batch, job, {"state": word})
                answer.is_(409, "transition_not_allowed")
                equal(answer.details, {"from": state, "to": word, "allowed": ["cancelled"]},
                      "details")
                check("batch" not in answer.body["message"].lower(),
                      f"the message speaks of a batch: {answer.body['message']}")


@test
def answered_early(suite):
    """respond-async on a running job: 202 and running, or 200 where it has stopped by then"""
    client = suite.client
    batch = client.sleeping(jobs=2)

    answer = client.change_job(batch, 0, headers={"Prefer": "respond-async"})

    one_of(answer.status, (200, 202), "the status")
    job_data(answer, answer.status, batch, 0, previous_state="running", changed=True,
             current_state="running" if answer.status == 202 else "cancelled")
    if answer.status == 202:
        answer.header("Retry-After")
        answer.header("Location")
    job_data(client.change_job(batch, 0), 200, batch, 0, current_state="cancelled",
             disposition="stopped", changed=False)


@test
def in_a_draining_batch(suite):
    """one job of a batch that drains can be stopped; the batch drains on"""
    client = suite.client
    batch = client.sleeping(jobs=3)
    client.change(batch, {"mode": "drain"}, headers={"Prefer": "respond-async"}).is_(202)

    job_data(client.change_job(batch, 0), 200, batch, 0, previous_state="running",
             current_state="cancelled", disposition="stopped", changed=True)

    data = client.state(batch)
    equal((data["current_state"], data["jobs"]["still_running"]), ("cancelling", 1), "the batch")
    client.change_job(batch, 1).is_(200)
    data = client.until_ended(batch)
    equal((data["current_state"], data["jobs"]["stopped"]), ("cancelled", 2), "the batch")


@test
def completes_the_batch(suite):
    """the batch completes when its last open job ends by a cancel, running or pending"""
    client = suite.client
    for order in ((0, 1, 2), (2, 1, 0)):
        batch = client.sleeping(jobs=3, running=1, options={"concurrency": 1})
        for job in order:
            client.change_job(batch, job).is_(200)

        data = client.until_ended(batch)

        equal((data["current_state"], data["cancel"]), ("completed", None), "the batch")
        jobs = data["jobs"]
        equal(jobs["stopped"] + jobs["not_started"], 3, "cancelled jobs")
        client.change(batch).is_(409, "batch_already_finished")
        equal([entry["status"] for entry in client.results(batch)], ["cancelled"] * 3, "results")


@test
def completes_created_batch(suite):
    """a batch none of whose jobs has started completes by single cancels too"""
    client = suite.client
    client.sleeping(jobs=2)
    batch = client.create("sleep", [0, 0])
    for job in (0, 1):
        job_data(client.change_job(batch, job), 200, batch, job, previous_state="pending")

    status = client.status(batch)

    equal((status["status"], status["jobs"]["cancelled"]), ("completed", 2), "the batch")
    equal(status["timing"]["started_at"], None, "started_at")
