#!/usr/bin/python3
"""Checks that each folder of the sources includes only what it may, and that no file includes itself
by a way around.

The tables below say it for each folder; docs/design.md says the same of those right below src/, which
is checked, too. One case is counted for each folder, and one for each library that has folders of its
own. The last line is "N passed, M failed".
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^#include ([<"])([^>"]+)[>"]', re.MULTILINE)

# A folder, and those that it may include: files of a folder itself, not of the ones inside it.
ENGINE = {
    "base": [],
    "store": ["base"],
    "store/files": ["base", "store"],
    "store/memory": ["base", "store"],
    "store/sqlite": ["base", "store", "store/files"],
    "batch": ["base", "store"],
    "backend/threads": ["base"],
    "backend/process": ["base", "store/files"],
    "recorded": ["base", "store", "store/files", "batch", "backend/process"],
    "engine": ["base", "store", "store/files", "batch", "backend/threads", "backend/process",
               "recorded"],
    "api": ["base", "store", "store/files", "batch", "recorded", "engine"],
}
HTTP = {
    "message": [],
    "service": ["message"],
    "resources": ["message", "service"],
    "types": ["message"],
    "server": ["message", "service", "resources"],
    "program": ["message", "types"],
}
BENCH = {
    "suite": [],
    "figures": ["suite"],
    "cancelbench": ["suite", "figures"],
}
# Libraries of others that are used in these folders alone.
OTHERS = {
    "boost/asio": ["engine/src/base", "engine/src/batch", "engine/src/backend", "http/src/server",
                   "http/src/program", "engine/include/belay/asio.hpp",
                   "engine/include/belay/detail/coroutine_run.hpp", "http/include/belay/http"],
    "boost/beast": ["http/src/server", "http/src/program"],
    "boost/json": ["http"],
    "sqlite3.h": ["engine/src/store/sqlite"],
    "SQLiteCpp": ["engine/src/store/sqlite"],
    "openssl": ["http/src/message", "http/src/service", "http/src/types"],
    "spdlog": ["http/src/server", "http/src/program"],
    "CLI": ["http/src/program"],
    "re2": ["http/src/types"],
    "toml++": ["http/src/types"],
    "zstd.h": ["http/src/types"],
    "zlib.h": ["http/src/message"],
}


def sources(*folders):
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.?pp"))]


def includes(path):
    return [(quote, name) for quote, name in INCLUDE.findall(path.read_text())]


def faults_of_room(base, room, table):
    """What the files of one folder include, and may not."""
    for path in sorted((ROOT / base / room).glob("*.?pp")):
        name = path.relative_to(ROOT)
        for quote, included in includes(path):
            is_below = (ROOT / base / included).is_file()
            if quote == "<" and not is_below:
                if base.startswith("engine") and included.startswith("belay/http/"):
                    yield f"{name} includes <{included}>"
                continue
            if not is_below:
                if base + "/" + room == "http/src/program" and (ROOT / "bench/src" / included).is_file():
                    continue  # `belay bench`
                yield f'{name} includes "{included}", which is not below {base}'
                continue
            other = str(Path(included).parent)
            if other != room and other not in table[room]:
                yield f'{name} includes "{included}"'


def faults_of_public_headers(base, may):
    for path in sources(base):
        for quote, included in includes(path):
            if quote == '"' or (included.startswith("belay/") and not included.startswith(may)) or \
                    (included.startswith("belay/http/") and base.startswith("engine")):
                yield f"{path.relative_to(ROOT)} includes {included}"


def faults_of_other(library, folders):
    for path in sources("engine", "http"):
        name = str(path.relative_to(ROOT))
        for _, included in includes(path):
            if (included == library or included.startswith(library + "/")) and \
                    not name.startswith(tuple(folders)):
                yield f"{name} includes <{included}>"


def cycles(base):
    """Headers that include themselves by a way around."""
    graph = {str(path.relative_to(ROOT / base)): [name for quote, name in includes(path) if quote == '"']
             for path in sources(base) if path.suffix == ".hpp"}
    done, found = set(), []

    def visit(name, way):
        if name in way:
            found.append(" -> ".join(way[way.index(name):] + [name]))
        elif name not in done:
            for other in graph.get(name, []):
                visit(other, way + [name])
            done.add(name)

    for name in graph:
        visit(name, [])
    return found


def rooms(base, table):
    """Each folder with sources has a line in the table."""
    there = {str(path.parent.relative_to(ROOT / base)) for path in sources(base)}
    return [f"{base}/{room} is not in the table" for room in sorted(there - set(table))] + \
           [f"{base}/{room} has no files" for room in sorted(set(table) - there)]


def folders_of(table):
    """The folders right below src/, and which of these each may include."""
    found = {}
    for room, others in table.items():
        top = room.split("/")[0]
        found.setdefault(top, set()).update({other.split("/")[0] for other in others} - {top})
    return found


def faults_of_document(base, table):
    text = (ROOT / "docs/design.md").read_text()
    rows = dict(re.findall(rf"^\| `{base}/(\w+)/` \|.*\| ?([^|]*)\|$", text, re.MULTILINE))
    for folder, others in folders_of(table).items():
        said = set(re.findall(r"`(\w+)`", rows.get(folder, "")))
        if folder not in rows or said != others:
            yield f"docs/design.md: {base}/{folder} includes {', '.join(sorted(others)) or 'none'}, " \
                  f"not {', '.join(sorted(said)) or 'none'}"


def main():
    cases = {}
    for base, table in (("engine/src", ENGINE), ("http/src", HTTP)):
        for room in table:
            cases[f"{base}/{room}"] = list(faults_of_room(base, room, table))
        cases[f"{base}: the folders"] = rooms(base, table)
        cases[f"{base}: no header includes itself"] = cycles(base)
        cases[f"{base}: docs/design.md"] = list(faults_of_document(base, table))
    for room in BENCH:
        cases[f"bench/src/{room}"] = list(faults_of_room("bench/src", room, BENCH))
    cases["bench/src: the folders"] = rooms("bench/src", BENCH)
    cases["bench/src: no header includes itself"] = cycles("bench/src")
    cases["engine/include"] = list(faults_of_public_headers("engine/include", "belay/"))
    cases["http/include"] = list(faults_of_public_headers("http/include", "belay/"))
    for library, folders in OTHERS.items():
        cases[library] = list(faults_of_other(library, folders))
    failed = 0
    for name, found in cases.items():
        print(f"FAILED  {name}: {'; '.join(found)}" if found else f"ok      {name}")
        failed += bool(found)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
