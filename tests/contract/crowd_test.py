"""G10: a cancel is answered whatever the other clients, and the workers, are at."""

import shapes
from checks import check, until
from suite import test
from wire import put, request, wires

JSON = "Content-Type: application/json"


def half_header(server):
    return request(server, "POST", "/v1/batches", JSON)[:-7]


def half_body(server):
    return request(server, "POST", "/v1/batches", JSON, "Content-Length: 500", body='{"type":')


def half_cancel(server, batch):
    return put(server, batch, JSON, "Content-Length: 50", body='{"state"')


def cancelled(client, batch):
    """By a new connection."""
    client.session.close()
    shapes.state(client.change(batch).is_(200).data, current_state="cancelled", changed=True)


def crowd_out(suite, text_of):
    """Eight connections are all there may be, and all of them are taken."""
    with suite.start("--connections-max", "8") as server:
        client = suite.client_of(server)
        batches = [client.sleeping(jobs=2), client.create("sleep", [3_600_000])]
        client.session.close()
        with wires(server, 8) as crowd:
            for number, wire in enumerate(crowd):
                wire.send(text_of(server, number))
            for batch in batches:
                cancelled(client, batch)


@test
def idle_connections(suite):
    """with --connections-max 8 and 8 idle connections a new cancel is answered"""
    crowd_out(suite, lambda server, number: "")


@test
def kept_connections(suite):
    """with 8 connections that were used and are kept"""
    with suite.start("--connections-max", "8") as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=2)
        client.session.close()
        with wires(server, 8) as crowd:
            for wire in crowd:
                wire.send(request(server, "GET", "/healthz")).answer().is_(200)
            cancelled(client, batch)


@test
def half_headers(suite):
    """with 8 connections that stopped in the middle of a header"""
    crowd_out(suite, lambda server, number: half_header(server))


@test
def half_bodies(suite):
    """with 8 connections that stopped in the middle of a body"""
    crowd_out(suite, lambda server, number: half_body(server))


@test
def half_cancels(suite):
    """with 8 connections that stopped in the middle of a cancel's body"""
    crowd_out(suite, lambda server, number: half_cancel(server, "batch-" + "0" * 26))


@test
def requests_under_way(suite):
    """with as many requests under way as there may be: 503 for others, not for a cancel"""
    with suite.start("--requests-max", "4") as server:
        client = suite.client_of(server)
        batch = client.sleeping(jobs=2)
        with wires(server, 4) as crowd:
            for wire in crowd:
                wire.send(half_body(server))
            def refusal():
                """Of a request too many; or else one of the crowd has been slow for long enough."""
                if (answer := client.get("/v1/batches")).status != 200:
                    return answer
                return next((wire.answer() for wire in crowd if wire.has_input()), None)

            refused = until(refusal, "the refusal of one request too many")
            refused.is_(503, "unavailable")
            for path in ("/healthz", "/readyz", f"/v1/batches/{batch}/state"):
                client.get(path).is_(200)
            cancelled(client, batch)


@test
def bodies_where_none_is_wanted(suite):
    """with as many requests whose body is not wanted and does not come: nobody is kept out"""
    with suite.start("--requests-max", "4") as server:
        client = suite.client_of(server)
        with wires(server, 8) as crowd:
            for wire in crowd:
                wire.send(request(server, "GET", "/v1/batches", "Content-Length: 60000"))
            for _ in range(8):
                client.session.close()
                client.get("/v1/batches").is_(200)


@test
def busy_workers_slow_clients(suite):
    """while every worker is busy and 50 slow clients sit on half a request, cancels are answered"""
    client = suite.client
    busy = client.create("spin", [86_400_000] * 1000)
    client.until_running(busy, 2)
    waiting = client.create("spin", [1000])
    with wires(suite.server, 50) as slow:
        for number, wire in enumerate(slow):
            wire.send((half_header(suite.server), half_body(suite.server),
                       half_cancel(suite.server, busy), "")[number % 4])

        data = shapes.state(client.change(waiting).is_(200).data, previous_state="created",
                            current_state="cancelled", changed=True)
        check(data["jobs"]["not_started"] == 1, f"{data['jobs']}")
        cancelled(client, busy)


@test
def waiting_cancels(suite):
    """while 40 cancels wait for a drain, another batch's cancel is answered"""
    client = suite.client
    draining = client.sleeping(jobs=2)
    other = client.create("sleep", [3_600_000])
    body = '{"mode":"drain"}'
    with wires(suite.server, 40) as crowd:
        for wire in crowd:
            wire.send(put(suite.server, draining, JSON, f"Content-Length: {len(body)}", body=body))
        client.until_state(draining, "cancelling")
        cancelled(client, other)
        client.change(draining, {"mode": "immediate"}).is_(200)
        changed = [shapes.state(wire.answer().is_(200).data)["changed"] for wire in crowd]
    check(sum(changed) == 1, f"{sum(changed)} answers say that they changed it")
