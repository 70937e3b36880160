#ifndef BELAY_TESTS_CORE_FIXTURE_HPP
#define BELAY_TESTS_CORE_FIXTURE_HPP

#include "base/batch_id.hpp"
#include "batch/core.hpp"
#include "recorded/recorded.hpp"
#include "store/store.hpp"
#include "test_host.hpp"

#include <belay/engine.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::test {

inline detail::state_array make_states(std::uint64_t total)
{
    return detail::state_array(detail::zeroed_array<std::atomic<detail::job_byte>>(total));
}

/// What an engine would make of `options`: what has to be set is.
inline batch_options effective(batch_options options)
{
    options.concurrency = options.concurrency.value_or(1);
    options.grace = options.grace.value_or(std::chrono::milliseconds(2000));
    return options;
}

/// Batch cores over a manual clock and executor. At the end it runs what is still queued and
/// checks that every batch has ended and nothing of any is left.
class core_fixture {
public:
    ~core_fixture()
    {
        executor.run_all();
        BOOST_TEST(host->visits() == 0U, "no turn is left");
        BOOST_TEST(host->counted.jobs_started_after_cancel == 0U, "G1");
        BOOST_TEST(host->counted.threads_abandoned == 0U, "no abandoned body is left");
        for (auto& core : cores_) {
            BOOST_TEST(is_terminal(core->state()), "every batch has ended");
            account(*core);
            std::weak_ptr<detail::batch_core> const weak = std::exchange(core, nullptr);
            if (!keeps_cores_)
                BOOST_TEST(weak.expired(), "nobody owns an ended batch");
        }
        for (auto const& work : works_)
            BOOST_TEST(work.expired(), "the work of an ended batch is let go (G9)");
    }

    /// A batch of `body(index, job)`; not opened yet.
    template <class Body>
    detail::batch_core& make(std::uint64_t total, Body body, batch_options options = {})
    {
        using result = typename detail::body_traits<Body, std::uint64_t>::result;
        auto states = make_states(total);
        auto outcomes = std::make_shared<detail::typed_outcomes<result>>(states, total);
        auto work = std::make_shared<detail::body_work<result, detail::index_input, Body>>(
            detail::index_input{}, std::move(body), std::move(outcomes));
        works_.push_back(work);
        return keep({.total = total,
                     .states = std::move(states),
                     .work = std::move(work),
                     .created = clock.now(),
                     .options = effective(options)});
    }

    /// The same, recorded: times are kept. Inputs are empty.
    template <class Body>
    detail::batch_core& make_recorded(std::uint64_t total, Body body, batch_options options = {})
    {
        auto type = std::make_shared<job_type>();
        type->name = "test";
        type->body = [body = std::move(body)](std::string_view, job& job) {
            body(job);
            return std::string();
        };
        stored_batch const stored = create(total, effective(options));
        auto record = std::make_shared<recorded>(defined_type{std::move(type)}, stored, store,
                                                 host->processes(),
                                                 engine_options{}.result_bytes_max);
        return keep({.total = total,
                     .states = store->states(stored.sequence, total),
                     .work = record,
                     .store = store,
                     .sequence = stored.sequence,
                     .created = stored.created_at,
                     .options = stored.options});
    }

    /// Puts a batch into the store.
    stored_batch create(std::uint64_t total, batch_options options)
    {
        stored_batch batch{.sequence = store->next_sequence(),
                           .id = make_batch_id(),
                           .type = "test",
                           .name = {},
                           .owner = {},
                           .collection = {},
                           .options = std::move(options),
                           .total = total,
                           .created_at = clock.now()};
        byte_strings inputs;
        for (std::uint64_t i = 0; i != total; ++i)
            inputs.push_back("");
        store->commit(batch.sequence, change::inputs{0, std::move(inputs)}, persistence::once, {});
        store->commit(batch.sequence, change::created{batch, std::nullopt}, persistence::once, {});
        return batch;
    }

    /// A batch of whatever work.
    detail::batch_core& keep(detail::batch_core::setup setup)
    {
        cores_.push_back(detail::batch_core::make(host, std::move(setup)));
        return *cores_.back();
    }

    /// Says that a handle of the test's own keeps a batch.
    void keeps_cores() { keeps_cores_ = true; }

    std::shared_ptr<detail::batch_core> shared(std::size_t which = 0) { return cores_.at(which); }

    /// Checks that every job is in one place (G6), and that the jobs one by one agree. Only while
    /// nothing moves.
    static job_counts account(detail::batch_core& core)
    {
        job_counts const counts = core.status().jobs;
        BOOST_TEST(counts.pending + counts.running + counts.ended() == counts.total, "G6");
        BOOST_TEST(counts.total == core.total());
        BOOST_TEST(counts.late <= counts.succeeded);
        job_counts seen;
        seen.total = core.total();
        for (std::uint64_t index = 0; index != core.total(); ++index)
            add(seen, core.job(index));
        BOOST_TEST((seen == counts), "the jobs agree with the counts");
        return counts;
    }

    static void add(job_counts& counts, job_status const& job)
    {
        counts.late += job.late;
        switch (job.state) {
        case job_state::pending: ++counts.pending; return;
        case job_state::running: ++counts.running; return;
        case job_state::succeeded: ++counts.succeeded; return;
        case job_state::failed: ++counts.failed; return;
        case job_state::cancelled: break;
        }
        switch (job.disposition) {
        case disposition::not_started: ++counts.not_started; return;
        case disposition::stopped: ++counts.stopped; return;
        case disposition::abandoned: ++counts.abandoned; return;
        case disposition::terminated: ++counts.terminated; return;
        case disposition::killed: ++counts.killed; return;
        default: BOOST_ERROR("job " << job.index << " is cancelled, nobody knows how");
        }
    }

    std::shared_ptr<test_host> const host = std::make_shared<test_host>();
    std::shared_ptr<belay::store> store = memory_store(); ///< of recorded batches
    manual_clock& clock = host->time();
    manual_executor& executor = host->runners();

private:
    std::vector<std::shared_ptr<detail::batch_core>> cores_;
    std::vector<std::weak_ptr<detail::work>> works_;
    bool keeps_cores_ = false;
};

} // namespace belay::test

#endif
