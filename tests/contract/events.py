"""A reader of server-sent events, as the HTML standard has them."""

import http.client
import json
import socket
from urllib.parse import urlsplit

from checks import DEADLINE, Failure, check, equal


class Event:
    def __init__(self, name, id, data):
        self.name, self.id, self.data = name, id, data

    def __repr__(self):
        return f"{self.name} {self.id} {self.data}"


class Reader:
    """Of `/v1/events`, or of one batch. A context; `last_id` is where it has come to."""

    def __init__(self, client, batch=None, query="", last_id=None, key=None):
        where = urlsplit(client.url)
        self.connection = http.client.HTTPConnection(where.hostname, where.port, timeout=DEADLINE)
        headers = {"X-Api-Key": key or client.key, "Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        self.connection.request("GET", (f"/v1/batches/{batch}" if batch else "/v1") + "/events" + query,
                                headers=headers)
        self.response = self.connection.getresponse()
        self.last_id, self.retry = last_id, None

    def __enter__(self):
        equal(self.response.status, 200, "the status")
        equal(self.response.headers["Content-Type"], "text/event-stream", "Content-Type")
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.response.close()
        self.connection.close()

    def next(self):
        """The next event; None at the end of the stream."""
        name, data = "message", None
        while True:
            try:
                line = self.response.readline()
            except socket.timeout:
                raise Failure("waited in vain for an event")
            if not line:
                return None
            line = line.decode().rstrip("\n")
            if not line:
                if data is not None:
                    return Event(name, self.last_id, json.loads(data))
                name = "message"
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "id":
                self.last_id = value
            elif field == "event":
                name = value
            elif field == "data":
                check(data is None, "data is one line")
                data = value
            elif field == "retry":
                self.retry = int(value)
            else:
                check(field == "", f"a line that is none: {line!r}")

    def until(self, name, batch=None):
        """All events up to the first of that name, of that batch."""
        events = []
        while True:
            event = self.next()
            if event is None:
                raise Failure(f"the stream ended before {name}: {events}")
            events.append(event)
            if event.name == name and (batch is None or event.data["batch_id"] == batch):
                return events
