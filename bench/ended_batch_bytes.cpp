// How much memory does a batch take that has ended and is on disk?
#include "suite/child_process.hpp"
#include "suite/machine.hpp"
#include "suite/program.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <malloc.h>

#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <future>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace belay::bench;

constexpr std::uint64_t batches = 100'000;

/// Made at a time, so that the store writes many at once.
constexpr std::uint64_t wave = 500;

/// What an engine and a store keep, however many batches there are, has come by then.
constexpr std::uint64_t to_warm_up = 5'000;

/// Memory in use, from before something is there; what was freed earlier is given back.
class growth {
public:
    growth() : before_(used()) {}

    [[nodiscard]] double bytes() const { return used() - before_; }

private:
    static double used()
    {
        malloc_trim(0);
        return static_cast<double>(resident_bytes());
    }

    double before_;
};

/// Makes batches of one job, waits for them, and keeps nothing but their ids.
void make(belay::engine& engine, std::uint64_t count, std::vector<std::string>& ids)
{
    using belay::recorded_batch;
    for (std::uint64_t done = 0; done != count; done += wave) {
        std::vector<std::promise<recorded_batch>> made(wave);
        for (auto& promise : made) {
            auto draft = engine.draft({.type = "echo"});
            draft.add(std::to_string(done));
            draft.submit(
                [&promise](std::optional<recorded_batch> batch, std::exception_ptr failed) {
                    failed ? promise.set_exception(failed) : promise.set_value(std::move(*batch));
                });
        }
        for (auto& promise : made) {
            auto const batch = promise.get_future().get();
            expect(batch.wait().jobs.succeeded == 1, "the job succeeded");
            ids.push_back(batch.id());
        }
    }
}

struct measured {
    samples ended;
    samples ids;
    samples disk;
};

void with_belay(std::vector<std::string>& ids, measured& found)
{
    scratch_directory const folder;
    belay::engine engine({.workers = workers, .store = belay::open_store(folder.path())});
    engine.define({.name = "echo",
                   .body = [](std::string_view input, belay::job&) { return std::string(input); }});
    make(engine, to_warm_up, ids);
    ids.clear();
    ids.reserve(batches);
    growth const growth;
    make(engine, batches, ids);
    std::uint64_t texts = 0;
    for (auto const& id : ids)
        texts += malloc_usable_size(const_cast<char*>(id.data())) + sizeof(std::size_t);
    found.ended.add((growth.bytes() - static_cast<double>(texts)) / batches);

    std::uint64_t disk = 0;
    for (auto const& entry : std::filesystem::directory_iterator(folder.path()))
        if (entry.path().filename().string().starts_with("belay.db"))
            disk += entry.file_size();
    found.disk.add(static_cast<double>(disk) / static_cast<double>(batches + to_warm_up));

    for (std::uint64_t i = 0; i != batches; ++i) {
        auto const batch = engine.find(ids[i]);
        expect(batch.has_value(), "every batch is found by its id");
        expect(batch->state() == belay::batch_state::completed, "every batch is completed");
        expect(batch->output(0) == std::to_string(i / wave * wave),
               "what its job returned is kept");
    }
}

/// The least that finding batches by their ids in memory takes.
void with_map(std::vector<std::string> const& ids, measured& found)
{
    growth const growth;
    std::unordered_map<std::string, std::uint64_t> sequences;
    for (std::uint64_t i = 0; i != ids.size(); ++i)
        sequences.emplace(ids[i], i);
    found.ids.add(growth.bytes() / batches);
    expect(sequences.size() == ids.size(), "ids differ");
}

void measure(std::size_t runs, report& report)
{
    measured found;
    for (std::size_t i = 0; i != runs; ++i) {
        std::vector<std::string> ids;
        with_belay(ids, found);
        with_map(ids, found);
    }
    report.row("belay, resident an ended batch", "bytes", found.ended);
    report.row("  and on disk", "bytes", found.disk);
    report.row("an std::unordered_map of the ids", "bytes", found.ids);
    report.add({.name = "ended_batch_bytes",
                .at = power_of_ten(batches),
                .value = found.ended.median(),
                .unit = "bytes",
                .yardstick = "unordered_map_of_ids",
                .yardstick_value = found.ids.median(),
                .at_most = 200});
}

} // namespace

int main(int argc, char** argv)
{
    program program("ended_batch_bytes: memory of a batch of one job that has ended and is on disk",
                    1);
    return program.run(argc, argv, measure);
}
