// How much memory does a batch take that has ended and is on disk?
#include "figures/question.hpp"

#include "suite/child_process.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"

#include <belay/engine.hpp>
#include <belay/store.hpp>

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <future>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace belay::bench::figures {

namespace ended_batch_bytes {
namespace {

constexpr std::uint64_t batches = 100'000;

/// Made at a time, so that the store writes many at once.
constexpr std::uint64_t wave = 500;

/// Results of so many bytes in all have gone through the store's caches, which keep as much however
/// many batches there are.
constexpr std::uint64_t jobs_to_warm_up = 20'000;
constexpr std::size_t result_bytes_to_warm_up = 1'000;

constexpr std::size_t id_bytes = 32;

/// Resident memory, from before something is there; what was freed earlier is given back.
class growth {
public:
    growth() : before_(used()) {}

    [[nodiscard]] double a_batch() const { return (used() - before_) / batches; }

private:
    static double used()
    {
        malloc_trim(0);
        return static_cast<double>(resident_bytes());
    }

    double before_;
};

void define_types(belay::engine& engine)
{
    engine.define({.name = "echo",
                   .body = [](std::string_view input, belay::job&) { return std::string(input); }});
    engine.define({.name = "fill", .body = [](std::string_view, belay::job&) {
                       return std::string(result_bytes_to_warm_up, 'x');
                   }});
}

/// Makes batches of one job, waits for them, and keeps nothing; what is done with the id of each.
template <class Done>
void make(belay::engine& engine, std::uint64_t count, Done const& done)
{
    using belay::recorded_batch;
    for (std::uint64_t first = 0; first != count; first += wave) {
        std::vector<std::promise<recorded_batch>> made(wave);
        for (std::uint64_t i = 0; i != wave; ++i) {
            auto draft = engine.draft({.type = "echo"});
            draft.add(std::to_string(first + i));
            draft.submit([&promise = made[i]](auto batch, std::exception_ptr failed) {
                failed ? promise.set_exception(failed) : promise.set_value(std::move(*batch));
            });
        }
        for (std::uint64_t i = 0; i != wave; ++i) {
            auto const batch = made[i].get_future().get();
            expect(batch.wait().jobs.succeeded == 1, "the job succeeded");
            done(first + i, batch.id());
        }
    }
}

void warm_up(belay::engine& engine)
{
    auto draft = engine.draft({.type = "fill"});
    for (std::uint64_t i = 0; i != jobs_to_warm_up; ++i)
        draft.add("");
    expect(draft.submit().wait().jobs.succeeded == jobs_to_warm_up, "every job succeeded");
    make(engine, 4 * wave, [](std::uint64_t, std::string const&) {});
}

double with_belay()
{
    scratch_directory const folder;
    belay::engine engine({.workers = workers, .store = belay::open_store(folder.path())});
    define_types(engine);
    warm_up(engine);
    std::string ids(batches * id_bytes, ' '); // resident from here on
    growth const growth;
    make(engine, batches, [&](std::uint64_t index, std::string const& id) {
        id.copy(&ids[index * id_bytes], id_bytes);
    });
    double const found = growth.a_batch();
    for (std::uint64_t i = 0; i != batches; ++i) {
        auto const batch = engine.find(std::string_view(ids).substr(i * id_bytes, id_bytes));
        expect(batch.has_value(), "every batch is found by its id");
        expect(batch->state() == belay::batch_state::completed, "every batch is completed");
        expect(batch->output(0) == std::to_string(i), "what its job returned is kept");
    }
    return found;
}

/// The least that finding batches by their ids in memory takes.
double with_map()
{
    growth const growth;
    std::unordered_map<std::string, std::uint64_t> sequences;
    for (std::uint64_t i = 0; i != batches; ++i) {
        std::string id = std::to_string(i);
        id.insert(0, id_bytes - id.size(), '0');
        sequences.emplace(std::move(id), i);
    }
    double const found = growth.a_batch();
    expect(sequences.size() == batches, "ids differ");
    return found;
}

void measure(std::size_t runs, report& report)
{
    samples ids;
    samples ended;
    for (std::size_t i = 0; i != runs; ++i) {
        ids.add(with_map());
        ended.add(with_belay());
    }
    report.add("belay, resident an ended batch", "bytes", ended);
    report.add("an std::unordered_map of the ids", "bytes", ids);
    report.add({.name = "ended_batch_bytes",
                .at = power_of_ten(batches),
                .value = ended.median(),
                .unit = "bytes",
                .yardstick = "unordered_map_of_ids",
                .yardstick_value = ids.median(),
                .at_most = 200});
}

} // namespace
} // namespace ended_batch_bytes

question const ended_batch_bytes_question{
    .name = "ended_batch_bytes",
    .topic = "store",
    .text = "memory of a batch of one job that has ended and is on disk",
    .runs = 1,
    .measure = ended_batch_bytes::measure};

} // namespace belay::bench::figures
