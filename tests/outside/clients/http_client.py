"""http_client.py URL: makes the requests of its standard input, with http.client, on one
connection as long as it lasts. Each is a line: method, target, body (a file, +FILE to be sent in
chunks, or -) and fields, between tabs. Prints the status of each."""

import contextlib
import http.client
import sys
import urllib.parse


def made(connection, line):
    method, target, body, *fields = line.rstrip("\n").split("\t")
    headers = dict(field.split(": ", 1) for field in fields)
    if body == "-":
        connection.request(method, target, headers=headers)
    else:
        with open(body.removeprefix("+"), "rb") as file:  # which it sends in chunks
            data = file if body.startswith("+") else file.read()
            connection.request(method, target, data, headers)
    response = connection.getresponse()
    response.read()
    return response.status


address = urllib.parse.urlsplit(sys.argv[1])
with contextlib.closing(http.client.HTTPConnection(address.netloc, timeout=60)) as connection:
    for line in sys.stdin:
        try:
            print(made(connection, line), flush=True)
        except (OSError, http.client.HTTPException) as fault:
            connection.close()
            print(f"error: {fault!r}", flush=True)
