#include "cancelbench/belay_peer.hpp"

#include "suite/child_process.hpp"
#include "suite/running_context.hpp"

#include <belay/asio.hpp>
#include <belay/engine.hpp>
#include <belay/store.hpp>
#include <belay/version.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace belay::cancelbench {

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;

constexpr auto* recorded_type = "cancelbench";

account account_of(job_counts const& jobs)
{
    return {.finished = jobs.succeeded,
            .interrupted = jobs.stopped + jobs.terminated + jobs.killed + jobs.abandoned,
            .never_started = jobs.not_started};
}

std::int64_t nanoseconds_of(time_point time)
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

/// What CLOCK_MONOTONIC is behind belay's clock, which goes as steadily: of some pairs of readings the closest.
std::int64_t read_clock_offset()
{
    std::int64_t closest = std::numeric_limits<std::int64_t>::max();
    std::int64_t offset = 0;
    for (int i = 0; i != 100; ++i) {
        auto const before = now_ns();
        auto const time = nanoseconds_of(system_clock().now());
        auto const apart = now_ns() - before;
        if (apart < closest) {
            closest = apart;
            offset = time - before - apart / 2;
        }
    }
    return offset;
}

/// A moment of belay's clock as one of CLOCK_MONOTONIC.
std::int64_t monotonic(time_point time)
{
    static auto const offset = read_clock_offset();
    return nanoseconds_of(time) - offset;
}

/// The end of a body that has waited.
void leave(notes& notes, std::uint64_t index, std::int64_t entered, bool stopped)
{
    if (stopped)
        notes.see();
    notes.leave(index, stopped ? notes::ending::interrupted : notes::ending::finished, entered);
}

/// A descriptor on which nothing comes.
class silent_descriptor {
public:
    silent_descriptor() : descriptor_(::eventfd(0, EFD_CLOEXEC))
    {
        if (descriptor_ < 0)
            throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    ~silent_descriptor() { ::close(descriptor_); }
    silent_descriptor(silent_descriptor const&) = delete;
    silent_descriptor& operator=(silent_descriptor const&) = delete;

    [[nodiscard]] int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

template <class Batch>
class belay_run : public run {
public:
    explicit belay_run(Batch batch) : batch_(std::move(batch)) {}

    void cancel() override { batch_.cancel(); }
    void wait() override { batch_.wait(); }
    [[nodiscard]] std::optional<account> told() const override
    {
        return account_of(batch_.status().jobs);
    }
    [[nodiscard]] std::optional<std::int64_t> ended() const override
    {
        auto const at = batch_.status().ended_at;
        return at ? std::optional(monotonic(*at)) : std::nullopt;
    }

protected:
    Batch batch_;
};

class typed_run final : public belay_run<batch<std::uint64_t>> {
public:
    using belay_run::belay_run;

    [[nodiscard]] std::optional<std::int64_t> results() const override
    {
        std::int64_t found = 0;
        for (auto const& result : batch_.results())
            found += result.value == result.index ? 1 : 0;
        return found;
    }
    /// In memory that is the time of the request, which is taken once the gate is closed.
    [[nodiscard]] std::optional<std::int64_t> closed() const override
    {
        auto const request = batch_.status().cancel;
        return request ? std::optional(monotonic(request->requested_at)) : std::nullopt;
    }
};

class recorded_run final : public belay_run<recorded_batch> {
public:
    using belay_run::belay_run;

    [[nodiscard]] std::optional<std::int64_t> results() const override
    {
        std::int64_t found = 0;
        for (auto const& result : batch_.results())
            found += result.value == std::to_string(result.index) ? 1 : 0;
        return found;
    }
};

class belay_peer : public library {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "belay",
                .version = BELAY_VERSION,
                .scripts = {"cancel", "throughput", "crash", "programs"},
                .bodies = {"poll", "sleep", "descriptor", "coroutine"},
                .jobs_max = 100'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        auto options = options_of(request);
        if (request.body == "coroutine") {
            options.concurrency = request.running;
            return start_coroutines(request, notes, options);
        }
        return submit(request, options, body_of(request, notes));
    }

    void complete(request const& request, answer& found) override
    {
        auto& engine = engine_for(request);
        found.called = now_ns();
        auto const batch =
            engine.submit(request.jobs, [spins = request.body_ns](std::uint64_t index) {
                spin(spins);
                return index;
            });
        batch.wait();
        found.awake = now_ns();
        found.finished = *typed_run(batch).results();
    }

    std::unique_ptr<run> start_programs(request const& request) override
    {
        engine_ = std::make_unique<engine>(engine_options{.workers = request.workers});
        engine_->define(
            {.name = recorded_type,
             .process = process_type{.command = [command = request.command](std::string_view input,
                                                                           process_job const&) {
                 belay::command made{.arguments = command};
                 std::ranges::replace(made.arguments, "{}", std::string(input));
                 return made;
             }},
             .concurrency = request.workers});
        return submit_indices(request);
    }

    std::unique_ptr<run> start_kept(request const& request, notes& notes) override
    {
        open_kept(request, notes);
        return submit_indices(request);
    }

    answer recover(request const& request, notes& notes) override
    {
        auto& engine = open_kept(request, notes);
        engine.wait();
        auto const found = engine.list(std::numeric_limits<std::uint64_t>::max(), 1);
        if (found.empty())
            return {};
        auto const status = found.front().wait();
        answer answer;
        answer.told = account_of(status.jobs);
        answer.told->interrupted += status.jobs.lost;
        answer.results = recorded_run(found.front()).results();
        answer.cancelled = status.state == batch_state::cancelled;
        return answer;
    }

protected:
    using body = std::function<std::uint64_t(std::uint64_t, job&)>;

    [[nodiscard]] static batch_options options_of(request const& request)
    {
        batch_options options;
        if (request.warm)
            options.concurrency = 1;
        return options;
    }

    /// What each job of a batch of `request.body` does.
    body body_of(request const& request, notes& notes)
    {
        if (request.body == "poll")
            return [&notes, spins = request.body_ns, poll = request.poll_ns](std::uint64_t index,
                                                                           job& job) {
                poll_body(notes, index, spins, poll, [&] { return job.stop_requested(); });
                return index;
            };
        if (request.body == "sleep")
            return [&notes](std::uint64_t index, job& job) {
                auto const entered = notes.enter(index);
                leave(notes, index, entered, !job.sleep_for(1h));
                return index;
            };
        if (request.body == "descriptor")
            return [this, &notes](std::uint64_t index, job& job) {
                auto const entered = notes.enter(index);
                std::array<pollfd, 2> waited{pollfd{silent_.get(), POLLIN, 0},
                                             pollfd{job.stop_fd(), POLLIN, 0}};
                while (::poll(waited.data(), waited.size(), 3'600'000) < 0) {
                }
                leave(notes, index, entered, job.stop_requested());
                return index;
            };
        throw wrong_line("belay has no body '" + request.body + "' here");
    }

private:
    template <class Body>
    std::unique_ptr<run> submit(request const& request, batch_options const& options, Body body)
    {
        return std::make_unique<typed_run>(
            engine_for(request).submit(request.jobs, std::move(body), options));
    }

    std::unique_ptr<run> start_coroutines(request const& request, notes& notes,
                                          batch_options const& options)
    {
        if (!context_)
            context_ = std::make_unique<bench::running_context>();
        return submit(request, options,
                      asio::bind_executor(
                          context_->context,
                          [&notes](std::uint64_t index) -> asio::awaitable<std::uint64_t> {
                              auto const entered = notes.enter(index);
                              asio::steady_timer timer(co_await asio::this_coro::executor, 1h);
                              auto const [error] =
                                  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
                              leave(notes, index, entered, error.failed());
                              co_return index;
                          }));
    }

    /// The one of the last request, or another where that had more or fewer workers.
    engine& engine_for(request const& request)
    {
        if (!engine_ || engine_->workers() != request.workers) {
            engine_.reset();
            engine_ = std::make_unique<engine>(engine_options{.workers = request.workers});
        }
        return *engine_;
    }

    /// A recorded batch whose inputs are the jobs' indices.
    std::unique_ptr<run> submit_indices(request const& request)
    {
        batch_spec spec{.type = recorded_type};
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            spec.inputs.push_back(std::to_string(index));
        return std::make_unique<recorded_run>(engine_->submit(std::move(spec)));
    }

    engine& open_kept(request const& request, notes& notes)
    {
        engine_ = std::make_unique<engine>(engine_options{
            .workers = request.workers, .store = open_store(request.directory)});
        engine_->define({.name = recorded_type,
                         .body = [&notes, body = request.body_ns, poll = request.poll_ns](
                                     std::string_view input, job& job) {
                             auto const index = job.index();
                             poll_body(notes, index, body, poll,
                                       [&] { return job.stop_requested(); });
                             return std::string(input);
                         }});
        return *engine_;
    }

    silent_descriptor silent_;
    std::unique_ptr<bench::running_context> context_;
    std::unique_ptr<engine> engine_; // what its bodies use is above
};

/// With a store, and so a cancel that is on disk when its call is back.
class belay_on_disk_peer final : public belay_peer {
public:
    [[nodiscard]] introduction introduce() const override
    {
        return {.peer = "belay, on disk",
                .version = BELAY_VERSION,
                .scripts = {"cancel", "throughput"},
                .bodies = {"poll", "sleep", "descriptor"},
                .jobs_max = 1'000'000};
    }

