// The disk fails at every operation in turn, the process or the power ends, and what is found then
// is held against what was acknowledged.
#include "store/sqlite/store.hpp"

#include "eventually.hpp"
#include "fault_vfs.hpp"
#include "store_client.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

using namespace belay;
using namespace belay::test;
using detail::job_byte;
using operation = fault_vfs::operation;

namespace {

constexpr std::uint64_t total = 6;
constexpr auto newest = std::numeric_limits<std::uint64_t>::max();
constexpr store_options options{.waiting_bytes_max = 1'000'000, .reserve_bytes = 4096};

/// What a request came to.
enum class answer { not_asked, yes, no, none };

/// What was handed over and what was said to it.
struct history {
    answer created = answer::not_asked;
    answer job_cancelled = answer::not_asked;
    answer job_withdrawn = answer::not_asked;
    answer cancelled = answer::not_asked;
    answer withdrawn = answer::not_asked;
    answer ended = answer::not_asked;
    answer short_created = answer::not_asked;
    answer short_cancelled = answer::not_asked; ///< with its end
    answer short_withdrawn = answer::not_asked;
    std::uint64_t sequence = 0;
    std::uint64_t short_sequence = 0;
};

/// Notes what it is told of.
class noting_listener final : public job_listener {
public:
    void committed(std::span<job_record const> records) noexcept override
    {
        for (auto const& record : records)
            told_[record.index] = true;
        count_ += records.size();
    }
    [[nodiscard]] bool refused(job_record const&, job_byte) noexcept override
    {
        BOOST_TEST_ERROR("no record of these is refused for itself");
        return false;
    }
    void dropped(std::span<job_record const>) noexcept override {}
    [[nodiscard]] bool was_told(std::uint64_t index) const { return told_[index]; }
    [[nodiscard]] std::uint64_t count() const { return count_; }

private:
    std::array<std::atomic<bool>, total> told_{};
    std::atomic<std::uint64_t> count_{0};
};

answer to_answer(std::exception_ptr const& problem)
{
    if (!problem)
        return answer::yes;
    BOOST_CHECK_EXCEPTION(std::rethrow_exception(problem), error, [](error const& refusal) {
        return refusal.code() == errc::store_failed || refusal.code() == errc::store_full;
    });
    return answer::no;
}

/// A change that is tried once is always answered.
answer once(store& store, std::uint64_t sequence, any_change what)
{
    return to_answer(try_to(store, sequence, std::move(what)));
}

/// One that is tried until it is done is answered unless the disk stays as it is.
answer until_done(store& store, fault_vfs& disk, unsigned times, std::uint64_t sequence,
                  any_change what)
{
    auto promised = ask(store, sequence, std::move(what), persistence::until_done);
    if (times == 0 && disk.has_failed())
        return answer::none;
    // A fault that lasts may come only now.
    bool const is_answered = eventually([&] {
        return promised.wait_for(std::chrono::seconds(0)) == std::future_status::ready ||
               (times == 0 && disk.has_failed());
    });
    BOOST_REQUIRE(is_answered);
    if (promised.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
        return answer::none;
    return to_answer(promised.get());
}

/// Creates a batch, as an engine does: it has no time to wait for the pages one by one.
answer create_fast(store& store, std::uint64_t sequence)
{
    auto first = ask(store, sequence, change::inputs{0, numbered(0, 3)});
    auto second = ask(store, sequence, change::inputs{3, numbered(3, 3)});
    auto created = ask(store, sequence,
                       change::created{batch_of(sequence, total), idempotency{"key", "digest"}});
    auto const pages = {to_answer(wait_for(first)), to_answer(wait_for(second))};
    auto const result = to_answer(wait_for(created));
    for (auto const page : pages)
        BOOST_TEST((result == answer::no || page == answer::yes), "none without its inputs");
    return result;
}

void cancel_job(store& store, history& said)
{
    said.job_cancelled = once(store, said.sequence, change::job_cancelled{4, {at(5)}, {}});
    if (said.job_cancelled == answer::no)
        said.job_withdrawn = once(store, said.sequence, change::job_withdrawn{4});
}

void cancel(store& store, history& said)
{
    said.cancelled = once(store, said.sequence, change::cancelled{cancel_at(7), {}});
    if (said.cancelled == answer::no)
        said.withdrawn = once(store, said.sequence, change::withdrawn{});
}

/// A batch in which nothing runs: its cancel and its end are one change.
void cancel_short(store& store, history& said)
{
    said.short_sequence = store.next_sequence();
    said.short_created = create_fast(store, said.short_sequence);
    if (said.short_created != answer::yes)
        return;
    said.short_cancelled =
        once(store, said.short_sequence,
             change::cancelled{cancel_at(8), end_at(8, total, batch_state::cancelled)});
    if (said.short_cancelled == answer::no)
        said.short_withdrawn = once(store, said.short_sequence, change::withdrawn{});
}

history act(store& store, fault_vfs& disk, unsigned times, noting_listener& listener)
{
    history said;
    said.sequence = store.next_sequence();
    said.created = create_fast(store, said.sequence);
    if (said.created == answer::yes) {
        store.commit(said.sequence, change::started{at(4)}, persistence::until_done, {});
        for (std::uint64_t index = 0; index != 3; ++index)
            (void)store.record(said.sequence, record_of(index), listener);
        cancel_job(store, said);
        (void)store.record(said.sequence, record_of(3), listener);
        cancel(store, said);
        (void)store.record(said.sequence, record_of(5, job_byte::stopped), listener);
        said.ended = until_done(store, disk, times, said.sequence,
                                change::ended{end_at(9, total, batch_state::cancelled)});
    }
    cancel_short(store, said);
    return said;
}

/// What was acknowledged is there, and nothing by halves.
void check_inputs(store& store, std::optional<stored_batch> const& found, answer created)
{
    BOOST_TEST((found.has_value() || created != answer::yes), "an acknowledged batch is there");
    if (!found)
        return;
    for (std::uint64_t index = 0; index != total; ++index) {
        auto const page = store.inputs(found->sequence, index);
        BOOST_TEST(page.inputs[index - page.first] == std::to_string(index));
    }
}

/// An acknowledged cancel is there, an acknowledged withdrawal, too.
void check_answer(bool is_there, answer asked, answer withdrawn)
{
    BOOST_TEST((is_there || asked != answer::yes), "acknowledged, and not there");
    BOOST_TEST((!is_there || asked != answer::not_asked), "there, and not asked for");
    BOOST_TEST((!is_there || withdrawn != answer::yes), "withdrawn, and there");
}

void check_long(store& store, history const& said, noting_listener const& listener)
{
    auto const found = store.find("batch-" + std::to_string(said.sequence));
    check_inputs(store, found, said.created);
    if (!found)
        return;
    std::set<std::uint64_t> jobs;
    for (auto const& record : store.jobs(said.sequence, 0, total)) {
        BOOST_TEST(record.text == "output");
        jobs.insert(record.index);
    }
    bool before = true;
    for (std::uint64_t const index : {0, 1, 2, 3, 5}) {
        BOOST_TEST((jobs.contains(index) || !listener.was_told(index)), "a told record is there");
        BOOST_TEST((before || !jobs.contains(index)), "records in order");
        before = jobs.contains(index);
    }
    BOOST_TEST((!found->end || before), "no end before the records");
    BOOST_TEST((found->end || said.ended != answer::yes), "an acknowledged end is there");
    BOOST_TEST((!found->end || *found->end == end_at(9, total, batch_state::cancelled)));
    BOOST_TEST((found->started_at || jobs.empty()), "the start before the records");
    check_answer(found->cancel.has_value(), said.cancelled, said.withdrawn);
    if (!found->end) {
        bool const job = !store.cancelled_jobs(said.sequence).empty();
        check_answer(job, said.job_cancelled, said.job_withdrawn);
    }
}

void check_short(store& store, history const& said)
{
    auto const found = store.find("batch-" + std::to_string(said.short_sequence));
    check_inputs(store, found, said.short_created);
    if (!found)
        return;
    BOOST_TEST(found->cancel.has_value() == found->end.has_value(), "one change");
    check_answer(found->end.has_value(), said.short_cancelled, said.short_withdrawn);
}

enum class ending { close, crash, power_cut, torn_power_cut };

/// Runs it all with one fault; whether the fault came.
bool run(fault_vfs::fault const& fault, ending how, unsigned& withdrawals)
{
    BOOST_TEST_CONTEXT("fault at operation " << static_cast<int>(fault.of) << ", number "
                                             << fault.nth << ", code " << fault.code << ", times "
                                             << fault.times << ", survives " << fault.survives
                                             << ", ending " << static_cast<int>(how))
    {
        temporary_directory directory;
        noting_listener listener;
        fault_vfs disk;
        auto store = open_sqlite_store(directory.path(), options, disk.name());
        disk.arm(fault);

        history const said = act(*store, disk, fault.times, listener);

        for (auto const withdrawn : {said.job_withdrawn, said.withdrawn, said.short_withdrawn})
            withdrawals += withdrawn == answer::yes ? 1 : 0;
        bool const failed = disk.has_failed();
        if (how != ending::close)
            disk.die();
        store.reset();
        if (how == ending::power_cut || how == ending::torn_power_cut)
            disk.cut_power(how == ending::power_cut ? std::nullopt : std::optional(fault.nth));
        fault_vfs sound; // one that saves the time of real syncs

        auto const again = open_sqlite_store(directory.path(), options, sound.name());
        check_long(*again, said, listener);
        check_short(*again, said);
        auto const highest = again->list(newest, 1);
        BOOST_TEST((highest.empty() || again->next_sequence() > highest[0].sequence));
        // It goes on.
        (void)create(*again, 3);
        return failed;
    }
    return false;
}

/// The operation fails wherever it is asked for; how many withdrawals were acknowledged in all.
unsigned run_all(operation of, int code, unsigned times, std::initializer_list<ending> endings,
                 bool survives = false)
{
    unsigned withdrawals = 0;
    for (auto const how : endings) {
        unsigned nth = 1;
        while (run({of, nth, code, times, survives}, how, withdrawals))
            ++nth;
        BOOST_TEST(nth > 3, "there was something to fail");
    }
    return withdrawals;
}

constexpr auto all_endings = {ending::close, ending::crash, ending::power_cut,
                              ending::torn_power_cut};

} // namespace

BOOST_AUTO_TEST_SUITE(sqlite_faults)

BOOST_AUTO_TEST_CASE(without_a_fault_everything_is_acknowledged)
{
    temporary_directory directory;
    noting_listener listener;
    fault_vfs disk;
    auto const store = open_sqlite_store(directory.path(), options, disk.name());

    history const said = act(*store, disk, 1, listener);

    for (auto const what : {said.created, said.job_cancelled, said.cancelled, said.ended,
                            said.short_created, said.short_cancelled})
        BOOST_TEST((what == answer::yes));
    BOOST_TEST(listener.count() == 5);
}

BOOST_AUTO_TEST_CASE(every_write_fails_once_g2)
{
    run_all(operation::write, SQLITE_IOERR_WRITE, 1, {ending::crash, ending::torn_power_cut});
}

/// What is tried again alone fails, too, and what takes it back does not.
BOOST_AUTO_TEST_CASE(every_write_fails_twice_g2)
{
    auto const withdrawals =
        run_all(operation::write, SQLITE_IOERR_WRITE, 2, {ending::crash, ending::torn_power_cut});
    BOOST_TEST(withdrawals > 0);
}

BOOST_AUTO_TEST_CASE(from_every_write_on_all_fail_g2)
{
    run_all(operation::write, SQLITE_IOERR_WRITE, 0, {ending::torn_power_cut});
}

BOOST_AUTO_TEST_CASE(the_disk_is_full_at_every_write_g2)
{
    run_all(operation::write, SQLITE_FULL, 1, {ending::crash});
    run_all(operation::write, SQLITE_FULL, 0, {ending::close});
}

BOOST_AUTO_TEST_CASE(every_sync_fails_g2)
{
    for (unsigned const times : {1, 2, 3, 0}) {
        auto const withdrawals = run_all(operation::sync, SQLITE_IOERR_FSYNC, times, all_endings);
        BOOST_TEST((withdrawals > 0) == (times > 1));
    }
}

BOOST_AUTO_TEST_CASE(every_sync_fails_and_its_bytes_survive_g2)
{
    for (unsigned const times : {1, 2, 3, 0})
        run_all(operation::sync, SQLITE_IOERR_FSYNC, times, all_endings, true);
}

/// While it is opened, nothing is promised but that it can be opened later.
BOOST_AUTO_TEST_CASE(every_operation_of_an_opening_fails_once)
{
    for (auto const of : {operation::open, operation::write, operation::sync, operation::truncate})
        for (bool const is_new : {true, false}) {
            bool failed = true;
            for (unsigned nth = 1; failed; ++nth) {
                temporary_directory directory;
                fault_vfs disk;
                if (!is_new)
                    (void)create(*open_store(directory.path(), options), 3);
                disk.arm({of, nth, SQLITE_IOERR});
                try {
                    (void)open_sqlite_store(directory.path(), options, disk.name());
                } catch (error const& problem) {
                    BOOST_TEST((problem.code() == errc::store_unusable));
                    BOOST_TEST(disk.has_failed());
                }
                failed = disk.has_failed();
                fault_vfs sound;
                auto const store = open_sqlite_store(directory.path(), options, sound.name());
                BOOST_TEST(store->list(newest, 9).size() == (is_new ? 0U : 1U));
            }
        }
}

BOOST_AUTO_TEST_SUITE_END()
