// What the thread that writes does on a full disk, and in a store that is never idle.
#include "store/sqlite/writer.hpp"

#include "eventually.hpp"
#include "fault_vfs.hpp"
#include "file_limit.hpp"
#include "store/sqlite/store.hpp"
#include "store_client.hpp"
#include "temporary_directory.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace belay;
using namespace belay::test;
using detail::job_byte;
namespace filesystem = std::filesystem;

namespace {

constexpr store_options with_reserve{.waiting_bytes_max = 100'000'000, .reserve_bytes = 1 << 20};

/// A store on a disk whose size the test sets.
struct small_disk {
    temporary_directory directory;
    fault_vfs disk;
    std::shared_ptr<belay::store> store =
        open_sqlite_store(directory.path(), with_reserve, disk.name());

    void reopen()
    {
        store.reset();
        store = open_sqlite_store(directory.path(), with_reserve, disk.name());
    }
    /// So much more may be written.
    void leave(std::uint64_t bytes)
    {
        disk.set_capacity(directory.path(), fault_vfs::used(directory.path()) + bytes);
    }
    [[nodiscard]] std::uint64_t reserved() const
    {
        return filesystem::file_size(directory.path() / "belay.reserve");
    }
    [[nodiscard]] std::int64_t ask(std::string const& query) const
    {
        SQLite::Database connection((directory.path() / "belay.db").string(), SQLite::OPEN_READONLY,
                                    5000);
        return connection.execAndGet(query).getInt64();
    }
    /// A batch of one job that has ended.
    std::uint64_t ended(std::string text)
    {
        auto const sequence = create(*store, 1);
        record(*store, sequence, record_of(0, job_byte::succeeded, std::move(text)));
        write(*store, sequence, change::ended{end_at(5, 1)});
        return sequence;
    }
    /// Hands over so much that the disk gets full, of a batch that goes on.
    void fill(std::uint64_t sequence, counting_listener& listener, std::uint64_t jobs) const
    {
        for (std::uint64_t index = 0; index != jobs; ++index)
            (void)store->record(sequence,
                                record_of(index, job_byte::succeeded, std::string(20'000, 'x')),
                                listener);
    }
};

std::optional<errc> code_of(std::exception_ptr const& problem)
{
    try {
        if (problem)
            std::rethrow_exception(problem);
    } catch (error const& refusal) {
        return static_cast<errc>(refusal.code().value());
    }
    return std::nullopt;
}

/// A batch of six jobs is cancelled, three of which had ended, or end meanwhile.
void cancel(store& store, std::uint64_t sequence, bool is_cancelled_first,
            counting_listener& listener)
{
    auto const end_three = [&] {
        for (std::uint64_t index = 0; index != 3; ++index)
            (void)store.record(sequence, record_of(index), listener);
    };
    if (!is_cancelled_first)
        end_three();
    BOOST_TEST((try_to(store, sequence, change::cancelled{cancel_at(5), {}}) == nullptr));
    if (is_cancelled_first)
        end_three();
    for (std::uint64_t index = 3; index != 6; ++index)
        (void)store.record(sequence, record_of(index, job_byte::stopped), listener);
    BOOST_TEST((try_to(store, sequence,
                       change::cancelled{cancel_at(5), end_at(9, 6, batch_state::cancelled)},
                       persistence::until_done) == nullptr));
    BOOST_TEST(listener.count() == 6U);
}

/// What a store says to the cancels of single jobs.
struct job_cancel_answers {
    std::atomic<std::uint64_t> refused = 0;
    std::atomic<std::uint64_t> told = 0;

    /// Of the first `jobs` of a batch, behind a record that finds no room.
    void ask_behind_a_large_record(store& store, std::uint64_t sequence, std::uint64_t jobs,
                                   counting_listener& listener)
    {
        (void)store.record(sequence, record_of(0, job_byte::succeeded, std::string(100'000, 'x')),
                           listener);
        for (std::uint64_t index = 0; index != jobs; ++index)
            store.commit(sequence, change::job_cancelled{index, {at(5)}, std::nullopt},
                         persistence::once, [this](std::exception_ptr const& problem) {
                             refused += problem ? 1 : 0;
                             ++told;
                         });
    }
};

/// A large batch is deleted on a full disk, while so many bytes are only in the log as yet.
void check_that_a_deletion_makes_room(std::size_t in_log)
{
    small_disk place;
    counting_listener others;
    auto const old = place.ended(std::string(2'000'000, 'x'));
    place.reopen();
    auto const other = create(*place.store, 20);
    if (in_log != 0)
        place.ended(std::string(in_log, 'x'));
    place.leave(0);
    place.fill(other, others, 20);
    BOOST_TEST(eventually([&] { return place.store->problem().has_value(); }));

    BOOST_TEST((try_to(*place.store, old, change::forgotten{}) == nullptr));

    BOOST_TEST(eventually([&] { return others.count() == 20; }), "in place of what was deleted");
    BOOST_TEST(eventually([&] { return !place.store->problem(); }));
}

} // namespace

BOOST_AUTO_TEST_SUITE(sqlite_writer_test)

// A full disk.

BOOST_AUTO_TEST_CASE(wherever_the_disk_gets_full_a_cancel_is_finished_from_the_reserve_g5)
{
    for (bool const is_cancelled_first : {false, true}) {
        bool was_full = true;
        unsigned refused = 0;
        for (std::uint64_t pages = 0; was_full; pages += 5) {
            BOOST_TEST_CONTEXT("cancelled first: " << is_cancelled_first << ", pages: " << pages)
            {
                small_disk place;
                counting_listener listener;
                counting_listener others;
                auto const other = create(*place.store, 30);
                auto const sequence = create(*place.store, 6);
                auto const old = place.ended("text");
                place.leave(pages * 4096);
                place.fill(other, others, 30);

                cancel(*place.store, sequence, is_cancelled_first, listener);

                was_full = others.count() != 30;
                auto const made = place.store->next_sequence();
                auto const created =
                    try_to(*place.store, made, change::created{batch_of(made, 0), {}});
                BOOST_TEST((!created || code_of(created) == errc::store_full));
                refused += created ? 1 : 0;
                auto const deleted = try_to(*place.store, old, change::forgotten{});
                BOOST_TEST((deleted == nullptr));

                place.disk.remove_capacity();
                BOOST_TEST(eventually([&] { return others.count() == 30; }));
                BOOST_TEST(eventually([&] { return place.reserved() == 1 << 20; }));
                BOOST_TEST(place.store->jobs(sequence, 0, 6).size() == 6U);
                BOOST_TEST(place.store->find(batch_of(sequence, 0).id)->end.has_value());
            }
        }
        BOOST_TEST(refused > 3U);
    }
}

BOOST_AUTO_TEST_CASE(the_end_of_a_job_that_was_cancelled_alone_is_written_from_the_reserve)
{
    small_disk place;
    counting_listener listener;
    counting_listener others;
    auto const sequence = create(*place.store, 100);
    place.leave(0);
    place.fill(sequence, others, 40);
    write(*place.store, sequence, change::job_cancelled{50, {at(5)}, {}});

    (void)place.store->record(sequence, record_of(50, job_byte::stopped), listener);

    BOOST_TEST(eventually([&] { return listener.count() == 1; }));
    BOOST_TEST(others.count() < 40U);
    BOOST_TEST(place.store->jobs(sequence, 50, 51).size() == 1U);
}

/// What one job has returned need not fit, and holds up no other batch.
BOOST_AUTO_TEST_CASE(on_a_full_disk_small_ends_come_before_large_ones)
{
    small_disk place;
    counting_listener large;
    counting_listener small;
    auto const first = create(*place.store, 1);
    auto const second = create(*place.store, 1);
    place.leave(0);
    write(*place.store, first, change::cancelled{cancel_at(5), {}});
    write(*place.store, second, change::cancelled{cancel_at(5), {}});

    (void)place.store->record(
        first, record_of(0, job_byte::succeeded_late, std::string(5'000'000, 'x')), large);
    (void)place.store->record(second, record_of(0, job_byte::stopped), small);
    auto ended = ask(*place.store, second, change::ended{end_at(9, 1, batch_state::cancelled)},
                     persistence::until_done);

    BOOST_TEST((wait_for(ended) == nullptr));
    BOOST_TEST(small.count() == 1U);
    BOOST_TEST(large.count() == 0U);
    place.disk.remove_capacity();
    BOOST_TEST(eventually([&] { return large.count() == 1; }));
}

BOOST_AUTO_TEST_CASE(what_was_deleted_on_a_full_disk_makes_room)
{
    check_that_a_deletion_makes_room(0);
}

BOOST_AUTO_TEST_CASE(what_was_deleted_makes_room_though_the_log_wants_most_of_the_reserve)
{
    check_that_a_deletion_makes_room(700'000);
}

BOOST_AUTO_TEST_CASE(where_the_reserve_is_used_up_whoever_asks_is_told_at_once)
{
    small_disk place;
    auto const sequence = create(*place.store, 1);
    auto const old = place.ended("text");
    place.disk.arm({fault_vfs::operation::write, 1, SQLITE_FULL, 0});

    BOOST_TEST((code_of(try_to(*place.store, old, change::forgotten{})) == errc::store_full));

    auto const made = place.store->next_sequence();
    // Inputs come to be tried until they are written; not here.
    BOOST_TEST((code_of(try_to(*place.store, made, change::inputs{0, numbered(0, 3)},
                               persistence::until_done)) == errc::store_full));
    BOOST_TEST((code_of(try_to(*place.store, made, change::created{batch_of(made, 3), {}})) ==
                errc::store_full));
    BOOST_TEST((code_of(try_to(*place.store, sequence, change::cancelled{cancel_at(5), {}})) ==
                errc::store_full));
    BOOST_TEST(place.reserved() == 0U);
    BOOST_TEST(place.store->find(batch_of(old, 0).id).has_value());

    place.disk.disarm();
    BOOST_TEST(eventually([&] { return place.reserved() == 1 << 20; }));
    write(*place.store, old, change::forgotten{});
}

BOOST_AUTO_TEST_CASE(a_batch_is_cancelled_where_the_cancels_of_many_jobs_find_no_room_g10)
{
    constexpr std::uint64_t jobs = 50'000;
    small_disk place;
    counting_listener listener;
    auto const many = create(*place.store, jobs);
    auto const other = create(*place.store, 1);
    job_cancel_answers answers;
    place.leave(0);
    std::future<std::exception_ptr> cancelled;
    {
        held_writer held(*place.store, other);
        answers.ask_behind_a_large_record(*place.store, many, jobs, listener);
        cancelled = ask(*place.store, other, change::cancelled{cancel_at(5), {}});
    }

    BOOST_TEST((wait_for(cancelled) == nullptr));
    BOOST_TEST(eventually([&] { return answers.told == jobs; }));
    BOOST_TEST(answers.refused > 0U);
    BOOST_TEST(answers.refused < jobs);
    place.disk.remove_capacity();
    BOOST_TEST(eventually([&] { return listener.count() == 1U; }));
}

BOOST_AUTO_TEST_CASE(
    one_that_ends_on_a_full_disk_tells_of_all_cancels_and_keeps_those_it_said_it_has)
{
    constexpr std::uint64_t jobs = 2'500; // more than one transaction takes
    small_disk place;
    counting_listener listener;
    auto const many = create(*place.store, jobs);
    auto const other = create(*place.store, 1);
    job_cancel_answers answers;
    place.leave(0);
    {
        held_writer held(*place.store, other);
        answers.ask_behind_a_large_record(*place.store, many, jobs, listener);
    }

    place.store.reset();

    BOOST_TEST(answers.told == jobs);
    std::uint64_t const recorded = answers.told - answers.refused;
    BOOST_TEST(recorded > 1'000U);
    place.disk.remove_capacity();
    place.reopen();
    BOOST_TEST(place.ask("SELECT count(*) FROM job_cancel") == static_cast<std::int64_t>(recorded));
}

BOOST_AUTO_TEST_CASE(a_batch_that_an_earlier_process_had_cancelled_is_ended_from_the_reserve)
{
    small_disk place;
    counting_listener listener;
    counting_listener others;
    auto const other = create(*place.store, 40);
    auto const sequence = create(*place.store, 6);
    write(*place.store, sequence, change::cancelled{cancel_at(5), {}});
    place.reopen();
    place.leave(0);
    place.fill(other, others, 40);

    (void)place.store->record(sequence, record_of(0, job_byte::lost), listener);
    auto ended = ask(*place.store, sequence, change::ended{end_at(9, 6, batch_state::cancelled)},
                     persistence::until_done);

    BOOST_TEST((wait_for(ended) == nullptr));
    BOOST_TEST(listener.count() == 1U);
}

// A store that is never idle.

/// The reserve would not help: there is room on the disk.
BOOST_AUTO_TEST_CASE(files_that_may_not_grow_are_as_good_as_a_full_disk)
{
    small_disk place;
    counting_listener listener;
    auto const filling = create(*place.store, 30);
    auto const other = create(*place.store, 6);
    std::exception_ptr not_cancelled;
    std::exception_ptr not_created;
    std::optional<std::string> problem;
    {
        file_limit const limit(512 * 1024);
        for (int round = 0; round != 300 && !not_cancelled; ++round)
            not_cancelled = try_to(*place.store, other, change::cancelled{cancel_at(round), {}});
        place.fill(filling, listener, 30);
        (void)eventually([&] { return place.store->problem().has_value(); });
        problem = place.store->problem();
        auto const made = place.store->next_sequence();
        not_created = try_to(*place.store, made, change::created{batch_of(made, 0), {}});
        if (!not_cancelled)
            not_cancelled = try_to(*place.store, other, change::cancelled{cancel_at(7), {}});
    }
    BOOST_TEST((not_cancelled == nullptr), "the log is begun anew for it");
    BOOST_TEST((code_of(not_created) == errc::store_full));
    BOOST_TEST_REQUIRE(problem.has_value());
    BOOST_TEST(problem->find("the limit on the size of files") != std::string::npos, *problem);
    BOOST_TEST(place.reserved() == 1 << 20);
    BOOST_TEST(eventually([&] { return listener.count() == 30; }));
    BOOST_TEST(eventually([&] { return !place.store->problem(); }));
}

BOOST_AUTO_TEST_CASE(garbage_is_collected_while_the_store_is_busy)
{
    small_disk place;
    counting_listener listener;
    auto const busy = create(*place.store, 1);
    auto const old = create(*place.store, 3000);
    for (std::uint64_t index = 0; index != 3000; ++index)
        (void)place.store->record(old, record_of(index), listener);
    write(*place.store, old, change::ended{end_at(5, 3000)});
    std::atomic<bool> is_over = false;
    std::atomic<bool> has_ended = false;
    // Whenever something has been written the next waits already.
    std::function<void(std::exception_ptr)> next = [&](std::exception_ptr const&) {
        if (is_over)
            has_ended = true;
        else
            place.store->commit(busy, change::started{at(1)}, persistence::until_done, next);
    };
    next(nullptr);

    write(*place.store, old, change::forgotten{});

    BOOST_TEST(eventually([&] { return place.ask("SELECT count(*) FROM garbage") == 0; }));
    BOOST_TEST(place.ask("SELECT count(*) FROM job") == 0);
    is_over = true;
    BOOST_REQUIRE(eventually([&] { return has_ended.load(); }));
}

/// Holds snapshots of the log: at every moment one, and each until something has been written
/// since, or for a moment if nothing is.
class readers {
public:
    explicit readers(std::string const& path) : thread_([this, path] { run(path); }) {}
    ~readers()
    {
        is_over_ = true;
        thread_.join();
    }
    readers(readers const&) = delete;
    readers& operator=(readers const&) = delete;

    void has_written()
    {
        std::scoped_lock const lock(mutex_);
        ++written_;
        changed_.notify_all();
    }

private:
    void run(std::string const& path)
    {
        SQLite::Database first(path, SQLite::OPEN_READONLY, 5000);
        SQLite::Database second(path, SQLite::OPEN_READONLY, 5000);
        SQLite::Database* last = nullptr;
        while (!is_over_)
            for (auto* const reader : {&first, &second}) {
                std::unique_lock lock(mutex_);
                auto const before = written_;
                lock.unlock();
                reader->exec("BEGIN");
                (void)reader->execAndGet("SELECT count(*) FROM batch").getInt();
                if (last != nullptr)
                    last->exec("COMMIT");
                last = reader;
                lock.lock();
                changed_.wait_for(lock, std::chrono::milliseconds(10),
                                  [&] { return written_ != before; });
            }
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    unsigned written_ = 0;
    std::atomic<bool> is_over_ = false;
    std::thread thread_;
};

BOOST_AUTO_TEST_CASE(readers_do_not_keep_the_log_from_being_started_anew)
{
    temporary_directory directory;
    auto const path = (directory.path() / "belay.db").string();
    auto const store = open_store(directory.path(), with_reserve);
    auto const sequence = create(*store, 100'000);
    readers looking(path);
    counting_listener listener;
    constexpr std::uint64_t record_bytes = 100'000;
    constexpr std::uint64_t log_bytes_max = 300'000'000;
    std::uint64_t written = 0;
    std::uint64_t log = 0;
    do {
        (void)store->record(
            sequence, record_of(written++, job_byte::succeeded, std::string(record_bytes, 'x')),
            listener);
        BOOST_REQUIRE(eventually([&] { return listener.count() == written; }));
        looking.has_written();
        log = filesystem::file_size(path + "-wal");
    } while (log + 10'000'000 > written * record_bytes && log < log_bytes_max);
    BOOST_TEST(log < log_bytes_max, "it was started anew");
}

BOOST_AUTO_TEST_SUITE_END()