    std::unique_ptr<run> start(request const& request, notes& notes) override
    {
        return std::make_unique<recorded_run>(submit(request, body_of(request, notes)));
    }

    void complete(request const& request, answer& found) override
    {
        (void)engine_for(request);
        found.called = now_ns();
        auto const batch = submit(request, [spins = request.body_ns](std::uint64_t index, job&) {
            spin(spins);
            return index;
        });
        batch.wait();
        found.awake = now_ns();
        found.finished = *recorded_run(batch).results();
    }

private:
    recorded_batch submit(request const& request, body body)
    {
        auto& engine = engine_for(request);
        last_ = 1 - last_;
        bodies_.at(last_) = std::move(body);
        auto draft = engine.draft({.type = recorded_type, .options = options_of(request)});
        for (std::uint64_t index = 0; index != request.jobs; ++index)
            draft.add(last_ == 0 ? "0" : "1");
        return draft.submit();
    }

    /// The one of the last request, or another where that had more or fewer workers.
    engine& engine_for(request const& request)
    {
        if (engine_ && engine_->workers() == request.workers)
            return *engine_;
        engine_.reset();
        engine_ = std::make_unique<engine>(
            engine_options{.workers = request.workers, .store = open_store(directory_.path())});
        engine_->define({.name = recorded_type, .body = [this](std::string_view input, job& job) {
                             return std::to_string(bodies_[input == "1"](job.index(), job));
                         }});
        return *engine_;
    }

    bench::scratch_directory directory_;
    std::array<body, 2> bodies_; ///< of this run and of the other beside it
    std::size_t last_ = 0;
    std::unique_ptr<engine> engine_; // what its bodies use is above
};

} // namespace

std::unique_ptr<library> make_belay_peer(bool on_disk)
{
    if (on_disk)
        return std::make_unique<belay_on_disk_peer>();
    return std::make_unique<belay_peer>();
}

} // namespace belay::cancelbench
