"""ETag, If-Match and If-None-Match of a batch's state; errors as application/problem+json."""

import concurrent.futures

import requests

from checks import Cases, check, equal, until
from suite import test


def tag(client, batch):
    return client.get(f"/v1/batches/{batch}/state").is_(200).header("ETag")


@test
def state_tag(suite):
    """the ETag of a state changes with the state, the cancel and its escalation, and with nothing else"""
    client = suite.client
    batch = client.create("sleep", [0] * 3 + [3_600_000] * 3)
    until(lambda: client.status(batch)["jobs"]["succeeded"] == 3, "three jobs")
    running = tag(client, batch)
    client.change_job(batch, 5).is_(200)
    equal(tag(client, batch), running, "the tag after a job's end")
    known = client.session.get(f"{client.url}/v1/batches/{batch}/state",
                               headers={"X-Api-Key": client.key, "If-None-Match": f'"x", W/{running}'})
    equal((known.status_code, known.text, known.headers["ETag"]), (304, "", running), "what the client has")
    client.get(f"/v1/batches/{batch}/state", headers={"If-Match": '"x"'}).is_(412, "precondition_failed")

    client.change(batch, {"mode": "drain"}, headers={"Prefer": "respond-async"}).is_(202)
    draining = tag(client, batch)
    check(draining != running, "cancelling has another tag")
    client.change(batch, {"mode": "graceful", "grace_ms": 1000}).is_(200)
    ended = tag(client, batch)
    check(ended not in (draining, running), "the end has another tag")
    answer = client.get(f"/v1/batches/{batch}/state", headers={"If-None-Match": running})
    equal(answer.is_(200).data["current_state"], "cancelled", "current_state")


@test
def escalated_tag(suite):
    """a repeat that brings the deadline nearer changes the tag, a weaker one does not"""
    client = suite.client
    script = suite.folder / "stubborn.toml"
    script.write_text('[type.stubborn]\ncommand = ["/bin/sh", "-c", "trap \'\' TERM; echo BELAY_PROGRESS 0.5; sleep 1000"]\n'
                      'grace = "60s"\n')
    script.chmod(0o600)
    with suite.start("--config", script, "--grace-ms", "60000") as server:
        client = suite.client_of(server)
        batch = client.create("stubborn", [{}])
        until(lambda: client.job(batch, 0)["progress"] == 0.5, "it ignores SIGTERM from then on")
        client.change(batch, {"grace_ms": 50_000}, headers={"Prefer": "respond-async"}).is_(202)
        first = tag(client, batch)
        client.change(batch, {"grace_ms": 60_000}, headers={"Prefer": "respond-async"}).is_(202)
        equal(tag(client, batch), first, "the tag after a weaker repeat")
        client.change(batch, {"grace_ms": 40_000}, headers={"Prefer": "respond-async", "If-Match": first}).is_(202)
        second = tag(client, batch)
        check(second != first, "the tag after a stronger one")
        client.change(batch, {"grace_ms": 0}, headers={"If-Match": first}).is_(412, "precondition_failed")
        client.change(batch, {"grace_ms": 0}, headers={"If-Match": second}).is_(200)


@test
def conditional_race(suite):
    """of cancels that are sent at once with the same If-Match, one acts"""
    with suite.start(data=suite.folder / "race") as server:
        client = suite.client_of(server)
        for _ in range(10):
            batch = client.sleeping(jobs=2)
            headers = {"X-Api-Key": client.key, "If-Match": tag(client, batch), "Prefer": "respond-async"}
            with concurrent.futures.ThreadPoolExecutor(4) as pool:
                found = list(pool.map(lambda mode: requests.put(
                    f"{client.url}/v1/batches/{batch}/state", json={"mode": mode}, headers=headers, timeout=60).status_code,
                    ("drain", "immediate", "drain", "immediate")))
            equal(sorted(found)[1:], [412] * 3, "all but one")
            client.change(batch, {"mode": "immediate"})
            client.until_ended(batch)


