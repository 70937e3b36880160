// How long does a file take to compile that includes belay and submits a batch?
#include "suite/child_process.hpp"
#include "suite/program.hpp"
#include "suite/stopwatch.hpp"

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace belay::bench;

constexpr char const* with_belay = R"(
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
)";

constexpr char const* with_asio = R"(
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
)";

/// Compiles a file at -O0, in seconds.
double compile(std::filesystem::path const& directory, std::string const& text)
{
    auto const source = directory / "main.cpp";
    std::ofstream(source) << text;
    char const* const compiler = std::getenv("CXX");
    std::string const command = std::string(compiler == nullptr ? "g++" : compiler) +
                                " -std=c++20 -O0 -I '" BELAY_INCLUDE "' -c -o '" +
                                (directory / "main.o").string() + "' '" + source.string() + "'";
    timestamp const begin = now();
    expect(std::system(command.c_str()) == 0, "it compiles");
    return nanoseconds(begin, now()) / 1e9;
}

void measure(std::size_t runs, report& report)
{
    scratch_directory const scratch;
    samples belay;
    samples asio;
    for (std::size_t i = 0; i != runs; ++i) {
        belay.add(compile(scratch.path(), with_belay));
        asio.add(compile(scratch.path(), with_asio));
    }
    report.row("belay/belay.hpp, and a batch", "s", belay);
    report.row("the same jobs with Asio's thread_pool", "s", asio);
    report.add({.name = "include_seconds",
                .at = power_of_ten(1),
                .value = belay.median(),
                .unit = "s",
                .yardstick = "the same jobs with Asio's thread_pool",
                .yardstick_value = asio.median(),
                .at_most = 2});
}

} // namespace

int main(int argc, char** argv)
{
    program program("include: one file that submits a batch, compiled without optimisation by $CXX "
                    "or else g++",
                    7);
    return program.run(argc, argv, measure);
}
