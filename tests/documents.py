#!/usr/bin/python3
"""Holds README.md and docs/ against the tree: what they show is shown as it is, what they name is there.

A block of C++ stands, word for word but for its indentation, as consecutive lines in one file of
docs/examples; one of CMake, make or b2 in one below tests/consumers. What docs/design.md and docs/gate.md
call a file, a function, a type, a member or a test case is there. The last line is `N passed, N failed`;
the status is 1 if any failed.
"""

import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What a block may be in, and which files it has to be found in.
SOURCES = {"cpp": "docs/examples/*.cpp"}
SOURCES.update(dict.fromkeys(("cmake", "make", "jam"), "tests/consumers/**/*"))
FREE = {"", "console", "sh", "json", "toml", "sql", "text", "mermaid"}

FENCE = re.compile(r"( *)(`{3,}|~{3,})\s*(\S*)")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)")
CODE = re.compile(r"(`+)((?:(?!\n\s*\n).)+?)\1(?!`)", re.DOTALL)
PLACE = re.compile(r"(?:docs|tests|engine|http|bench)/[^/\s][^\s]*|(?:docs|tests|engine|http|bench)/")
# Of the code: `function()`, `member_`, `test_case`, and the beginning of one, as in `test_…`.
NAMED = re.compile(r"([a-z0-9_]+)(?=\(\))|([A-Za-z0-9]+(?:_[a-z0-9]+)+_?)(?![a-z0-9_])")
SOURCE = re.compile(r"[\w/]+\.(?:cpp|hpp|py|pml)")
HEADING = re.compile(r"#{1,6} +(.*?)[ #]*$", re.MULTILINE)


def taken_apart(text):
    """The blocks of a document, as (line, language, lines), and its prose; each line stays where it is."""
    blocks, prose, block = [], [], None
    for number, line in enumerate(text.split("\n"), 1):
        fence = FENCE.match(line)
        if block is None and fence:
            indentation, mark, language = fence.groups()
            block = number, language, []
        elif block is None:
            prose.append(line)
            continue
        elif fence and fence[2].startswith(mark) and not fence[3]:
            blocks.append(block)
            block = None
        else:
            block[2].append(line.removeprefix(indentation))
        prose.append("")
    return blocks, "\n".join(prose), block


def dedented(lines):
    return textwrap.dedent("\n".join(lines)).split("\n")


def stands_in(wanted, path):
    lines = path.read_text(errors="replace").split("\n")
    return any(lines[i].strip() == wanted[0].strip() and dedented(lines[i:i + len(wanted)]) == wanted
               for i in range(len(lines) - len(wanted) + 1))


def faults_of_blocks(blocks):
    for number, language, lines in blocks:
        if language in FREE:
            continue
        if language not in SOURCES:
            yield f"line {number}: a block in {language}, which is none of " \
                  f"{', '.join(sorted(SOURCES) + sorted(FREE - {''}))}"
            continue
        wanted = dedented(lines)
        if not any(map(str.strip, wanted)):
            yield f"line {number}: an empty block"
        elif not any(stands_in(wanted, path) for path in sorted(ROOT.glob(SOURCES[language]))
                     if path.is_file()):
            yield f"line {number}: the block stands in no file of {SOURCES[language]}"


def anchors(path):
    """The names that headings have as targets of links, as GitHub makes them."""
    prose = taken_apart(path.read_text())[1]
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-")
            for heading in HEADING.findall(prose)}


def fault_of_link(document, target):
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    name, _, anchor = target.partition("#")
    path = document.parent / name if name else document
    if not path.exists():
        return f"{target} leads nowhere"
    if anchor and path.suffix == ".md" and anchor not in anchors(path):
        return f"{target} names no heading"
    return None


def faults_of_prose(document, prose):
    def line(match):
        return prose.count("\n", 0, match.start()) + 1

    for match in CODE.finditer(prose):
        name = match[2].strip()
        if PLACE.fullmatch(name) and not any(ROOT.glob(name.rstrip("/"))):
            yield f"line {line(match)}: there is no {name}"
    without_code = CODE.sub(lambda match: re.sub(r"[^\n]", "x", match[0]), prose)
    for match in LINK.finditer(without_code):
        fault = fault_of_link(document, match[1])
        if fault:
            yield f"line {line(match)}: {fault}"


def faults_of_names(prose):
    files = [path for folder in ("engine", "http", "tests", "packaging")
             for path in (ROOT / folder).rglob("*")
             if path.is_file() and "corpus" not in path.parts and path.suffix != ".pyc"]
    words = {word for path in files for word in re.findall(r"\w+", path.read_text())}
    words |= {path.stem for path in files}
    words |= {f"{path.parent.name}_{path.stem}" for path in (ROOT / "tests").rglob("*_test.cpp")}
    for match in CODE.finditer(prose):
        line = prose.count("\n", 0, match.start()) + 1
        name = match[2].strip()
        if SOURCE.fullmatch(name) and not any(f"/{path.as_posix()}".endswith(f"/{name}") for path in files):
            yield f"line {line}: there is no {name}"
            continue
        for function, other in NAMED.findall(name):
            name = function or other
            begins, ends = f"{name}…" in match[2], f"…_{name}" in match[2]
            if name not in words and not any(begins and word.startswith(name) or
                                             ends and word.endswith(name) for word in words):
                yield f"line {line}: nothing here is called {name}"


def faults(document):
    blocks, prose, unfinished = taken_apart(document.read_text())
    yield from faults_of_blocks(blocks)
    if unfinished:
        yield f"line {unfinished[0]}: the block has no end"
    yield from faults_of_prose(document, prose)
    if document.name in ("design.md", "gate.md"):
        yield from faults_of_names(prose)


def main():
    passed = failed = 0
    for document in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        name = document.relative_to(ROOT)
        found = list(faults(document))
        print(f"FAILED  {name}: {'; '.join(found)}" if found else f"ok      {name}")
        passed, failed = passed + (not found), failed + bool(found)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
