"""GET /v1/batches, /v1/batches/{id}, /jobs and /jobs/{n}."""

import itertools

import shapes
from checks import Cases, check, equal, until
from suite import test

tags = itertools.count()
SUMMARY = ("batch_id", "batch_name", "type", "status")


def tag():
    """A batch_name that no other test has."""
    return f"list-{next(tags)}"


def listed(client, query):
    data = client.get("/v1/batches" + query).is_(200).data
    shapes.members(data, {"batches": list, **shapes.PAGED}, "data")
    shapes.paged(data)
    for entry in data["batches"]:
        for name in SUMMARY:
            check(name in entry, f"an entry without {name}: {entry}")
    return data


def ids(data):
    return [entry["batch_id"] for entry in data["batches"]]


@test
def newest_first(suite):
    """the list is newest first, and pages by limit and cursor"""
    client, name = suite.client, tag()
    made = [client.run("sleep", [0], batch_name=name) for _ in range(5)]

    whole = listed(client, f"?batch_name={name}")
    equal((ids(whole), whole["next_cursor"]), (made[::-1], None), "all of them")

    found, cursor = [], ""
    while cursor is not None:
        page = listed(client, f"?batch_name={name}&limit=2" + (cursor and f"&cursor={cursor}"))
        check(len(page["batches"]) <= 2, "a page is too long")
        found += ids(page)
        cursor = page["next_cursor"]
    equal(found, made[::-1], "all pages")
    equal(listed(client, f"?batch_name={name}&limit=5")["next_cursor"], None, "next_cursor")


@test
def default_limit(suite):
    """50 unless said"""
    client, name = suite.client, tag()
    made = [client.create("sleep", [0], batch_name=name) for _ in range(51)]
    data = listed(client, f"?batch_name={name}")
    equal(ids(data), made[:0:-1], "the first page")
    rest = listed(client, f"?batch_name={name}&cursor={data['next_cursor']}")
    equal((ids(rest), rest["next_cursor"]), (made[:1], None), "the second page")


@test
def filters(suite):
    """filters by status, type, name and time"""
    client, name = suite.client, tag()
    completed = client.run("sleep", [0], batch_name=name)
    cancelled = client.sleeping(jobs=2, batch_name=name)
    client.change(cancelled)
    running = client.sleeping(jobs=2, batch_name=name)
    sums = client.create("checksum", ["a.txt"], batch_name=name)

    for query, wanted in (("&status=completed", [completed]), ("&status=cancelled", [cancelled]),
                          ("&status=running", [running]), ("&status=created", [sums]),
                          ("&type=checksum", [sums]), ("&type=nothing", []),
                          ("&status=expired", []),
                          ("&status=running&type=sleep", [running])):
        equal(ids(listed(client, f"?batch_name={name}{query}")), wanted, query)
    created = client.status(cancelled)["timing"]["created_at"]
    equal(ids(listed(client, f"?batch_name={name}&created_after={created}")), [sums, running],
          "created after")
    equal(ids(listed(client, f"?batch_name={name}&created_before={created}")), [completed],
          "created before")
    equal(ids(listed(client, f"?batch_name={name}&created_before=2020-01-01T00:00:00Z")), [],
          "none")


@test
def bad_queries(suite):
    """400 with details.field for a bad query, everywhere"""
    client = suite.client
    batch = client.run("sleep", [0])
    one = f"/v1/batches/{batch}"
    with Cases() as table:
        for path, field in (
                ("/v1/types?name=sleep", "name"),
                ("/v1/batches?limit=0", "limit"), ("/v1/batches?limit=x", "limit"),
                ("/v1/batches?limit=-1", "limit"),
                ("/v1/batches?limit=99999999999999999999", "limit"),
                ("/v1/batches?status=gone", "status"),
                ("/v1/batches?created_after=today", "created_after"),
                ("/v1/batches?created_before=2024-13-01T00:00:00Z", "created_before"),
                ("/v1/batches?cursor=x", "cursor"), ("/v1/batches?nothing=1", "nothing"),
                ("/v1/batches?limit=1&limit=2", "limit"), (one + "?fields=nothing", "fields"),
                (one + "?metrics_only=1", "metrics_only"),
                (one + "?include_errors=", "include_errors"),
                (one + "?x=y", "x"), (one + "/state?x=y", "x"), (one + "/jobs?state=gone", "state"),
                (one + "/jobs?limit=0", "limit"), (one + "/jobs?cursor=-1", "cursor"),
                (one + "/jobs?page=1", "page"), (one + "/jobs/0?x=1", "x"),
                (one + "/results?page=0", "page"), (one + "/results?page=-1", "page"),
                (one + "/results?page=1.0", "page"), (one + "/results?page=", "page"),
                (one + "/results?page_size=0", "page_size"),
                (one + "/results?page_size=1001", "page_size"),
                (one + "/results?page_size=+1", "page_size"), (one + "/results?limit=0", "limit"),
                (one + "/results?limit=1001", "limit"), (one + "/results?cursor=-1", "cursor"),
                (one + "/results?cursor=x", "cursor"), (one + "/results?summary=1", "summary"),
                (one + "/results?state=failed", "state"), (one + "/results?status=", "status"),
                (one + "/results?status=running", "status"),
                (one + "/results?status=pending", "status"),
                (one + "/results?status=succeeded,failed", "status"),
                (one + "/results?page=1&limit=1", "page"),
                (one + "/results?cursor=0&page=1", "page"),
                (one + "/results?page_size=1&limit=1", "page_size"),
                (one + "/results?cursor=1&page_size=1", "page_size"),
                ("/v1/types?limit=0", "limit"), ("/v1/types?limit=1001", "limit")):
            with table.case(path):
                client.get(path).is_(400, "invalid_request", field)


