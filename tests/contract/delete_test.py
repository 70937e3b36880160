"""DELETE /v1/batches/{id}, and GET /readyz."""

from checks import equal
from suite import test


@test
def ended(suite):
    """an ended batch is deleted: 200, then 404 everywhere"""
    client = suite.client
    batch, other = client.run("sleep", [0] * 3), client.run("sleep", [0])

    answer = client.call("DELETE", f"/v1/batches/{batch}").is_(200)

    client.made.remove(batch)
    equal(answer.body, {"success": True, "message": "Batch deleted", "data": {"batch_id": batch}},
          "the answer")
    for path in ("", "/state", "/results", "/jobs", "/jobs/0"):
        client.get(f"/v1/batches/{batch}{path}").is_(404, "not_found")
    client.change(batch).is_(404)
    client.call("DELETE", f"/v1/batches/{batch}").is_(404, "not_found")
    listed = [entry["batch_id"] for entry in client.get("/v1/batches?limit=1000").data["batches"]]
    equal((batch in listed, other in listed), (False, True), "what is listed")


@test
def not_ended(suite):
    """409 cancel_first where it has not ended; once it is cancelled it can be deleted"""
    client = suite.client
    batch = client.sleeping(jobs=3)

    refused = client.call("DELETE", f"/v1/batches/{batch}").is_(409, "cancel_first")

    equal(refused.details, {"current_state": "running"}, "details")
    client.change(batch, {"mode": "immediate"}).is_(200)
    client.call("DELETE", f"/v1/batches/{batch}").is_(200)
    client.made.remove(batch)


@test
def refused(suite):
    """401, 404 and 400 come before it, and nothing is deleted"""
    client = suite.client
    batch = client.run("sleep", [0])

    client.call("DELETE", f"/v1/batches/{batch}", key=None).is_(401)
    client.call("DELETE", "/v1/batches/batch-00000000000000000000000000").is_(404)
    client.call("DELETE", f"/v1/batches/{batch}?force=true").is_(400, "invalid_request", "force")
    client.call("DELETE", "/v1/batches").is_(405)

    equal(client.state(batch)["current_state"], "completed", "the batch")


@test
def ready(suite):
    """/readyz: 200 and ready, without a key, outside /v1; HEAD too"""
    client = suite.client
    for key in (None, True):
        equal(client.get("/readyz", key=key).is_(200).data, {"status": "ready", "notices": []}, "data")
    client.call("HEAD", "/readyz", key=None).is_(200)
    client.get("/v1/readyz").is_(404)
    client.call("POST", "/readyz", key=None).is_(405).header("Allow", "GET, HEAD")


@test
def not_ready(suite):
    """/readyz while shutting down: 503 unavailable; /healthz still 200"""
    with suite.start("--wait-max", "3") as server:
        client = suite.client_of(server)
        from shutdown_test import until_refusing, waiting_cancel
        batch = client.sleeping(jobs=2)
        with waiting_cancel(suite, server, batch, {"mode": "drain"}):
            server.signal()
            until_refusing(client)
            client.get("/readyz", key=None).is_(503, "unavailable").header("Retry-After")
            client.get("/healthz", key=None).is_(200)
            server.wait_end()
