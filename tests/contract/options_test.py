"""The options of a batch."""

from checks import Cases, contains, equal, until
from suite import test

TIME_MAX = 36_500 * 86_400_000
DEFAULTS = {"concurrency": 2, "weight": 10, "deadline_ms": None, "failure_policy": "continue",
            "max_attempts": 1, "backoff_ms": 1000, "backoff_max_ms": 60_000, "timeout_ms": None,
            "grace_ms": 2000, "keep_ms": None}
RANGES = {"concurrency": (1, 2**31 - 1), "weight": (1, 100), "deadline_ms": (1, TIME_MAX),
          "max_attempts": (1, 100), "backoff_ms": (0, TIME_MAX), "backoff_max_ms": (0, TIME_MAX),
          "timeout_ms": (1, TIME_MAX), "grace_ms": (0, 3_600_000), "keep_ms": (0, TIME_MAX)}
MOST_IN_EFFECT = {"concurrency": 2, "grace_ms": 2000}


def post(client, options, type="sleep", inputs=(0,)):
    """A new batch that nobody looks after: it may be forgotten soon."""
    return client.call("POST", "/v1/batches",
                       json={"type": type, "inputs": list(inputs), "options": options})


def until_forgotten(client, batch):
    until(lambda: client.get(f"/v1/batches/{batch}").status == 404, f"{batch} is forgotten")
    for path in ("", "/state", "/results", "/jobs", "/jobs/0"):
        client.get(f"/v1/batches/{batch}{path}").is_(404, "not_found")
    client.change(batch).is_(404, "not_found")


@test
def in_effect(suite):
    """GET shows all options in effect: as asked for, or the default, or the most there is"""
    client = suite.client
    equal(client.status(client.run("sleep", [0]))["options"], DEFAULTS, "the defaults")
    asked = {"concurrency": 1, "weight": 100, "deadline_ms": 3_600_000,
             "failure_policy": "fail_fast", "max_attempts": 3, "backoff_ms": 5,
             "backoff_max_ms": 7, "timeout_ms": 3_600_000, "grace_ms": 0, "keep_ms": 3_600_000}
    equal(client.status(client.run("sleep", [0], options=asked))["options"], asked, "all options")
    with Cases() as table:
        for name, (least, most) in RANGES.items():
            for value in (most,) if name == "keep_ms" else (least, most):
                with table.case(f"{name} {value}"):
                    batch = client.run("sleep", [0], options={name: value})
                    wanted = min(value, MOST_IN_EFFECT.get(name, most))
                    equal(client.status(batch)["options"], {**DEFAULTS, name: wanted}, "options")


@test
def refused(suite):
    """400 with details.field, and a message that says what was given and what would be right"""
    client = suite.client
    with Cases() as table:
        for name, (least, most) in RANGES.items():
            for bad in (least - 1, most + 1, -1, 2**64, 5.0, 1.5, "5", None, True, [], {}):
                with table.case(f"{name} {bad!r}"):
                    answer = post(client, {name: bad})
                    answer.is_(400, "invalid_request", f"options.{name}")
                    contains(answer.body["message"], f"{name} is ", "the message")
                    contains(answer.body["message"], f"{least} to {most}", "the message")
        for bad in ("stop", "", "FAIL_FAST", 1, None, True, []):
            with table.case(f"failure_policy {bad!r}"):
                answer = post(client, {"failure_policy": bad})
                answer.is_(400, "invalid_request", "options.failure_policy")
                contains(answer.body["message"], "fail_fast", "the message")
        with table.case("unknown"):
            answer = post(client, {"timeout": 5}).is_(400, "invalid_request", "options.timeout")
            contains(answer.body["message"], "timeout_ms", "the message")


@test
def keep_ms(suite):
    """keep_ms 0: the batch is forgotten when it has ended; others stay"""
    client = suite.client
    kept = client.run("sleep", [0], options={"keep_ms": 3_600_000})
    usual = client.run("sleep", [0])

    forgotten = [post(client, {"keep_ms": keep}).is_(202).data["batch_id"] for keep in (0, 1)]

    for batch in forgotten:
        until_forgotten(client, batch)
    for batch in (kept, usual):
        equal(client.state(batch)["current_state"], "completed", "what stays")


@test
def kept_while_open(suite):
    """a batch that has not ended is not forgotten, however short its keep_ms"""
    client = suite.client
    batch = post(client, {"keep_ms": 0}, inputs=[3_600_000, 3_600_000]).is_(202).data["batch_id"]
    client.until_running(batch, 2)

    client.change(batch, {"mode": "immediate"}).is_(200)

    until_forgotten(client, batch)


@test
def server_keep(suite):
    """--keep says how long batches are kept that do not say themselves"""
    for given, keep_ms in (("3600", 3_600_000), ("1h", 3_600_000), ("30d", 2_592_000_000),
                           ("45m", 2_700_000), ("10s", 10_000)):
        with suite.start("--keep", given) as server:
            client = suite.client_of(server)
            shown = client.status(client.run("sleep", [0]))["options"]["keep_ms"]
            equal(shown, keep_ms, f"keep_ms with --keep {given}")
    with suite.start("--keep", "0") as server:
        client = suite.client_of(server)
        kept = client.run("sleep", [0], options={"keep_ms": 3_600_000})

        until_forgotten(client, post(client, {}).is_(202).data["batch_id"])

        equal(client.state(kept)["current_state"], "completed", "what stays")
