"""What goes on while a resource is short: each is a moment of a life, from the first start to what
comes after a crash."""

import json

from checks import check, equal, one_of, until

from life import HOUR, Crowd
from load import JSON


def start(life):
    """The first start."""
    with life.started_short() as is_there:
        if is_there:
            batch = life.create("sleep", [0] * 3)
            victim = life.create("sleep", [HOUR] * 4, is_finite=False)
            if victim:
                life.cancel(victim)
            if batch:
                life.look(batch)
    life.start()


def create(life):
    """Batches are created, small and large, of bodies and of programs."""
    life.start()
    victims = life.victims()
    with life.short():
        for _ in range(2):
            life.create("sleep", [0] * 5)
            life.create("quick", [{}] * 3)
            life.create("sleep", [0] * 2000, concurrency=2)
        life.linger()
        life.cancel_all(victims)


def run(life):
    """Programs and bodies run, and further ones are started."""
    life.start()
    batches = [life.create("quick", [{}] * 24), life.create("sleep", [20] * 60),
               life.create("checksum", ["0.bin"] * 60)]
    victim = life.running("long", {}, 6, 3, concurrency=3)
    with life.short():
        life.linger()
        for batch in batches:
            life.look(batch)
        life.linger()
        life.cancel(victim)


def cancel(life):
    """Batches are cancelled, on connections that are there and on new ones; and a single job."""
    life.start()
    alone = life.running("long", {}, 2, 1, concurrency=1)
    victims = [*life.victims(), life.create("sleep", [HOUR] * 4, is_finite=False)]
    with life.short():
        life.cancel_all(victims)
        alone.jobs_asked.add(0)
        answer = life.ask(lambda client: client.change_job(alone.id, 0))
        alone.jobs_cancelled[0] = answer.is_(200).data
        life.cancel(alone)


def seal(life):
    """What was cancelled ends: programs that have to be killed, and bodies."""
    life.start()
    victims = [life.running("stubborn", {}, 4, 2),
               life.running("sleep", HOUR, 4, 1, concurrency=1)]
    life.cancel(victims[0], statuses=(202,), Prefer="respond-async")
    with life.short():
        life.cancel(victims[1])
        state = until(lambda: (now := life.ask(lambda client: client.state(victims[0].id)))
                      ["current_state"] == "cancelled" and now, "the end of a cancelled batch")
        victims[0].saw_state(state)
        life.in_time(state)
        equal(state["jobs"]["killed"], 2, "programs that were killed")


def restart(life):
    """After a crash, with batches that go on and one that was being cancelled."""
    life.start()
    life.create("sleep", [5] * 200)
    life.create("quick", [{}] * 20)
    going = life.running("long", {}, 6, 3, concurrency=3)
    cancelled = life.running("stubborn", {}, 4, 2)
    life.cancel(cancelled, statuses=(200, 202), Prefer="respond-async")
    life.look(going)
    life.server.kill()
    with life.started_short() as is_there:
        if is_there:
            state = life.ask(lambda client: client.state(cancelled.id))
            one_of(state["current_state"], ("cancelling", "cancelled"), "the state")
            life.cancel(going)
        check(is_there or life.resource.restart_may_fail, "the server did not start again")
    life.start()


def crowd(life):
    """Many clients do everything at once, while it comes and goes."""
    life.start()
    with Crowd(life, life.folder.name):
        for _ in range(4):
            with life.short():
                life.linger()
            life.linger()


def flood(life):
    """Requests come that want more memory than there is."""
    life.start()
    victims = life.victims()
    body = json.dumps({"type": "nothing", "inputs": ["x" * 20_000] * 350})
    with life.short():
        for _ in range(3):
            answer = life.ask(lambda client: client.call("POST", "/v1/batches", headers=JSON,
                                                         data=body))
            one_of(answer.status, (400, 503), f"the status of a bad request: {answer.text[:200]}")
            life.tell(f"{answer.status}")
        life.cancel_all(victims)


MOMENTS = (start, create, run, cancel, seal, restart, crowd, flood)
