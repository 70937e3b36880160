"""What every answer looks like, whatever it is about: exact members, types and times."""

import datetime
import json
import re

from checks import check, equal, one_of

BATCH_ID = re.compile(r"batch-[0-9abcdefghjkmnpqrstvwxyz]{26}")
MICROS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
BATCH_STATES = ("created", "running", "cancelling", "completed", "failed", "cancelled", "expired")
TERMINAL = ("completed", "failed", "cancelled", "expired")
JOB_STATES = ("pending", "running", "succeeded", "failed", "cancelled")
DISPOSITIONS = ("not_started", "stopped", "terminated", "killed", "abandoned", "lost")
ERROR_CODES = ("failed", "timeout", "input", "exit", "signal", "crash_loop", "stopped")
SUMMED = ("pending", "succeeded", "failed", *DISPOSITIONS, "still_running")

number = object()  # any JSON number
count = object()   # an integer, at least 0
text = str
micros = object()
seconds = object()


def maybe(kind):
    return ("maybe", kind)


def word(*words):
    return ("word", words)


def members(value, wanted, what):
    """`value` is an object with exactly the members of `wanted`, each of its kind."""
    check(isinstance(value, dict), f"{what} is no object: {value!r}")
    missing = [name for name in wanted if name not in value]
    extra = [name for name in value if name not in wanted]
    check(not missing and not extra, f"{what}: missing {missing}, not wanted {extra}")
    for name, kind in wanted.items():
        of_kind(value[name], kind, f"{what}.{name}")


def of_kind(value, kind, what):
    if isinstance(kind, tuple) and kind[0] == "maybe":
        if value is not None:
            of_kind(value, kind[1], what)
    elif isinstance(kind, tuple) and kind[0] == "word":
        one_of(value, kind[1], what)
    elif isinstance(kind, dict):
        members(value, kind, what)
    elif kind is number:
        check(type(value) in (int, float), f"{what} is no number: {value!r}")
    elif kind is count:
        check(type(value) is int and value >= 0, f"{what} is no count: {value!r}")
    elif kind is micros:
        check(type(value) is str and MICROS.fullmatch(value),
              f"{what} is no time with six decimals: {value!r}")
    elif kind is seconds:
        check(type(value) is str and SECONDS.fullmatch(value),
              f"{what} is no time to the second: {value!r}")
    else:
        check(type(value) is kind, f"{what} is no {kind.__name__}: {value!r}")


MOMENTS = {"recorded_us": maybe(count), "interrupted_us": maybe(count), "last_job_ended_us": maybe(count),
           "sealed_us": maybe(count)}
CANCEL = {
    "moments": MOMENTS,
    "requested_at": micros, "finished_at": maybe(micros), "deadline_at": maybe(micros),
    "mode": word("graceful", "immediate", "drain"), "grace_ms": maybe(count),
    "cause": word("user", "token", "deadline", "fail_fast", "backend"), "requested_by": maybe(text),
    "reason": maybe(text), "request_id": maybe(text), "traceparent": maybe(text),
    "escalated": maybe({"at": micros, "by": text, "mode": word("graceful", "immediate"),
                        "grace_ms": count}),
}
ACCOUNT = {name: count for name in ("total", *SUMMED, "late")}
STATE = {
    "batch_id": text, "previous_state": word(*BATCH_STATES), "current_state": word(*BATCH_STATES),
    "timestamp": seconds, "changed": bool, "cancel": maybe(CANCEL), "jobs": ACCOUNT,
}
JOB_STATE = {
    "batch_id": text, "job": count, "previous_state": word(*JOB_STATES),
    "current_state": word(*JOB_STATES), "disposition": maybe(word(*DISPOSITIONS)),
    "timestamp": seconds, "changed": bool,
}
JOB = {
    "job": count, "state": word(*JOB_STATES), "disposition": maybe(word(*DISPOSITIONS)),
    "late": bool, "attempt": count, "started_at": maybe(micros), "ended_at": maybe(micros),
    "progress": maybe(number), "error": maybe({"code": word(*ERROR_CODES), "message": text}),
    "process": maybe({"exit_status": maybe(number), "signal": maybe(number), "cpu_user_ms": number,
                      "cpu_system_ms": number, "memory_peak_bytes": number, "read_bytes": number,
                      "written_bytes": number}),
    "cancel": maybe({"requested_at": micros, "requested_by": maybe(text), "reason": maybe(text),
                     "mode": word("graceful", "immediate"), "request_id": maybe(text),
                     "traceparent": maybe(text)}),
    "input": dict, "result": maybe(dict),
}
TIMING = {"created_at": micros, "started_at": maybe(micros), "ended_at": maybe(micros),
          "estimated_completion": maybe(micros)}
