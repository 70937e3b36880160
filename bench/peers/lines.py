"""How a peer in Python speaks with the driver: requests and answers, each a JSON object on a line of its own.

docs/benchmarks/cancelbench.md says what they mean.
"""
import json
import sys
import time

now = time.monotonic_ns


def say(message):
    print(json.dumps(message), flush=True)


def speak(introduction, scripts):
    """Introduces the peer, then answers requests, each by the function of its script, until there are no more."""
    say({"cancelbench": 1, **introduction, "scripts": [name for name in scripts if name != "recover"]})
    for line in sys.stdin:
        try:
            request = json.loads(line)
            say(scripts[request["script"]](request))
        except Exception as error:
            say({"error": f"{type(error).__name__}: {error}"})


def wait_until(what, condition, pause=0.001, seconds=60):
    """Waits until `condition` holds; `what` says in the error's text what did not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds} seconds")
        time.sleep(pause)
