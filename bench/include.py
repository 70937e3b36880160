#!/usr/bin/python3
"""How long does a file take to compile that includes belay and submits a batch? By $CXX, or else g++, without
optimisation, by turns with the same jobs on Asio's thread_pool: include.py [ROUNDS]
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HEADERS = pathlib.Path(__file__).resolve().parent.parent / "engine/include"
BELAY = """
#include <belay/belay.hpp>
int main()
{
    belay::engine engine;
    auto batch = engine.submit(1000, [](std::uint64_t index, belay::job& job) {
        job.throw_if_stopped();
        return index;
    });
    batch.cancel();
    return batch.wait().jobs.failed != 0;
}
"""
ASIO = """
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <atomic>
#include <cstdint>
#include <stop_token>
#include <vector>
int main()
{
    boost::asio::thread_pool pool;
    std::stop_source source;
    std::vector<std::uint64_t> values(1000);
    for (std::uint64_t index = 0; index != values.size(); ++index)
        boost::asio::post(pool, [&values, index, token = source.get_token()] {
            if (!token.stop_requested())
                values[index] = index;
        });
    source.request_stop();
    pool.join();
}
"""


def seconds(folder, text):
    source = folder / "main.cpp"
    source.write_text(text)
    begin = time.monotonic()
    subprocess.run([os.environ.get("CXX", "g++"), "-std=c++20", "-O0", "-I", HEADERS, "-c", source,
                    "-o", folder / "main.o"], check=True)
    return time.monotonic() - begin


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        found = [(seconds(folder, BELAY), seconds(folder, ASIO)) for _ in range(rounds)]
    belay, asio = (statistics.median(times) for times in zip(*found))
    print(f"medians of {rounds}: belay {belay:.2f} s (aim: at most 2), Asio's thread_pool {asio:.2f} s, "
          f"ratio {belay / asio:.2f}")


if __name__ == "__main__":
    main()
