#!/usr/bin/python3
"""The same as events.mjs, with http.client: events.py URL KEY"""
import http.client
import json
import sys
import time
from urllib.parse import urlsplit

url, key = urlsplit(sys.argv[1]), sys.argv[2]
last_id, is_ready = None, False


def events(answer):
    """Blocks of fields, one for each event."""
    fields = {}
    while line := answer.readline().decode():
        line = line.rstrip("\n")
        if not line:
            yield fields
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields[name] = value.lstrip(" ")


while True:
    try:
        connection = http.client.HTTPConnection(url.hostname, url.port)
        connection.request("GET", f"{url.path}?{url.query}",
                           headers={"X-Api-Key": key, **({"Last-Event-ID": last_id} if last_id else {})})
        for fields in events(connection.getresponse()):
            last_id = fields.get("id", last_id)
            if not is_ready:
                print("ready", flush=True)
            is_ready = True
            if fields.get("event") == "resync":
                print("resync", flush=True)
            data = json.loads(fields.get("data", "{}"))
            if fields.get("event") == "job.ended":
                print(data["batch_id"], data["job"], flush=True)
            if fields.get("event") == "batch.completed" and data["batch_name"] == "last":
                sys.exit(0)
    except (OSError, http.client.HTTPException):
        pass
    time.sleep(0.1)
