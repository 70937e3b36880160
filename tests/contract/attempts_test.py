"""More attempts than one: retries, back-off, time-outs."""

import contextlib

import shapes
from checks import Cases, contains, equal, until
from suite import test

HOURS = {"max_attempts": 3, "backoff_ms": 36_000_000, "backoff_max_ms": 36_000_000}


@contextlib.contextmanager
def looking(suite):
    """The client of a server with a type that fails, with code exit, as long as a file is not there."""
    folder = suite.folder / "looked-at"
    folder.mkdir(exist_ok=True)
    (folder / "there").write_text("here")
    file = suite.folder / "look.toml"
    file.write_text(f'''
[type.look]
command = ["cat", "{folder}/{{name}}"]
inputs = {{ name = {{ kind = "choice", values = ["missing", "there", "later"] }} }}
''')
    file.chmod(0o600)
    with suite.start("--config", file) as server:
        yield suite.client_of(server)


def look_for(*names):
    return [{"name": name} for name in names]


def retried(client, batch):
    return client.get(f"/v1/batches/{batch}/results").is_(200).data["statistics"]["retried"]


def backing_off(client, options=HOURS, names=("missing",)):
    """A batch whose first job waits for hours for its second attempt."""
    batch = client.create("look", look_for(*names), options=options)
    until(lambda: (job := client.job(batch, 0))["attempt"] == 2 and job["state"] == "pending",
          "the back-off")
    return batch


@test
def all_attempts(suite):
    """a job that fails is tried max_attempts times, and has failed then; once unless said"""
    with looking(suite) as client:
        for options, attempts in (({"max_attempts": 3, "backoff_ms": 0}, 3), ({"max_attempts": 1}, 1),
                                  ({"max_attempts": 2, "backoff_ms": 1}, 2), ({}, 1)):
            batch = client.run("look", look_for("missing", "there"), options=options)

            status, job = client.status(batch), client.job(batch, 0)
            equal((status["status"], job["state"], job["attempt"], job["error"]["code"]),
                  ("completed", "failed", attempts, "exit"), f"{options}")
            equal((client.job(batch, 1)["state"], client.job(batch, 1)["attempt"]), ("succeeded", 1),
                  "the other job")
            equal(retried(client, batch), attempts - 1, "statistics.retried")
            equal([error["count"] for error in status["errors"]], [1], "the errors' counts")


@test
def succeeds_at_last(suite):
    """a job that succeeds at a later attempt has no error, and that attempt's number"""
    with looking(suite) as client:
        batch = client.create("look", look_for("later"), options={
            "max_attempts": 100, "backoff_ms": 100, "backoff_max_ms": 1000})
        until(lambda: client.job(batch, 0)["attempt"] > 1, "the second attempt")

        (suite.folder / "looked-at" / "later").write_text("here")

        client.until_ended(batch)
        job, status = client.job(batch, 0), client.status(batch)
        equal((job["state"], job["error"], status["errors"]), ("succeeded", None, []), "the end")
        equal(retried(client, batch), job["attempt"] - 1, "statistics.retried")


@test
def in_back_off(suite):
    """a job in back-off: pending, with its next attempt's number and the last error, no times"""
    with looking(suite) as client:
        batch = backing_off(client)

        job, status = client.job(batch, 0), client.status(batch)

        equal((job["state"], job["started_at"], job["ended_at"], job["error"]["code"]),
              ("pending", None, None, "exit"), "the job")
        contains(job["error"]["message"], "missing", "the message")
        equal(client.get(f"/v1/batches/{batch}/jobs?state=pending").data["jobs"], [job], "the list")
        equal((status["status"], status["jobs"]["pending"], status["errors"]), ("running", 1, []),
              "the batch")
        equal(client.get(f"/v1/batches/{batch}/results").data["job_results"], [], "the results")
        equal(retried(client, batch), 0, "statistics.retried")


@test
def cancelled_in_back_off(suite):
    """a job in back-off is not_started after a cancel, and keeps the last error"""
    with looking(suite) as client:
        batch = backing_off(client, names=("missing", "there"))
        until(lambda: client.job(batch, 1)["state"] == "succeeded", "the other job")
        before = client.job(batch, 0)

        data = shapes.state(client.change(batch).is_(200).data, previous_state="running",
                            current_state="cancelled", changed=True)

        job = client.job(batch, 0)
        equal((job["state"], job["disposition"], job["attempt"], job["started_at"], job["ended_at"]),
              ("cancelled", "not_started", 2, None, data["cancel"]["requested_at"]), "the job")
        equal(job["error"]["code"], "exit", "code")
        equal(job["error"], before["error"], "error")
        equal(client.results(batch)[0]["error"], before["error"], "error in the results")


@test
def job_cancelled_in_back_off(suite):
    """one job cancelled in back-off is not_started; the batch completes without it"""
    with looking(suite) as client:
        batch = backing_off(client)

        data = client.change_job(batch, 0).is_(200).data

        equal((data["previous_state"], data["current_state"], data["disposition"], data["changed"]),
              ("pending", "cancelled", "not_started", True), "data")
        equal(client.until_ended(batch)["current_state"], "completed", "the batch")
        job = client.job(batch, 0)
        equal((job["attempt"], job["error"]["code"]), (2, "exit"), "the job")


@test
def time_outs(suite):
    """timeout_ms: the job is failed, with code timeout; each attempt has its own"""
    client = suite.client
    with Cases() as table:
        for type in ("sleep", "spin"):
            for options, attempts in (({"timeout_ms": 1}, 1),
                                      ({"timeout_ms": 30, "max_attempts": 2, "backoff_ms": 0}, 2)):
                with table.case(f"{type} {options}"):
                    batch = client.run(type, [3_600_000], options=options)

                    status, job = client.status(batch), client.job(batch, 0)
                    equal((status["status"], job["state"], job["attempt"], job["error"]["code"]),
                          ("completed", "failed", attempts, "timeout"), "the end")
                    contains(job["error"]["message"], str(options["timeout_ms"]), "the message")
                    equal([(error["code"], error["count"]) for error in status["errors"]],
                          [("timeout", 1)], "errors")
                    equal(retried(client, batch), attempts - 1, "statistics.retried")