@test
def status(suite):
    """GET /v1/batches/{id}: all members, while it runs and at its end"""
    client = suite.client
    batch = client.create("checksum", ["a.txt", "missing", "gone"], batch_name="three")
    client.until_ended(batch)

    data = client.status(batch)

    equal((data["status"], data["type"], data["batch_name"]), ("completed", "checksum", "three"),
          "it")
    equal(data["jobs"], {"total": 3, "pending": 0, "running": 0, "succeeded": 1, "failed": 2,
                         "cancelled": 0}, "jobs")
    equal(sorted(error["count"] for error in data["errors"]), [1, 1], "the errors' counts")
    equal({error["code"] for error in data["errors"]}, {"input"}, "the errors' codes")
    running = client.status(client.sleeping(jobs=4))
    equal((running["status"], running["progress"]["completed"]), ("running", 0), "a running batch")


@test
def estimated_completion(suite):
    """estimated_completion: there once a job has ended, until all have or a cancel"""
    client = suite.client

    def estimated(batch):
        return client.status(batch)["timing"]["estimated_completion"]

    equal(estimated(client.run("sleep", [0])), None, "of an ended batch")
    batch = client.sleeping(jobs=2)
    equal(estimated(batch), None, "before the first has ended")
    client.change(batch)

    batch = client.create("sleep", [0, 0, 0, 3_600_000, 3_600_000, 0])
    until(lambda: client.state(batch)["jobs"]["succeeded"] == 3
          and client.state(batch)["jobs"]["still_running"] == 2, "three succeeded, two running")
    check(estimated(batch) > client.job(batch, 2)["ended_at"], "it lies in the past")
    client.change(batch, {"mode": "drain"}, headers={"Prefer": "respond-async"}).is_(202)
    equal(estimated(batch), None, "of a batch that is cancelling")


@test
def types(suite):
    """/v1/types: name, limits and input schema of each"""
    types = suite.client.get("/v1/types").is_(200).data["types"]

    equal([type["name"] for type in types], ["checksum", "compress", "sleep", "spin"], "the names")
    for type in types:
        shapes.members(type, {"name": str, "limits": dict, "path_member": ("maybe", str), "input_schema": dict}, "the type")
        equal(type["limits"], {"concurrency": 2, "max_attempts": 100, "timeout_ms": None,
                               "grace_ms": 2000}, f"the limits of {type['name']}")
    ms = {"type": "integer", "minimum": 0, "maximum": 86_400_000}
    equal(types[2]["input_schema"], {"oneOf": [
        {"type": "object", "properties": {"ms": ms}, "required": ["ms"],
         "additionalProperties": False}, ms]}, "the schema of sleep")
    suite.client.get("/v1/types", key=None).is_(401, "unauthorized")


@test
def types_by_parts(suite):
    """/v1/types pages by limit and cursor"""
    client = suite.client
    whole = client.get("/v1/types").is_(200).data
    equal((whole["next_cursor"], whole["has_more"]), (None, False), "the end of all of them")
    found, cursor = [], ""
    while cursor is not None:
        page = client.get("/v1/types?limit=3" + (cursor and f"&cursor={cursor}")).is_(200).data
        shapes.members(page, {"types": list, **shapes.PAGED}, "data")
        shapes.paged(page)
        found, cursor = [*found, *page["types"]], page["next_cursor"]
    equal(found, whole["types"], "all parts")
    equal(client.get("/v1/types?limit=4").data["has_more"], False, "has_more of a part that is full")
    equal(client.get("/v1/types?cursor=zzz").data["types"], [], "behind the last one")


