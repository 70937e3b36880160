#!/usr/bin/python3
"""Runs events.mjs as it stands in a page of the server, in Chromium: events_chromium.py URL KEY

The page is `/` of the server, so it has the same origin. Chromium is driven through a pipe by its
DevTools protocol: JSON between NULs, in on descriptor 3 and out on descriptor 4. It ends when that
pipe is closed, so also when this is killed.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from urllib.parse import urljoin

SCRIPT = pathlib.Path(__file__).with_name("events.mjs")
PROGRAMS = ["chromium", "chromium-browser", "google-chrome"]
# It opens nothing but the server under test; and as root, or in a container, it has no sandbox.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
           "--no-proxy-server", "--disable-background-networking", "--disable-component-update",
           "--remote-debugging-pipe"]
# What events.mjs has of node. It is not to go on after it has said that it ends.
NODE = """
globalThis.process = {
  argv: ["node", "events.mjs", %s, %s],
  exit(status) { ended(String(status)); return new Promise(() => {}); },
};
"""


class Chromium:
    def __init__(self, profile):
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            sys.exit("there is no " + " or ".join(PROGRAMS))
        to_browser, self.commands = os.pipe()
        answers, from_browser = os.pipe()
        self.process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "sh",
             program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(to_browser, from_browser), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.answers = open(answers, "rb", buffering=0)
        self.rest = b""
        self.sent = 0
        self.events = []

    def close(self):
        os.close(self.commands)
        self.answers.close()
        try:
            self.process.wait(timeout=10)
        finally:
            self.process.kill()

    def read(self):
        """The next message."""
        while b"\0" not in self.rest:
            more = self.answers.read(1 << 16)
            if not more:
                sys.exit(f"chromium has ended, status {self.process.wait()}")
            self.rest += more
        text, _, self.rest = self.rest.partition(b"\0")
        return json.loads(text)

    def send(self, method, session=None, **parameters):
        self.sent += 1
        message = {"id": self.sent, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self.commands, json.dumps(message).encode() + b"\0")

    def call(self, method, session=None, **parameters):
        """What a method gives; events that come meanwhile are kept for `next_message`."""
        self.send(method, session, **parameters)
        while (answer := self.read()).get("id") != self.sent:
            self.events.append(answer)
        if "error" in answer:
            sys.exit(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def next_message(self):
        return self.events.pop(0) if self.events else self.read()

    def open(self, url):
        """A session with a new page, which has loaded that."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable", session)
        self.call("Runtime.enable", session)
        fault = self.call("Page.navigate", session, url=url).get("errorText")
        if fault:
            sys.exit(f"{url}: {fault}")
        while self.next_message().get("method") != "Page.loadEventFired":
            pass
        return session


def fault_of(answer):
    exception = answer.get("result", {}).get("exceptionDetails", {}).get("exception", {})
    return exception.get("description") or json.dumps(answer)


def run(browser, url, key):
    session = browser.open(urljoin(url, "/"))
    browser.call("Runtime.addBinding", session, name="ended")
    script = NODE % (json.dumps(url), json.dumps(key)) + SCRIPT.read_text()
    # In this mode `await` may stand outside of functions, as in a module; so an answer comes only where
    # the script has failed.
    browser.send("Runtime.evaluate", session, expression=script, replMode=True)
    while True:
        message = browser.next_message()
        said = message.get("params", {})
        if message.get("method") == "Runtime.consoleAPICalled":
            print(*(each.get("value") for each in said["args"]), flush=True)
        elif message.get("method") == "Runtime.bindingCalled":
            sys.exit(int(said["payload"]))
        elif "id" in message:
            sys.exit(fault_of(message))


with tempfile.TemporaryDirectory(prefix="belay-chromium-", ignore_cleanup_errors=True) as folder:
    chromium = Chromium(folder)
    try:
        run(chromium, *sys.argv[1:])
    finally:
        chromium.close()
