"""POST /v1/batches with `from`: a new batch of what an ended one has left."""

from checks import Cases, contains, equal, until
from suite import test


def take_up(client, batch, **more):
    return client.call("POST", "/v1/batches", json={"from": batch, **more})


def inputs_of(client, batch):
    return [job["input"] for job in client.get(f"/v1/batches/{batch}/jobs?limit=1000").is_(200).data["jobs"]]


def left(client):
    """A batch of six: two succeeded, two were stopped, two never started."""
    batch = client.create("sleep", [0, 0, 3_600_000, 3_600_001, 3_600_002, 3_600_003], batch_name="first",
                          collection_id="c", options={"weight": 7, "max_attempts": 3})
    until(lambda: client.state(batch)["jobs"]["succeeded"] == 2, "two jobs")
    client.until_running(batch, 2)
    client.change(batch).is_(200)
    return batch


@test
def what_is_left(suite):
    """a new batch of what an ended one left has those inputs, in order, and the rest of the old one"""
    client = suite.client
    batch = left(client)
    answer = take_up(client, batch).is_(202)
    equal(answer.data["total"], 4, "total")
    made = answer.data["batch_id"]
    status = client.status(made)
    equal((status["from"], status["batch_name"], status["collection"], status["type"]),
          (batch, "first", "c", "sleep"), "what it is")
    equal((status["options"]["weight"], status["options"]["max_attempts"]), (7, 3), "options")
    equal(inputs_of(client, made), [{"ms": 3_600_000 + n} for n in range(4)], "inputs")
    equal(client.status(batch)["from"], None, "from of the first")
    client.until_running(made, 2)
    client.change(made).is_(200)
    second = take_up(client, made, select=["stopped"], batch_name="third", options={"weight": 1}).is_(202)
    again = client.status(second.data["batch_id"])
    equal((again["batch_name"], again["options"]["weight"], again["options"]["max_attempts"], again["from"]),
          ("third", 1, 3, made), "what the body says")
    equal(inputs_of(client, again["batch_id"]), [{"ms": 3_600_000}, {"ms": 3_600_001}], "what was stopped")
    client.change(again["batch_id"]).is_(200)


@test
def what_is_selected(suite):
    """select takes states and dispositions; nothing that is selected is 400"""
    client = suite.client
    batch = left(client)
    mixed = client.run("checksum", ["a.txt", "missing", "empty"])
    with Cases() as cases:
        for of, select, total in ((batch, "not_succeeded", 4), (batch, "cancelled", 4), (batch, "not_started", 2),
                                  (batch, ["stopped", "not_started"], 4), (batch, ["stopped", "cancelled"], 4),
                                  (mixed, "failed", 1), (mixed, "not_succeeded", 1)):
            with cases.case(f"{select}"):
                answer = take_up(client, of, select=select).is_(202)
                equal(answer.data["total"], total, "total")
                client.change(answer.data["batch_id"])
        for of, select, field in ((batch, "failed", "select"), (mixed, "cancelled", "select"), (batch, [], "select"),
                                  (batch, "succeeded", "select"), (batch, ["failed", 1], "select[1]"),
                                  (batch, 1, "select"), (batch, None, "select")):
            with cases.case(f"refused: {select}"):
                take_up(client, of, select=select).is_(400, "invalid_request", field)


@test
def take_up_refusals(suite):
    """from: 400 beside inputs or another type, 404 for an unknown batch, 409 for one that runs"""
    client = suite.client
    batch = left(client)
    take_up(client, batch, inputs=[1]).is_(400, "invalid_request", "inputs")
    take_up(client, batch, type="spin").is_(400, "invalid_request", "type")
    take_up(client, batch, options={"weight": 1000}).is_(400, "invalid_request", "options.weight")
    take_up(client, "batch-none").is_(404, "not_found")
    take_up(client, 5).is_(400, "invalid_request", "from")
    client.call("POST", "/v1/batches", json={"type": "sleep", "inputs": [1], "select": "failed"}).is_(
        400, "invalid_request", "select")
    running = client.sleeping(jobs=2)
    refused = take_up(client, running).is_(409, "cancel_first")
    contains(refused.body["message"], "is running", "message")
    client.change(running).is_(200)


@test
def take_up_twice(suite):
    """from with an Idempotency-Key makes one batch, however often it is asked"""
    client = suite.client
    batch = left(client)
    headers = {"Idempotency-Key": "the-rest"}
    made = [take_up_with(client, batch, headers) for _ in range(2)]
    equal(made[0], made[1], "the batch")
    client.change(made[0])


def take_up_with(client, batch, headers):
    return client.call("POST", "/v1/batches", json={"from": batch}, headers=headers).is_(202).data["batch_id"]


@test
def a_large_rest(suite):
    """a rest of 50,000 jobs is taken up whole"""
    client = suite.client
    jobs = 50_000
    batch = client.create("sleep", [3_600_000 + n for n in range(jobs)], options={"concurrency": 1})
    client.until_running(batch, 1)
    client.change(batch).is_(200)
    answer = take_up(client, batch, select="not_started").is_(202)
    equal(answer.data["total"], jobs - 1, "total")
    made = answer.data["batch_id"]
    equal(client.job(made, jobs - 2)["input"], {"ms": 3_600_000 + jobs - 1}, "the last input")
    client.change(made).is_(200)
