#!/usr/bin/python3
"""Builds programs against an installed belay that was moved: run.py TREE [all]

TREE is where `b2 install --prefix=TREE` has put it; it is moved away from there. Each build system, each
compiler and each kind of library comes up (what the guide shows is g++ and shared); with `all` each with
each other. The last line is
`N passed, N failed`; the status is 1 if any failed.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

HERE = pathlib.Path(__file__).parent
EXAMPLE = HERE.parent.parent / "docs" / "examples" / "quick_start.cpp"
DEADLINE = 600  # seconds, for a command
USUAL = [("cmake", "clang++", "static"), ("make", "g++", "static"), ("b2", "clang++", "shared")]
ALL = [(system, compiler, link) for system in ("cmake", "make", "b2")
       for compiler in ("g++", "clang++") for link in ("shared", "static")]
FLAGS = "-Wall -Wextra -Wpedantic -Wshadow -Werror"


def run(command, folder, **environment):
    """What it says; throws with all of that if it fails."""
    done = subprocess.run([str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env={**os.environ, **environment}, timeout=DEADLINE)
    if done.returncode != 0:
        raise AssertionError(f"'{' '.join(map(str, command))}' ended with status "
                             f"{done.returncode}:\n{done.stdout}")
    return done.stdout


def cmake(tree, folder, compiler, link):
    run(["cmake", "-S", "cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={tree}",
         f"-DCMAKE_CXX_COMPILER={compiler}", f"-DCMAKE_CXX_FLAGS={FLAGS}",
         "-DCMAKE_EXE_LINKER_FLAGS=-Wl,--no-undefined",
         f"-Dbelay_USE_STATIC_LIBS={'ON' if link == 'static' else 'OFF'}"], folder)
    run(["cmake", "--build", "build"], folder)


def make(tree, folder, compiler, link):
    run(["make", f"CXX={compiler}", f"LINK={link}"], folder / "make",
        PKG_CONFIG_PATH=f"{tree}/lib/pkgconfig", CXXFLAGS=FLAGS)


def b2(tree, folder, compiler, link):
    run(["b2", "-j1", f"--belay={tree}/share/belay", f"link={link}",
         f"toolset={'clang' if compiler == 'clang++' else 'gcc'}"], folder / "b2")


BUILDS = {"cmake": cmake, "make": make, "b2": b2}


def programs(folder, name):
    return [path for path in folder.rglob(name) if path.is_file() and os.access(path, os.X_OK)]


def consumer(tree, folder, system, compiler, link):
    shutil.copytree(HERE, folder)
    BUILDS[system](tree, folder, compiler, link)
    for name in ("engine_app", "http_app"):
        found = programs(folder, name)
        assert len(found) == 1, f"there are {len(found)} {name}"
        needed = run(["readelf", "-d", found[0]], folder)
        assert ("libbelay" in needed) == (link == "shared"), f"{name} needs:\n{needed}"
        run([found[0]], folder)


def quick_start(tree, folder):
    """What docs/guide/quick_start.md says, from an empty directory with the tree in it."""
    folder.mkdir()
    shutil.copy(EXAMPLE, folder)
    for name in ("CMakeLists.txt", "Makefile", "Jamroot"):
        shutil.copy(HERE / "quick_start" / name, folder)
    (folder / "belay").symlink_to(tree)
    run(["cmake", "-B", "build", f"-DCMAKE_PREFIX_PATH={folder}/belay"], folder)
    run(["cmake", "--build", "build"], folder)
    run(["make"], folder, PKG_CONFIG_PATH=f"{folder}/belay/lib/pkgconfig")
    run(["b2"], folder)
    found = programs(folder, "quick_start")
    assert len(found) == 3, f"there are {len(found)} programs"
    for program in found:
        said = run([program], folder)
        assert re.search(r"^\d+ succeeded, \d+ were never started", said), said


def misuse(tree, folder, compilers):
    """The first error of each program in misuse/ is the one that its first line names."""
    folder.mkdir()
    for source in sorted((HERE / "misuse").glob("*.cpp")):
        expected = source.read_text().splitlines()[0].removeprefix("// error: ")
        for compiler in compilers:
            done = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", f"-I{tree}/include",
                                   str(source)], cwd=folder, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  timeout=DEADLINE)
            first = next((line for line in done.stdout.splitlines() if "error:" in line), "none")
            assert expected in first, f"{compiler} says of {source.name} first: {first}"


def names(tree, folder):
    """The libraries show belay's names, and bear the version that programs depend on."""
    folder.mkdir()
    lib = tree / "lib"
    shown = {"engine": r"belay::", "http": r"belay::|boost::json|boost::asio::detail::call_stack"
                                           r"|boost::asio::detail::keyword_tss_ptr"}
    for name, pattern in shown.items():
        library = lib / f"libbelay_{name}.so"
        for line in run(["nm", "-DC", "--defined-only", library], folder).splitlines():
            assert re.search(pattern, line), f"{library.name} shows {line}"
        dynamic = run(["readelf", "-d", library], folder)
        soname = re.search(r"soname: \[(.*)\]", dynamic)[1]
        assert re.fullmatch(rf"libbelay_{name}\.so\.\d+\.\d+", soname), soname
        assert (lib / soname).exists(), f"there is no {soname}"
    archive = run(["nm", "-gC", "--defined-only", lib / "libbelay_engine.a"], folder)
    for line in archive.splitlines():
        assert not line or "belay" in line or line == "engine.o:", f"libbelay_engine.a has {line}"


def places(tree, folder):
    """No file that is read by people or tools names the place that it was installed in."""
    folder.mkdir()
    for path in tree.rglob("*"):
        if path.is_file() and path.suffix in (".hpp", ".pc", ".cmake", ".jam", ".service"):
            assert str(tree.parent) not in path.read_text(), f"{path} names {tree.parent}"
    version = run([tree / "bin" / "belay", "--version"], folder).strip()
    header = (tree / "include" / "belay" / "version.hpp").read_text()
    assert f'"{version}"' in header, f"belay --version says {version}"
    assert f"Version: {version}\n" in (tree / "lib" / "pkgconfig" / "belay-engine.pc").read_text()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    installed = pathlib.Path(sys.argv[1]).resolve()
    counts = {True: 0, False: 0}
    with tempfile.TemporaryDirectory(prefix="belay-consumers-") as scratch:
        scratch = pathlib.Path(scratch)
        tree = scratch / "elsewhere"
        shutil.move(installed, tree)

        def check(name, function, *arguments):
            fault = None
            try:
                function(tree, scratch / name.replace(" ", "-"), *arguments)
            except (AssertionError, OSError, subprocess.SubprocessError) as failure:
                fault = failure
            print(f"ok      {name}" if fault is None else f"FAILED  {name}: {fault}", flush=True)
            counts[fault is None] += 1

        check("names", names)
        check("places", places)
        check("misuse", misuse, ["g++", "clang++"] if "all" in sys.argv[2:] else ["g++"])
        check("quick start", quick_start)
        for one in ALL if "all" in sys.argv[2:] else USUAL:
            check(" ".join(one), consumer, *one)
    print(f"{counts[True]} passed, {counts[False]} failed")
    return 1 if counts[False] else 0


if __name__ == "__main__":
    sys.exit(main())
