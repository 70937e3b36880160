"""requests_client.py URL: makes the requests of its standard input, with requests. Each is a line:
method, target, body (a file, +FILE to be sent in chunks, or -) and fields, between tabs. Prints the
status of each."""

import sys

import requests


def pieces(file):
    while piece := file.read(65536):
        yield piece


def made(session, url, line):
    method, target, body, *fields = line.rstrip("\n").split("\t")
    headers = dict(field.split(": ", 1) for field in fields)
    if body == "-":
        return session.request(method, url + target, headers=headers)
    with open(body.removeprefix("+"), "rb") as file:
        data = pieces(file) if body.startswith("+") else file
        return session.request(method, url + target, headers=headers, data=data)


with requests.Session() as session:
    session.trust_env = False
    for line in sys.stdin:
        try:
            print(made(session, sys.argv[1], line).status_code, flush=True)
        except requests.RequestException as fault:
            print(f"error: {fault!r}", flush=True)