PROGRESS = {"percentage": number, "completed": count, "total": count}
OPTIONS = {
    "concurrency": count, "weight": count, "deadline_ms": maybe(count),
    "failure_policy": word("continue", "fail_fast"), "max_attempts": count, "backoff_ms": count,
    "backoff_max_ms": count, "timeout_ms": maybe(count), "grace_ms": count,
    "keep_ms": maybe(count),
}
JOBS = {name: count for name in ("total", *JOB_STATES)}


PAGED = {"next_cursor": maybe(text), "has_more": bool}


def paged(data):
    """The end of a list that is read by parts."""
    equal(data["has_more"], data["next_cursor"] is not None, "has_more beside next_cursor")


def parse(text):
    """The JSON of an answer, in which no number has an exponent."""
    def decimal(number):
        check("e" not in number.lower(), f"the number {number}")
        return float(number)

    return json.loads(text, parse_float=decimal)


def envelope(body):
    """The data of a success."""
    check(isinstance(body, dict), f"the answer is no object: {body!r}")
    extra = set(body) - {"success", "message", "data"}
    check(not extra and "data" in body, f"the envelope has the members {sorted(body)}")
    equal(body["success"], True, "success")
    of_kind(body.get("message"), maybe(text), "message")
    return body["data"]


def error(body, status, request_id, code=None):
    """The details of a refusal."""
    check(isinstance(body, dict), f"the error is no object: {body!r}")
    wanted = {"success": bool, "message": text, "code": text, "status_code": int,
              "request_id": text}
    if "details" in body:
        wanted["details"] = dict
    members(body, wanted, "the error")
    equal(body["success"], False, "success")
    equal(body["status_code"], status, "status_code")
    equal(body["request_id"], request_id, "request_id beside X-Request-Id")
    check(body["message"], "the error has an empty message")
    if code is not None:
        equal(body["code"], code, "code")
    return body.get("details", {})


def moment(value):
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in value else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.datetime.strptime(value, form)


def account(jobs):
    """G6, as the state endpoint shows it."""
    members(jobs, ACCOUNT, "jobs")
    equal(sum(jobs[name] for name in SUMMED), jobs["total"], f"the sum of {jobs}")
    check(jobs["late"] <= jobs["succeeded"], f"more late than succeeded: {jobs}")
    return jobs


def cancel_block(block, current):
    members(block, CANCEL, "cancel")
    deadline, mode = block["deadline_at"], block["mode"]
    equal(block["grace_ms"] is None, mode == "drain", "grace_ms being null")
    if mode == "immediate":
        equal(block["grace_ms"], 0, "grace_ms of mode immediate")
    if mode != "drain" or block["escalated"]:
        check(deadline is not None, "deadline_at is null")
    else:
        equal(deadline, None, "deadline_at of mode drain")
    equal(block["requested_by"] is not None, block["cause"] == "user", "requested_by being there")
    equal(block["finished_at"] is not None, current in TERMINAL, "finished_at being there")
    for later in (block["finished_at"], deadline):
        check(later is None or later >= block["requested_at"], f"out of order: {block}")


