// Many threads do everything at once to batches of every kind, and compare what they are told with
// records of their own. BELAY_STORM_SEED repeats a storm as far as threads allow;
// BELAY_STORM_OPERATIONS makes it longer.
#include <belay/engine.hpp>

#include "eventually.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace std::chrono_literals;
using belay::test::eventually;
using belay::test::patience;

namespace {

constexpr std::size_t workers = 3;
constexpr std::size_t threads = 4;
constexpr std::size_t on_board_max = 12;
constexpr std::uint64_t jobs_max = 2000;

std::uint64_t from_environment(char const* name, std::uint64_t otherwise)
{
    char const* const text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

/// Boost.Test's macros are for one thread; this collects for it.
class problems {
public:
    void check(bool holds, std::string_view what, std::string const& where = {})
    {
        if (holds)
            return;
        std::scoped_lock const lock(mutex_);
        ++found_[std::string(what) + (where.empty() ? "" : ": " + where)];
    }
    void report() const
    {
        std::size_t told = 0;
        for (auto const& [what, count] : found_)
            if (++told <= 20)
                BOOST_ERROR(what << " (" << count << " times)");
    }

private:
    std::mutex mutex_;
    std::map<std::string, std::size_t> found_;
};

/// What the bodies of one batch did, by their own account.
struct ledger {
    explicit ledger(std::uint64_t total) : entered(total), left(total) {}
    std::vector<std::atomic<std::uint8_t>> entered;
    std::vector<std::atomic<std::uint8_t>> left;
    std::atomic<bool> cancel_returned{false}; ///< some cancel that closed the gate, or found it so
    std::atomic<bool> told_to_stop{false};    ///< the same for one that is no drain
    std::atomic<std::uint64_t> slips{0};      ///< entered afterwards, and found their token stopped
    std::atomic<std::uint64_t> late_starts{0};///< entered afterwards, and found nothing
};

enum class manner { returns, polls, throws, keeps, sleeps, asks_for_tokens, last = asks_for_tokens };

/// What every body does: the first look at the token comes first.
std::uint64_t behave(manner manner, ledger& ledger, std::uint64_t index, job& job)
{
    bool const cancelled = ledger.cancel_returned;
    bool const told = ledger.told_to_stop;
    bool const stopped = job.stop_requested();
    ++ledger.entered[index];
    if (cancelled)
        ++(stopped || !told ? ledger.slips : ledger.late_starts);
    struct leaving {
        std::atomic<std::uint8_t>& count;
        ~leaving() { ++count; }
    } const leaving{ledger.left[index]};

    switch (manner) {
    case manner::returns: break;
    case manner::polls:
        for (int i = 0; i != 50; ++i)
            job.throw_if_stopped();
        break;
    case manner::throws:
        if (index % 5 == 0 && job.attempt() <= index % 3 + 1)
            throw std::runtime_error("no");
        break;
    case manner::keeps:
        if (index % 16 == 0) // under load each takes milliseconds
            std::this_thread::yield();
        if (index % 2 == 0)
            job.keep_result();
        break;
    case manner::sleeps:
        if (index % 16 == 0)
            job.sleep_for(100us);
        job.progress(0.5);
        break;
    case manner::asks_for_tokens: {
        auto const token = job.stop_token();
        std::atomic<int> fired{0};
        std::stop_callback const callback(token, [&] { ++fired; });
        for (int i = 0; i != 20 && !token.stop_requested(); ++i)
            if (index % 64 == 0)
                std::this_thread::yield();
        break;
    }
    }
    return index * 7;
}

/// A batch in the storm.
struct entry {
    std::uint64_t number = 0;
    std::shared_ptr<struct ledger> ledger;
    std::optional<batch<std::uint64_t>> typed;
    std::optional<recorded_batch> recorded;
    std::atomic<int> changed{0}; ///< cancels that said they were the first
    std::atomic<int> told{0};    ///< calls of its on_end callback
    std::string winner;          ///< the reason of that cancel; guarded by `mutex`
    cancel_mode winning_mode{};  ///< likewise
    std::mutex mutex;
    std::stop_source source; ///< of its stop token

    [[nodiscard]] bool has_retries() const { return any().options().max_attempts > 1; }
    [[nodiscard]] any_batch const& any() const
    {
        return typed ? static_cast<any_batch const&>(*typed) : *recorded;
    }
    [[nodiscard]] std::string name() const
    {
        return "batch " + std::to_string(number) + (typed ? ", typed" : ", recorded");
    }
};

/// What was seen of an ended batch.
struct final_view {
    std::shared_ptr<entry> of;
    batch_status status;
    std::vector<std::pair<job_state, disposition>> jobs;
};

class storm {
public:
    /// `kept` may be null.
    storm(std::uint64_t seed, std::shared_ptr<store> kept)
        : seed_(seed), durable_(kept != nullptr),
          engine_(std::make_unique<engine>(engine_options{
              .workers = workers, .quantum = 100us, .store = std::move(kept)}))
    {
        for (int kind = 0; kind <= static_cast<int>(manner::last); ++kind)
            engine_->define({.name = "kind-" + std::to_string(kind),
                             .body = [this, kind](std::string_view input, job& job) {
                                 auto const ledger = find_ledger(std::string(input));
                                 return std::to_string(behave(static_cast<manner>(kind), *ledger,
                                                              job.index(), job));
                             }});
    }

    void rage(std::uint64_t operations)
    {
        std::vector<std::thread> raging;
        for (std::size_t i = 0; i != threads; ++i)
            raging.emplace_back([this, i, operations] {
                std::mt19937_64 random(seed_ + i);
                for (std::uint64_t done = 0; done != operations; ++done)
                    act(random);
            });
        for (auto& thread : raging)
            thread.join();

        // Some end by the engine's shutdown; those on disk would be let go of without an end.
        auto const left = std::exchange(board_, {});
        for (auto const& entry : left) {
            if (!durable_ || !entry->recorded)
                continue;
            std::mt19937_64 random(seed_);
            cancel(*entry, random);
            problems_.check(entry->recorded->wait_for(patience), "G5 at the end", entry->name());
        }
        auto const counters = engine_->counters();
        problems_.check(counters.jobs_started_after_cancel == 0, "G1 by the engine's own count");
        engine_.reset();
        for (auto const& entry : left) {
            problems_.check(is_terminal(entry->any().state()), "G5 at shutdown", entry->name());
            look_at_the_end(*entry, entry);
        }
        for (auto const& view : ended_)
            look_again(view);
        BOOST_TEST_MESSAGE(ended_.size() << " batches, " << slips_ << " slips");
        problems_.report();
    }

private:
    using random = std::mt19937_64;
    static std::uint64_t below(random& random, std::uint64_t limit) { return random() % limit; }

    void act(random& random)
    {
        std::uint64_t const dice = below(random, 100);
        if (dice < 15)
            return submit(random);
        auto const entry = pick(random, dice >= 90);
        if (!entry)
            return submit(random);
        if (dice < 30)
            cancel(*entry, random);
        else if (dice < 50)
            cancel_job(*entry, random);
        else if (dice < 53)
            entry->source.request_stop();
        else if (dice < 75)
            look(*entry);
        else if (dice < 90)
            look_at_job(*entry, below(random, entry->any().size()));
        else
            finish(entry, random);
    }

    /// Most batches have a little of everything.
    static batch_options options_for(entry const& entry, random& random)
    {
        batch_options options{.concurrency = 1 + below(random, workers),
                              .weight = 1 + static_cast<unsigned>(below(random, weight_max)),
                              .stop_token = entry.source.get_token()};
        options.max_attempts = 1 + static_cast<unsigned>(below(random, 3));
        options.backoff = std::chrono::milliseconds(below(random, 3));
        if (below(random, 4) == 0)
            options.timeout = std::chrono::milliseconds(1 + below(random, 3));
        if (below(random, 4) == 0)
            options.deadline = std::chrono::milliseconds(1 + below(random, 50));
        if (below(random, 4) == 0)
            options.failure_policy = failure_policy::fail_fast;
        return options;
    }

    void submit(random& random)
    {
        {
            std::scoped_lock const lock(mutex_);
            if (board_.size() >= on_board_max)
                return;
        }
        auto made = std::make_shared<entry>();
        made->number = ++number_;
        std::uint64_t const total = below(random, 4) == 0 ? 1 + below(random, 3)
                                                          : 1 + below(random, jobs_max);
        made->ledger = std::make_shared<ledger>(total);
        auto const kind = below(random, static_cast<std::uint64_t>(manner::last) + 1);
        auto const options = options_for(*made, random);
        if (below(random, 2) == 0) {
            made->typed = engine_->submit(
                total,
                [kind, ledger = made->ledger](std::uint64_t index, job& job) {
                    return behave(static_cast<manner>(kind), *ledger, index, job);
                },
                options);
        } else {
            std::string const input = std::to_string(made->number);
            {
                std::scoped_lock const lock(mutex_);
                ledgers_.emplace(input, made->ledger);
            }
            batch_spec spec{.type = "kind-" + std::to_string(kind), .inputs = {}, .options = options};
            for (std::uint64_t i = 0; i != total; ++i)
                spec.inputs.push_back(input);
            made->recorded = engine_->submit(std::move(spec));
        }
        made->any().on_end([made] { ++made->told; });
        std::scoped_lock const lock(mutex_);
        board_.push_back(std::move(made));
    }

    std::shared_ptr<ledger> find_ledger(std::string const& input)
    {
        std::scoped_lock const lock(mutex_);
        return ledgers_.at(input);
    }

    std::shared_ptr<entry> pick(random& random, bool remove)
    {
        std::scoped_lock const lock(mutex_);
        if (board_.empty())
            return nullptr;
        auto const which = board_.begin() +
                           static_cast<std::ptrdiff_t>(below(random, board_.size()));
        auto result = *which;
        if (remove)
            board_.erase(which);
        return result;
    }

    void cancel(entry& entry, random& random)
    {
        cancel_request request;
        request.mode = static_cast<cancel_mode>(below(random, 3));
        if (request.mode == cancel_mode::graceful && below(random, 2) == 0)
            request.grace = std::chrono::milliseconds(below(random, 5000));
        request.reason = std::to_string(random());

        auto const result = entry.any().cancel(request);

        bool const closed = result.current_state >= batch_state::cancelling &&
                            result.current_state != batch_state::completed;
        if (result.changed) {
            {
                std::scoped_lock const lock(entry.mutex);
                entry.winner = request.reason;
                entry.winning_mode = request.mode;
            }
            ++entry.changed;
        }
        problems_.check(!result.changed || closed, "a cancel that did it shows it", entry.name());
        if (!closed)
            return;
        problems_.check(entry.any().status().jobs.pending == 0, "nothing is pending afterwards",
                        entry.name());
        if (request.mode != cancel_mode::drain && !is_terminal(result.previous_state))
            entry.ledger->told_to_stop = true;
        entry.ledger->cancel_returned = true;
    }

    void cancel_job(entry& entry, random& random)
    {
        std::uint64_t const index = below(random, entry.any().size());
        cancel_request request;
        request.mode = below(random, 2) == 0 ? cancel_mode::graceful : cancel_mode::immediate;
        auto const told = std::make_shared<std::atomic<int>>(0);

        auto const result = entry.any().cancel_job(index, request);
        auto const subscription = entry.any().on_job_end(index, [told] { ++*told; });
        if (subscription != 0 && below(random, 2) == 0)
            entry.any().unsubscribe(subscription);
        auto const after = entry.any().job(index);

        problems_.check(result.previous_state <= result.current_state, "a job goes forward only",
                        entry.name());
        // A failure that came first is followed by a back-off, which the stop then ends.
        problems_.check(is_ended(result.current_state) || after.stop_requested ||
                            is_ended(after.state) || after.attempt > 1,
                        "a job that was told to stop shows it", entry.name());
        problems_.check(!is_ended(result.previous_state) || !result.changed,
                        "G4 an ended job is not cancelled", entry.name());
        if (is_ended(result.current_state))
            problems_.check(after.state == result.current_state, "G4 an ended job stays as it is",
                            entry.name());
    }

    /// What has ended and is not on disk yet is shown as running.
    bool adds_up(job_counts const& jobs, bool on_disk) const
    {
        // The sum alone would also hold if one were below zero.
        std::uint64_t const parts[] = {jobs.pending,     jobs.running, jobs.succeeded,
                                       jobs.failed,      jobs.stopped, jobs.not_started,
                                       jobs.terminated,  jobs.killed,  jobs.abandoned,
                                       jobs.lost};
        return std::ranges::all_of(parts, [&](auto part) { return part <= jobs.total; }) &&
               jobs.pending + jobs.running + jobs.ended() == jobs.total &&
               jobs.late <= jobs.succeeded && (on_disk || jobs.running <= workers);
    }

    void look(entry& entry)
    {
        auto const first = entry.any().status();
        auto const second = entry.any().status();

        std::string const where =
            entry.name() + ", " + std::string(to_string(first.state)) + " and then " +
            std::string(to_string(second.state));
        for (auto const& status : {first, second}) {
            auto const& jobs = status.jobs;
            problems_.check(adds_up(jobs, durable_ && entry.recorded), "G6 at any time", where);
            bool const closed = status.cancel.has_value();
            problems_.check(!closed || jobs.pending == 0, "closed and nothing pending", where);
            problems_.check(status.state != batch_state::created ||
                                jobs.running + jobs.ended() == jobs.not_started,
                            "created and nothing entered", where);
            problems_.check(!is_terminal(status.state) || jobs.ended() == jobs.total,
                            "terminal and all ended", where);
            problems_.check(is_terminal(status.state) == status.ended_at.has_value(),
                            "terminal and a time of it", where);
        }
        problems_.check(first.state <= second.state, "a batch goes forward only", where);
        problems_.check((second.jobs.pending <= first.jobs.pending || entry.has_retries()) &&
                            second.retried >= first.retried &&
                            second.jobs.succeeded >= first.jobs.succeeded &&
                            second.jobs.late >= first.jobs.late &&
                            second.jobs.failed >= first.jobs.failed &&
                            second.jobs.not_started >= first.jobs.not_started &&
                            second.jobs.stopped >= first.jobs.stopped,
                        "G3 counts go forward only", where);
        if (is_terminal(first.state))
            problems_.check(first.jobs == second.jobs, "G4 counts", where);
        if (first.cancel) {
            problems_.check(second.cancel && second.cancel->requested_at == first.cancel->requested_at &&
                                second.cancel->reason == first.cancel->reason &&
                                second.cancel->mode == first.cancel->mode &&
                                second.cancel->grace == first.cancel->grace,
                            "G8 the first cancel stays", where);
            problems_.check(!first.cancel->deadline_at ||
                                second.cancel->deadline_at <= first.cancel->deadline_at,
                            "G8 the deadline comes nearer only", where);
            problems_.check(!first.started_at || first.started_at <= first.cancel->requested_at,
                            "no start after the request", where);
        }
    }

    void look_at_job(entry& entry, std::uint64_t index)
    {
        auto const first = entry.any().job(index);
        auto const state = entry.any().job_state_of(index);
        auto const second = entry.any().job(index);

        problems_.check(first.attempt <= second.attempt &&
                            ((first.state <= state && state <= second.state) ||
                             (entry.has_retries() && !is_ended(first.state) && !is_ended(state))),
                        "a job goes forward only",
                        entry.name() + ", " + std::string(to_string(first.state)) + " " +
                            std::string(to_string(state)) + " " +
                            std::string(to_string(second.state)));
        if (is_ended(first.state))
            problems_.check(first.state == second.state &&
                                first.disposition == second.disposition &&
                                first.ended_at == second.ended_at && first.late == second.late,
                            "G4 an ended job stays as it is", entry.name());
        if (state == job_state::succeeded)
            check_value(entry, index);
    }

    void check_value(entry& entry, std::uint64_t index)
    {
        bool const right = entry.typed
                               ? entry.typed->value(index) == index * 7
                               : entry.recorded->output(index) == std::to_string(index * 7);
        problems_.check(right, "a value is right", entry.name());
    }

    void finish(std::shared_ptr<entry> const& entry, random& random)
    {
        if (below(random, 3) == 0)
            cancel(*entry, random);
        if (!entry->any().wait_for(patience)) {
            problems_.check(false, "a batch ends", entry->name());
            return;
        }
        look_at_the_end(*entry, entry);
    }

    void look_at_the_end(entry& entry, std::shared_ptr<struct entry> const& self)
    {
        final_view view{self, entry.any().status(), {}};
        auto const& status = view.status;
        job_counts seen;
        seen.total = status.jobs.total;
        for (std::uint64_t index = 0; index != seen.total; ++index) {
            auto const job = entry.any().job(index);
            view.jobs.emplace_back(job.state, job.disposition);
            compare(entry, job, status);
            count(seen, job);
        }
        problems_.check(seen == status.jobs, "G6 one entry a job at the end", entry.name());
        problems_.check(eventually([&] { return entry.told == 1; }), "the end is told once",
                        entry.name());

        bool const by_user = status.cancel && status.cancel->cause == stop_cause::user;
        // Who cancelled notes it when its call is back, which may be after the end was seen here.
        problems_.check(eventually([&] { return entry.changed == (by_user ? 1 : 0); }),
                        "G8 exactly one changed it", entry.name());
        problems_.check(status.state == state_after(status.cancel), "the state is the cause's",
                        entry.name());
        if (by_user) {
            std::scoped_lock const lock(entry.mutex);
            problems_.check(status.cancel->reason == entry.winner &&
                                status.cancel->mode == entry.winning_mode,
                            "G8 the first cancel's why and mode", entry.name());
        }
        problems_.check(!entry.any().cancel().changed, "G8 a repeat changes nothing", entry.name());
        problems_.check(entry.ledger->late_starts == 0, "G1 no late start", entry.name());
        problems_.check(entry.ledger->slips <= workers, "G1 at most one slip a worker",
                        entry.name());
        slips_ += entry.ledger->slips;
        std::scoped_lock const lock(mutex_);
        ended_.push_back(std::move(view));
    }

    static batch_state state_after(std::optional<cancel_record> const& cancel)
    {
        if (!cancel)
            return batch_state::completed;
        return cancel->cause == stop_cause::deadline    ? batch_state::expired
               : cancel->cause == stop_cause::fail_fast ? batch_state::failed
                                                        : batch_state::cancelled;
    }

    static void count(job_counts& counts, job_status const& job)
    {
        counts.succeeded += job.state == job_state::succeeded;
        counts.failed += job.state == job_state::failed;
        counts.late += job.late;
        counts.not_started += job.disposition == disposition::not_started;
        counts.stopped += job.disposition == disposition::stopped;
        counts.abandoned += job.disposition == disposition::abandoned;
    }

    /// Holds what is said of a job at the end against what its body noted.
    void compare(entry& entry, job_status const& job, batch_status const& batch)
    {
        int const entered = entry.ledger->entered[job.index];
        int const left = entry.ledger->left[job.index];
        std::string const where =
            entry.name() + ", " + std::string(to_string(job.state)) + " " +
            std::string(to_string(job.disposition)) + ", attempt " +
            std::to_string(job.attempt) + ", entered " + std::to_string(entered) +
            " times, left " + std::to_string(left) + " times";
        problems_.check(is_ended(job.state), "all have ended at the end", where);
        bool const started = job.disposition != disposition::not_started;
        problems_.check(entered == static_cast<int>(started ? job.attempt : job.attempt - 1),
                        "G1, G6 it agrees with the bodies' records", where);
        problems_.check(job.attempt <= entry.any().options().max_attempts,
                        "no more attempts than it has", where);
        if (job.disposition != disposition::abandoned)
            problems_.check(left == entered, "G6 has left, too", where);
        if (job.state == job_state::succeeded)
            check_value(entry, job.index);
        if (entry.typed || !started || job.disposition == disposition::abandoned)
            return;
        problems_.check(job.started_at && job.ended_at && job.started_at <= job.ended_at &&
                            batch.started_at && job.ended_at <= batch.ended_at,
                        "times are in order", where);
        if (batch.cancel)
            problems_.check(job.started_at <= batch.cancel->requested_at,
                            "no start after the request", where);
    }

    void look_again(final_view const& view)
    {
        auto const& batch = view.of->any();
        auto const status = batch.status();
        problems_.check(status.state == view.status.state && status.jobs == view.status.jobs &&
                            status.ended_at == view.status.ended_at &&
                            status.entered_at == view.status.entered_at,
                        "G4 a batch stays as it ended", view.of->name());
        for (std::uint64_t index = 0; index != view.jobs.size(); ++index) {
            auto const job = batch.job(index);
            problems_.check(std::pair(job.state, job.disposition) == view.jobs[index],
                            "G4 a job stays as it ended", view.of->name());
            if (job.state == job_state::succeeded)
                check_value(*view.of, index);
        }
    }

    std::uint64_t const seed_;
    bool const durable_;
    problems problems_;
    std::atomic<std::uint64_t> number_{0};
    std::atomic<std::uint64_t> slips_{0};
    std::mutex mutex_; // guards what follows
    std::vector<std::shared_ptr<entry>> board_;
    std::map<std::string, std::shared_ptr<ledger>> ledgers_;
    std::vector<final_view> ended_;
    std::unique_ptr<engine> engine_;
};

/// Lets it rage over a store, or in memory.
void rage(std::shared_ptr<store> kept)
{
    std::uint64_t const seed = from_environment("BELAY_STORM_SEED", std::random_device()());
    std::uint64_t const operations = from_environment("BELAY_STORM_OPERATIONS", 1'500);
    std::cout << "BELAY_STORM_SEED=" << seed << " BELAY_STORM_OPERATIONS=" << operations
              << std::endl;
    storm storm(seed, std::move(kept));

    storm.rage(operations);
}

} // namespace

BOOST_AUTO_TEST_SUITE(storm_test)

BOOST_AUTO_TEST_CASE(G1_G4_G6_G8_hold_in_a_storm) { rage(nullptr); }

BOOST_AUTO_TEST_CASE(G1_G2_G3_G4_G6_G8_hold_in_a_storm_over_a_disk)
{
    belay::test::temporary_directory const directory;

    rage(open_store(directory.path()));
}

BOOST_AUTO_TEST_SUITE_END()