@test
def conditions_elsewhere(suite):
    """what has no ETag is changed with If-Match: * alone; If-None-Match is minded, too"""
    client = suite.client
    batch = client.sleeping(jobs=3)
    empty = {"If-Match": ""}
    client.change(batch, headers=empty).is_(412, "precondition_failed")
    client.change(batch, headers={"If-None-Match": "*"}).is_(412, "precondition_failed")
    client.change(batch, headers={"If-None-Match": f'"x", {tag(client, batch)}'}).is_(412, "precondition_failed")
    client.change_job(batch, 2, headers={"If-Match": '"x"'}).is_(412, "precondition_failed")
    equal(client.state(batch)["jobs"]["pending"], 1, "nothing was stopped")
    client.change_job(batch, 2, headers={"If-Match": "*"}).is_(200)
    client.change(batch, headers={"If-None-Match": '"x"'}).is_(200)
    client.call("DELETE", f"/v1/batches/{batch}", headers={"If-Match": '"x"'}).is_(412, "precondition_failed")
    client.call("DELETE", f"/v1/batches/{batch}", headers={"If-Match": "*"}).is_(200)
    client.made.remove(batch)


@test
def conditional_cancel(suite):
    """a cancel with If-Match acts on the state that the client has seen, or not at all"""
    client = suite.client
    batch = client.create("sleep", [3_600_000] * 4)
    before = tag(client, batch)
    client.until_running(batch, 2)
    seen = tag(client, batch)
    answer = client.change(batch, headers={"If-Match": '"other"'}).is_(412, "precondition_failed")
    equal(answer.details, {"current_state": "running"}, "details")
    check(before.startswith('"created') or before == seen, f"the tag before: {before}")
    client.change(batch, headers={"If-Match": f"W/{seen}"}).is_(412, "precondition_failed")
    client.change(batch, {"state": "nonsense"}, headers={"If-Match": '"other"'}).is_(400, "invalid_request")
    equal(client.state(batch)["current_state"], "running", "current_state")

    equal(client.change(batch, headers={"If-Match": f'"other", {seen}'}).is_(200).data["changed"], True, "changed")
    client.change(batch, headers={"If-Match": seen}).is_(412, "precondition_failed")
    client.change(batch, headers={"If-Match": "*"}).is_(200)
    ended = client.run("sleep", [0])
    client.change(ended, headers={"If-Match": '"other"'}).is_(412, "precondition_failed")
    client.change(ended, headers={"If-Match": tag(client, ended)}).is_(409, "batch_already_finished")


@test
def problems(suite):
    """errors come as application/problem+json where Accept names it"""
    client = suite.client
    batch = client.run("sleep", [0])
    for method, path, status, code, title in (
            ("GET", "/v1/batches/batch-none", 404, "not_found", "Not Found"),
            ("PUT", f"/v1/batches/{batch}/state", 409, "batch_already_finished", "Conflict"),
            ("PATCH", "/v1/batches", 405, "method_not_allowed", "Method Not Allowed"),
            ("GET", "/v1/batches?limit=0", 400, "invalid_request", "Bad Request")):
        for accept, is_problem in (("application/problem+json", True),
                                   ("application/json, application/problem+json;q=0.5", True),
                                   ("application/problem+json;q=0, application/json", False),
                                   ("*/*", False)):
            with Cases() as cases, cases.case(f"{method} {path} as {accept}"):
                response = client.session.request(method, client.url + path,
                                                  headers={"X-Api-Key": client.key, "Accept": accept})
                equal(response.status_code, status, "the status")
                found = response.json()
                if not is_problem:
                    equal(response.headers["Content-Type"], "application/json", "Content-Type")
                    equal(found["success"], False, "success")
                    continue
                equal(response.headers["Content-Type"], "application/problem+json", "Content-Type")
                details = found.pop("details", None)
                equal({**found, "detail": "", "request_id": ""},
                      {"type": "about:blank", "title": title, "status": status, "detail": "",
                       "code": code, "request_id": ""}, "the problem")
                equal(found["request_id"], response.headers["X-Request-Id"], "request_id")
                check(found["detail"], "detail says something")
                check(code == "not_found" or details, "details are there")
    equal(client.get("/v1/batches", headers={"Accept": "application/problem+json"}).is_(200).status, 200, "a success")