@test
def status_parameters(suite):
    """include_errors, include_job_details, metrics_only and fields choose what is shown"""
    client = suite.client
    batch = client.run("checksum", ["a.txt", "missing"])
    path = f"/v1/batches/{batch}"

    def got(query):
        return client.get(path + query).is_(200).data

    whole = client.status(batch)
    equal(got("?include_errors=true"), whole, "include_errors=true")
    without = dict(whole)
    del without["errors"]
    equal(got("?include_errors=false"), without, "include_errors=false")
    equal(got("?fields=batch_id,jobs"), {"batch_id": batch, "jobs": whole["jobs"]}, "fields")
    equal(got("?fields=status"), {"status": "completed"}, "fields=status")
    metrics = got("?metrics_only=true")
    equal(metrics["jobs"], whole["jobs"], "the jobs of metrics_only")
    check("errors" not in metrics and set(metrics) < set(whole), f"metrics_only gives {metrics}")
    details = got("?include_job_details=true")
    extra = set(details) - set(whole)
    equal(len(extra), 1, f"the members that include_job_details adds: {extra}")
    equal([shapes.job(job)["state"] for job in details[extra.pop()]], ["succeeded", "failed"],
          "jobs")


@test
def jobs(suite):
    """the list of jobs, by state, limit and cursor"""
    client = suite.client
    batch = client.create("sleep", [0, 3_600_000, 0, 3_600_000, 0, 0], options={"concurrency": 2})

    def counts():
        jobs = client.state(batch)["jobs"]
        return jobs["succeeded"], jobs["still_running"]

    until(lambda: counts() == (2, 2), "two jobs that have succeeded, two running ones")

    def numbers(query):
        data = client.get(f"/v1/batches/{batch}/jobs{query}").is_(200).data
        shapes.members(data, {"batch_id": str, "jobs": list, **shapes.PAGED}, "data")
        shapes.paged(data)
        return [shapes.job(job)["job"] for job in data["jobs"]], data["next_cursor"]

    equal(numbers(""), ([0, 1, 2, 3, 4, 5], None), "all")
    for state, wanted in (("succeeded", [0, 2]), ("running", [1, 3]), ("pending", [4, 5]),
                          ("failed", []), ("cancelled", [])):
        equal(numbers(f"?state={state}"), (wanted, None), state)
    found, cursor = [], ""
    while cursor is not None:
        page, cursor = numbers("?limit=4" + (cursor and f"&cursor={cursor}"))
        check(0 < len(page) <= 4, f"a page of {len(page)}")
        found += page
    equal(found, [0, 1, 2, 3, 4, 5], "all pages")
    equal(numbers("?state=succeeded&limit=2"), ([0, 2], None), "a page that is just full")
    equal(numbers("?from=2&limit=3"), ([2, 3, 4], "5"), "from an index on")
    equal(numbers("?from=2&limit=3&cursor=5"), ([5], None), "a cursor goes on where the page before ended")
    equal(numbers("?from=6"), ([], None), "from behind the last")
    client.get(f"/v1/batches/{batch}/jobs?from=-1").is_(400, "invalid_request", "from")


@test
def job(suite):
    """one job: before, while and after it runs"""
    client = suite.client
    batch = client.create("sleep", [0, 3_600_000, 0], options={"concurrency": 1})
    until(lambda: client.job(batch, 1)["state"] == "running", "the second job")
    ended, running, pending = (client.job(batch, n) for n in range(3))

    equal((ended["state"], ended["result"], ended["attempt"]), ("succeeded", {"ms": 0}, 1),
          "the first")
    equal((running["state"], running["result"], running["ended_at"]), ("running", None, None),
          "the second")
    equal((pending["state"], pending["started_at"], pending["late"]), ("pending", None, False),
          "the third")
    check(ended["ended_at"] <= running["started_at"], "the second started before the first ended")


@test
def health(suite):
    """/healthz wants no key"""
    suite.client.get("/healthz", key=None).is_(200)
    suite.client.get("/healthz", key="wrong").is_(200)
    suite.client.call("HEAD", "/healthz", key=None).is_(200)
    suite.client.call("DELETE", "/healthz", key=None).is_(405).header("Allow")
