"""POST /v1/batches/cancel and /v1/operations: cancels of many batches as one."""

from checks import Cases, check, contains, equal, until
from suite import test


def cancel(client, query="", **body):
    headers = body.pop("headers", {})
    return client.call("POST", f"/v1/batches/cancel{query}", json=body, headers=headers)


def sleepers(client, count, **more):
    return [client.create("sleep", [3_600_000], **more) for _ in range(count)]


def listed(client, operation, limit=3):
    """All batches of an operation, by pages."""
    found, cursor = [], None
    while True:
        page = client.get(f"/v1/operations/{operation}?limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
        data = page.is_(200).data
        found += data["batches"]
        cursor = data["next_cursor"]
        equal(data["has_more"], cursor is not None, "has_more")
        if cursor is None:
            return found


@test
def by_filter(suite):
    """what the filter takes is cancelled, and nothing else; the operation is listed, with each of its batches"""
    client = suite.client
    mine = sleepers(client, 7, batch_name="many", collection_id="x")
    other = sleepers(client, 1, batch_name="one", collection_id="x")[0]
    answer = cancel(client, filter={"batch_name": "many"}, mode="immediate", reason="all of them").is_(200)
    equal(answer.data["counts"], {"total": 7, "open": 0, "cancelled": 7, "completed": 0, "failed": 0,
                                  "expired": 0, "forgotten": 0}, "counts")
    equal((answer.data["mode"], answer.data["reason"], answer.data["filter"], answer.data["requested_by"]),
          ("immediate", "all of them", {"batch_name": "many"}, "local"), "the operation")
    check(answer.data["finished_at"] >= answer.data["requested_at"], "its times")
    operation = answer.data["operation_id"]
    equal(answer.headers["Location"], f"/v1/operations/{operation}", "Location")
    for batch in mine:
        state = client.state(batch)
        equal((state["current_state"], state["cancel"]["reason"], state["cancel"]["mode"]),
              ("cancelled", "all of them", "immediate"), "a batch")
    equal(client.state(other)["current_state"] in ("created", "running"), True, "the other")
    equal([each["batch_id"] for each in listed(client, operation)], mine, "its batches")
    equal({each["current_state"] for each in listed(client, operation)}, {"cancelled"}, "their states")
    found = client.get("/v1/operations?limit=1").is_(200).data
    equal(found["operations"][0], {key: value for key, value in answer.data.items()}, "the list")
    client.change(other).is_(200)


@test
def filters(suite):
    """filter takes status, type, created_before, batch_name, collection_id, all of which must hold"""
    client = suite.client
    first = client.create("sleep", [3_600_000], batch_name="f1", collection_id="f")
    client.until_running(first, 1)
    second = client.create("spin", [3_600_000], batch_name="f2", collection_id="f")
    client.until_running(second, 1)
    made = client.status(second)["timing"]["created_at"]
    with Cases() as cases:
        for filter, count in (({"collection_id": "f"}, 2), ({"collection_id": "f", "type": "spin"}, 1),
                              ({"collection_id": "f", "status": "running"}, 2),
                              ({"collection_id": "f", "status": "created"}, 0),
                              ({"collection_id": "f", "status": ["created", "running"]}, 2),
                              ({"collection_id": "f", "created_before": made}, 1),
                              ({"collection_id": "f", "batch_name": "f2"}, 1), ({"collection_id": "none"}, 0)):
            with cases.case(f"{filter}"):
                answer = cancel(client, "?dry_run=true", filter=filter).is_(200)
                equal((answer.data["dry_run"], answer.data["batches"]), (True, count), "what would be cancelled")
                equal(answer.data["jobs"], {"not_started": 0, "still_running": count}, "its jobs")
    equal([client.state(batch)["current_state"] for batch in (first, second)], ["running"] * 2, "nothing changed")
    cancel(client, filter={"collection_id": "f"}).is_(200)
    nothing = cancel(client, filter={"collection_id": "f"}).is_(200)
    equal((nothing.data["operation_id"], nothing.data["counts"]["total"]), (None, 0), "nothing left")


@test
def by_ids(suite):
    """ids: those that are open are cancelled; an unknown one is 404, and nothing happens"""
    client = suite.client
    first, second, third = sleepers(client, 3)
    client.change(first).is_(200)
    cancel(client, ids=[second, "batch-none"]).is_(404, "not_found")
    equal(client.state(second)["current_state"] in ("created", "running"), True, "untouched")
    dry = cancel(client, "?dry_run=true", ids=[first, second, second]).is_(200)
    equal((dry.data["batches"], dry.data["already_ended"], sum(dry.data["jobs"].values())), (1, 1, 1), "dry run")
    answer = cancel(client, ids=[first, second, third]).is_(200)
    equal((answer.data["counts"]["cancelled"], answer.data["filter"]), (2, None), "cancelled")
    all_ended = cancel(client, ids=[first]).is_(200)
    equal((all_ended.data["operation_id"], all_ended.data["already_ended"]), (None, 1), "all have ended")


@test
def dry_run_and_if_match(suite):
    """If-Match with the ETag of a dry run: what was shown and is open is hit; 412 where more would be"""
    client = suite.client
    shown = sleepers(client, 3, collection_id="m")
    filter = {"collection_id": "m"}
    tag = cancel(client, "?dry_run=true", filter=filter).is_(200).headers["ETag"]
    equal(cancel(client, "?dry_run=true", filter=filter).is_(200).headers["ETag"], tag, "the same for the same")
    more = sleepers(client, 1, collection_id="m")[0]
    refused = cancel(client, filter=filter, headers={"If-Match": tag}).is_(412, "precondition_failed")
    contains(refused.body["message"], "dry_run", "what to do")
    equal({client.state(batch)["current_state"] for batch in shown} & {"cancelled"}, set(), "nothing was hit")
    client.change(more).is_(200)
    client.change(shown[0]).is_(200)
    answer = cancel(client, filter=filter, headers={"If-Match": tag}).is_(200)
    equal(answer.data["counts"]["total"], 2, "what was shown and is open")
    cancel(client, filter=filter, headers={"If-Match": '"00"'}).is_(412, "precondition_failed")
    later = client.create("sleep", [3_600_000] * 2, collection_id="later", options={"concurrency": 1})
    client.until_running(later, 1)
    filter = {"collection_id": "later", "status": "running"}
    tag = cancel(client, "?dry_run=true", filter=filter).is_(200).headers["ETag"]
    client.change(later, {"mode": "drain"}, headers={"Prefer": "respond-async"}).is_(202)
    answer = cancel(client, filter=filter, mode="immediate", headers={"If-Match": tag}).is_(200)
    equal(answer.data["counts"]["cancelled"], 1, "what was shown, whatever its status has become")
    cancel(client, filter=filter, headers={"If-Match": "*"}).is_(200)


@test
def bad_bodies(suite):
    """400 that names the member: no filter, an empty one, unknown members, wrong words, both"""
    client = suite.client
    with Cases() as cases:
        for body, field in (({}, "filter"), ({"filter": {}}, "filter"), ({"filter": 1}, "filter"),
                            ({"filter": {"owner": "x"}}, "filter.owner"),
                            ({"filter": {"status": "completed"}}, "filter.status"),
                            ({"filter": {"status": []}}, "filter.status"),
                            ({"filter": {"status": ["running", 1]}}, "filter.status[1]"),
                            ({"filter": {"type": 1}}, "filter.type"),
                            ({"filter": {"created_before": "soon"}}, "filter.created_before"),
                            ({"ids": []}, "ids"), ({"ids": "x"}, "ids"), ({"ids": [1]}, "ids[0]"),
                            ({"ids": ["x"], "filter": {"type": "sleep"}}, "filter"),
                            ({"filter": {"type": "x" * 65}}, "filter.type"),
                            ({"filter": {"batch_name": "a\u202eb"}}, "filter.batch_name"),
                            ({"filter": {"type": "sleep"}, "mode": "hard"}, "mode"),
                            ({"filter": {"type": "sleep"}, "mode": "drain", "grace_ms": 1}, "grace_ms"),
                            ({"filter": {"type": "sleep"}, "state": "cancelled"}, "state")):
            with cases.case(f"{body}"):
                cancel(client, **body).is_(400, "invalid_request", field)
        with cases.case("no body"):
            client.call("POST", "/v1/batches/cancel").is_(400, "invalid_request")
        with cases.case("a list"):
            client.call("POST", "/v1/batches/cancel", json=[]).is_(400, "invalid_request")
        with cases.case("GET"):
            client.get("/v1/batches/cancel").is_(404, "not_found")
        with cases.case("no such operation"):
            client.get("/v1/operations/operation-none").is_(404, "not_found")
        with cases.case("other methods"):
            client.call("PUT", "/v1/operations/operation-none").is_(405, "method_not_allowed")
        with cases.case("an unknown parameter"):
            cancel(client, "?dry=true", filter={"type": "sleep"}).is_(400, "invalid_request", "dry")


@test
def respond_async(suite):
    """Prefer: respond-async: 202 with Location while they stop; at its end the operation says so"""
    client = suite.client
    batch = client.create("sleep", [3_600_000], collection_id="a")
    client.until_running(batch, 1)
    answer = cancel(client, filter={"collection_id": "a"}, mode="drain",
                    headers={"Prefer": "respond-async"}).is_(202)
    equal((answer.data["counts"]["open"], answer.data["finished_at"]), (1, None), "under way")
    equal(answer.headers["Preference-Applied"], "respond-async", "Preference-Applied")
    location = answer.headers["Location"]
    client.change(batch, {"mode": "immediate"}).is_(200)
    until(lambda: client.get(location).is_(200).data["finished_at"], "the end")
    equal(client.get(location).data["counts"]["cancelled"], 1, "how it ended")


@test
def survives_restart(suite):
    """an operation is kept; one that a crash cut short is finished by the next server, and nothing starts"""
    data = suite.folder / "operation-data"
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        kept = cancel(client, ids=sleepers(client, 3)).is_(200).data["operation_id"]
        batches = [client.create("spin", [3_600_000], collection_id="crash") for _ in range(30)]
        cancel(client, filter={"collection_id": "crash"}, mode="drain", headers={"Prefer": "respond-async"})
        server.kill()
    with suite.start(data=data) as server:
        client = suite.client_of(server)
        cut, first = client.get("/v1/operations").is_(200).data["operations"]
        equal(first["operation_id"], kept, "the first one")
        until(lambda: client.get(f"/v1/operations/{cut['operation_id']}").data["finished_at"], "its end")
        equal(client.get(f"/v1/operations/{cut['operation_id']}").data["counts"]["cancelled"], 30, "all of them")
        for batch in batches:
            equal(client.state(batch)["current_state"], "cancelled", "a batch")