def state(data, **wanted):
    """The data of the state endpoint; `wanted` are members that must have these values."""
    if "waiting_for" in data:
        equal(data["waiting_for"], "store", "waiting_for")
        data = {name: value for name, value in data.items() if name != "waiting_for"}
    members(data, STATE, "data")
    check(BATCH_ID.fullmatch(data["batch_id"]), f"a bad batch_id: {data['batch_id']}")
    account(data["jobs"])
    current = data["current_state"]
    if data["cancel"] is not None:
        cancel_block(data["cancel"], current)
        equal(data["jobs"]["pending"], 0, "pending after the gate was closed")
    if current == "cancelled":
        check(data["cancel"] is not None, "cancelled without a cancel block")
        equal(data["timestamp"], data["cancel"]["finished_at"][:19] + "Z", "timestamp")
    if current in TERMINAL:
        equal(data["jobs"]["still_running"], 0, "still_running at the end")
    for name, value in wanted.items():
        equal(data[name], value, name)
    return data


def job(data, state_name="state", filename=False):
    """One job, as it is shown alone, in /jobs and in job_results."""
    wanted = {state_name if name == "state" else name: kind for name, kind in JOB.items()}
    if filename or "filename" in data:
        wanted["filename"] = maybe(text)
    members(data, wanted, "the job")
    now, started, over = data[state_name], data["started_at"], data["ended_at"]
    equal(data["disposition"] is not None, now == "cancelled", "a disposition being there")
    # What it threw when it was stopped is no failure.
    thrown = (data["error"] or {}).get("code") == "stopped"
    check(not thrown or data["disposition"] == "stopped", f"an error of a stop: {data}")
    failed = data["error"] is not None and not thrown
    if now == "failed" or data["attempt"] == 1:
        equal(failed, now == "failed", "an error being there")
    elif failed:
        check(now == "pending" or data["disposition"] == "not_started", f"an error: {data}")
    if data["progress"] is not None:  # single precision, written as short as that is
        check(len(repr(data["progress"]).partition("e")[0].lstrip("0.")) <= 9, data["progress"])
    equal(over is not None, now in ("succeeded", "failed", "cancelled"), "ended_at being there")
    # When an attempt began that a crash ended is not always known.
    lost = data["disposition"] == "lost" or (data["error"] or {}).get("code") == "crash_loop"
    check(lost or (started is not None) == (data["disposition"] != "not_started"
                                            and now != "pending"), f"started_at: {data}")
    if started and over:
        check(started <= over, f"ended before it started: {data}")
    equal(data["result"] is not None, now == "succeeded", "a result being there")
    return data


def status(data, **wanted):
    """The data of GET /v1/batches/{id}, without job details."""
    members(data, {"batch_id": text, "batch_name": maybe(text),
                   "status": word(*BATCH_STATES), "progress": PROGRESS, "timing": TIMING,
                   "type": text, "options": OPTIONS, "jobs": JOBS, "errors": list,
                   "collection": maybe(text), "cancel": maybe(CANCEL), "owner": text,
                   "created_by": maybe(text), "from": maybe(text), "request_id": maybe(text),
                   "traceparent": maybe(text)}, "data")
    jobs, progress = data["jobs"], data["progress"]
    equal(sum(jobs[name] for name in JOB_STATES), jobs["total"], f"the sum of {jobs}")
    over = jobs["succeeded"] + jobs["failed"] + jobs["cancelled"]
    equal(progress["completed"], over, "progress.completed")
    equal(progress["total"], jobs["total"], "progress.total")
    check(abs(progress["percentage"] - 100 * over / jobs["total"]) < 1, f"{progress}, {jobs}")
    equal(data["timing"]["ended_at"] is not None, data["status"] in TERMINAL,
          "ended_at being there")
    for one in data["errors"]:
        members(one, {"code": word(*ERROR_CODES), "message": text, "count": count}, "errors[]")
    for name, value in wanted.items():
        equal(data[name], value, name)
    return data


