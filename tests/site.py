#!/usr/bin/python3
"""Holds the site in bin/docs against itself: what its pages lead to is there, nothing comes from elsewhere, the side
bar has every document, and the plots have colours for light and dark.

The last line is `N passed, N failed`; the status is 1 if any failed.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "bin/docs"


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.names, self.links, self.parts = set(), [], []
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.names |= {given[name] for name in ("id", "name") if given.get(name)}
        if given.get("href"):
            (self.parts if tag == "link" else self.links).append(given["href"])
        self.parts += [given[name] for name in ("src", "data") if given.get(name)]


def faults(path, pages):
    page = pages[path]
    for part in page.parts:
        if urlsplit(part).netloc:
            yield f"{part} is elsewhere"
    for link in page.parts + page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = path.parent / unquote(parts.path) if parts.path else path
        if not target.is_file():
            yield f"{link} leads nowhere"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].names:
            yield f"{link} names nothing there"


def faults_of_side_bar():
    listed = set(re.findall(r'", "([^"]*)"', (SITE / "navtreedata.js").read_text()))
    listed = {link.partition("#")[0] for link in listed}
    for link in listed:
        if "." in link and not (SITE / link).is_file() or link.startswith("@"):
            yield f"{link} leads nowhere"
    for path in (ROOT / "docs").rglob("*.md"):
        name = path.relative_to(ROOT / "docs").with_suffix("")
        if "_".join(name.parts) + ".html" not in listed:
            yield f"docs/{name}.md is not in it"


def faults_of_plots():
    for path in sorted(SITE.glob("benchmarks/*.svg")):
        if "prefers-color-scheme" not in path.read_text():
            yield f"{path.name} does not ask for prefers-color-scheme"


def main():
    pages = {path: Page(path) for path in sorted(SITE.glob("*.html"))}
    found = {path.name: sorted(set(faults(path, pages))) for path in pages}
    found["the side bar"] = sorted(faults_of_side_bar())
    found["the plots"] = list(faults_of_plots())
    for name in found:
        if found[name]:
            print(f"FAILED  {name}: {'; '.join(found[name])}")
    failed = sum(1 for name in found if found[name])
    print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
