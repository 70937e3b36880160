"""The blocks of docs/guide/server.md that the tests run as they stand there."""

import pathlib
import shlex

from checks import equal
from documents import taken_apart

GUIDE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "guide" / "server.md"

# What the guide calls things; what the tests put in their place is up to them.
UPSTREAM = "127.0.0.1:8700"
NAME = "batches.example.com"


def block(mark):
    """The one that has `mark` in it."""
    blocks, _, _ = taken_apart(GUIDE.read_text())
    found = ["\n".join(lines) + "\n" for _, _, lines in blocks if mark in "\n".join(lines)]
    equal(len(found), 1, f"how many blocks of {GUIDE.name} have {mark!r}")
    return found[0]


def replaced(text, *replacements):
    """The block with other addresses in it; everything else stays word for word."""
    for old, new in replacements:
        equal(text.count(old), 1, f"how often {old!r} stands in the block")
        text = text.replace(old, new)
    return text


def options():
    """Those of `belay serve` that go with the proxies."""
    words = shlex.split(block("--trusted-proxy").removeprefix("$ "))
    equal(words[:2], ["belay", "serve"], "how the command of the guide begins")
    return words[2:]
