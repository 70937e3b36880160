// What the store on disk promises beyond store_test: opening, refusing, and reopening it, what it
// does on a full disk, and how it forgets.
#include "store/sqlite/store.hpp"

#include "eventually.hpp"
#include "failing_call.hpp"
#include "fault_vfs.hpp"
#include "file_limit.hpp"
#include "no_descriptors.hpp"
#include "noted_syncs.hpp"
#include "store/files/state_map.hpp"
#include "store/sqlite/schema.hpp"
#include "store_client.hpp"
#include "temporary_directory.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace belay;
using namespace belay::test;
using detail::job_byte;
namespace filesystem = std::filesystem;

namespace {

constexpr auto newest = std::numeric_limits<std::uint64_t>::max();
constexpr store_options small_reserve{.waiting_bytes_max = 1'000'000, .reserve_bytes = 100'000};

/// Every file and its bytes; but for the one in which whoever holds the database notes what it
/// reads, as it does at any time: once it is idle it looks for garbage.
std::map<std::string, std::string> contents(filesystem::path const& directory)
{
    std::map<std::string, std::string> result;
    for (auto const& entry : filesystem::recursive_directory_iterator(directory)) {
        if (entry.path().string().ends_with("-shm"))
            continue;
        std::ifstream stream(entry.path(), std::ios::binary);
        result[entry.path().string()] = std::string(std::istreambuf_iterator<char>(stream), {});
    }
    return result;
}

/// Whether opening `directory` is refused with a message that has all of `words`, and nothing is
/// changed by it.
void check_refused(filesystem::path const& directory, std::vector<std::string> const& words)
{
    auto const before = contents(directory);
    BOOST_CHECK_EXCEPTION((void)open_store(directory), error, [&](error const& refusal) {
        BOOST_TEST((refusal.code() == errc::store_unusable));
        for (auto const& word : words)
            BOOST_TEST(std::string(refusal.what()).find(word) != std::string::npos,
                       "'" << word << "' in: " << refusal.what());
        return true;
    });
    auto const after = contents(directory);
    BOOST_TEST(after.size() == before.size(), "no file has come or gone");
    for (auto const& [file, bytes] : before)
        BOOST_TEST((after.contains(file) && after.at(file) == bytes), file << " was changed");
}

/// A directory with a batch in it, closed in order.
struct made {
    temporary_directory directory;
    filesystem::path database = directory.path() / "belay.db";

    made() { (void)create(*open_store(directory.path(), small_reserve), 3); }

    void execute(std::string const& statement) const
    {
        SQLite::Database connection(database.string(), SQLite::OPEN_READWRITE);
        connection.exec(statement);
    }
    std::int64_t ask(std::string const& query) const
    {
        SQLite::Database connection(database.string(), SQLite::OPEN_READONLY, 5000);
        return connection.execAndGet(query).getInt64();
    }
    void write(std::uint64_t place, std::string const& bytes) const
    {
        std::fstream stream(database, std::ios::binary | std::ios::in | std::ios::out);
        stream.seekp(static_cast<std::streamoff>(place));
        stream << bytes;
    }
};

/// Connections that are opened as long as it lives take no larger row.
class small_rows {
public:
    static constexpr int bytes_max = 100'000;

    small_rows() { ::sqlite3_auto_extension(entry); }
    ~small_rows() { ::sqlite3_cancel_auto_extension(entry); }
    small_rows(small_rows const&) = delete;
    small_rows& operator=(small_rows const&) = delete;

private:
    static int limit(sqlite3* database, char**, void const*)
    {
        ::sqlite3_limit(database, SQLITE_LIMIT_LENGTH, bytes_max);
        return SQLITE_OK;
    }
    static inline auto const entry = reinterpret_cast<void (*)()>(limit);
};

} // namespace

BOOST_AUTO_TEST_SUITE(sqlite_store_)

// Opening.

BOOST_AUTO_TEST_CASE(a_directory_is_made_for_its_owner_alone)
{
    temporary_directory directory;
    auto const path = directory.path() / "a" / "b";

    auto const store = open_store(path, small_reserve);

    struct stat about {};
    BOOST_REQUIRE(::stat(path.c_str(), &about) == 0);
    BOOST_TEST((about.st_mode & 0777) == 0700U);
    for (auto const* const name : {"belay.db", "belay.states", "belay.reserve"})
        BOOST_TEST(filesystem::exists(path / name), name);
    BOOST_TEST(filesystem::file_size(path / "belay.reserve") == 100'000);
}

BOOST_AUTO_TEST_CASE(a_directory_that_was_made_is_found_after_a_power_failure)
{
    temporary_directory directory;
    noted_syncs const synced;

    (void)open_store(directory.path() / "a" / "b", small_reserve);

    BOOST_TEST(synced.has(directory.path()));
    BOOST_TEST(synced.has(directory.path() / "a"));
    BOOST_TEST(synced.has(directory.path() / "a" / "b"));
}

BOOST_AUTO_TEST_CASE(a_clean_end_leaves_only_what_is_needed)
{
    made const place;
    std::vector<std::string> names;
    for (auto const& entry : filesystem::directory_iterator(place.directory.path()))
        names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    BOOST_TEST(names == (std::vector<std::string>{"belay.db", "belay.reserve", "belay.states"}));
}

BOOST_AUTO_TEST_CASE(a_path_that_is_a_file_is_refused)
{
    temporary_directory directory;
    auto const path = directory.write("file", "mine");
    auto const before = contents(directory.path());
    BOOST_CHECK_EXCEPTION((void)open_store(path), error, [&](error const& refusal) {
        return refusal.code() == errc::store_unusable &&
               std::string(refusal.what()).find(path.string()) == 0;
    });
    BOOST_TEST((contents(directory.path()) == before));
}

BOOST_AUTO_TEST_CASE(a_directory_that_cant_be_written_is_refused)
{
    // Not even root can write here.
    for (auto const* const path : {"/proc/self/belay", "/proc/self/task"})
        BOOST_CHECK_EXCEPTION((void)open_store(path), error, [&](error const& refusal) {
            return refusal.code() == errc::store_unusable &&
                   std::string(refusal.what()).find(path) == 0;
        });
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_held_is_refused)
{
    temporary_directory directory;
    {
        auto const store = open_store(directory.path(), small_reserve);
        auto const sequence = create(*store, 2);

        check_refused(directory.path(), {directory.path().string(), "in use"});

        // The first one's locks have not suffered.
        write(*store, sequence, change::started{at(5)});
        check_refused(directory.path(), {"in use"});
    }
    BOOST_TEST(open_store(directory.path())->list(newest, 9).size() == 1);
}

BOOST_AUTO_TEST_CASE(a_newer_version_is_refused)
{
    made const place;
    place.execute("PRAGMA user_version = 9");
    check_refused(place.directory.path(), {place.database.string(), "version 9", "newer belay"});
}

/// The version may stand in the log only, when its process crashed.
BOOST_AUTO_TEST_CASE(a_newer_version_in_the_log_is_refused)
{
    made const place;
    temporary_directory copy;
    {
        SQLite::Database connection(place.database.string(), SQLite::OPEN_READWRITE);
        connection.exec("PRAGMA user_version = 9");
        for (auto const* const name : {"belay.db", "belay.db-wal", "belay.states"})
            filesystem::copy(place.directory.path() / name, copy.path() / name);
    }
    check_refused(copy.path(), {"belay.db", "version 9"});
}

BOOST_AUTO_TEST_CASE(a_version_that_never_was_is_refused)
{
    made const place;
    place.execute("PRAGMA user_version = 0");
    check_refused(place.directory.path(), {place.database.string(), "damaged"});
}

BOOST_AUTO_TEST_CASE(a_database_of_another_program_is_refused)
{
    temporary_directory directory;
    {
        SQLite::Database connection((directory.path() / "belay.db").string(),
                                    SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
        connection.exec("CREATE TABLE t (x)");
    }
    check_refused(directory.path(), {"belay.db", "application_id is 0"});
}

BOOST_AUTO_TEST_CASE(what_is_no_database_is_refused)
{
    for (std::string const& bytes :
         {std::string(), std::string("SQLite format 3"), std::string(5000, 'x')}) {
        temporary_directory directory;
        directory.write("belay.db", bytes);
        check_refused(directory.path(), {"belay.db", "header"});
    }
}

BOOST_AUTO_TEST_CASE(a_log_without_its_database_is_refused)
{
    temporary_directory directory;
    directory.write("belay.db-wal", "log");
    check_refused(directory.path(), {"belay.db-wal", "missing"});
}

BOOST_AUTO_TEST_CASE(a_damaged_database_is_refused)
{
    {
        made const place;
        filesystem::resize_file(place.database, filesystem::file_size(place.database) / 2);
        check_refused(place.directory.path(), {place.database.string()});
    }
    {
        made const place;
        for (std::uint64_t page = 1; page != 10; ++page)
            place.write(4096 * page, std::string(100, 'x'));
        check_refused(place.directory.path(), {place.database.string()});
    }
    {
        made const place;
        place.execute("DROP TABLE job_cancel");
        check_refused(place.directory.path(), {place.database.string(), "job_cancel"});
    }
}

BOOST_AUTO_TEST_CASE(damage_found_while_reading_fails_the_reading)
{
    made const place;
    auto const store = open_store(place.directory.path(), small_reserve);
    auto const sequence = create(*store, 1);
    place.execute("UPDATE input_page SET bytes = x'05', count = 1 WHERE batch = " +
                  std::to_string(sequence));
    BOOST_CHECK_EXCEPTION((void)store->inputs(sequence, 0), error, [](error const& problem) {
        return problem.code() == errc::store_failed;
    });
    place.execute("UPDATE batch SET failure_policy = 'none'");
    BOOST_CHECK_EXCEPTION((void)store->list(newest, 9), error, [](error const& problem) {
        return problem.code() == errc::store_failed &&
               std::string(problem.what()).find("'none'") != std::string::npos;
    });
}

BOOST_AUTO_TEST_CASE(the_disk_fails_while_reading)
{
    made const place;
    fault_vfs disk;
    {
        auto const store = open_sqlite_store(place.directory.path(), small_reserve, disk.name());
        disk.arm({fault_vfs::operation::open, 1, SQLITE_IOERR});
        BOOST_CHECK_EXCEPTION((void)store->list(newest, 9), error, [](error const& problem) {
            return problem.code() == errc::store_failed;
        });
        BOOST_TEST(store->list(newest, 9).size() == 1, "the next one goes well");
    }
}

// Versions.

BOOST_AUTO_TEST_CASE(steps_lead_from_version_to_version)
{
    temporary_directory directory;
    sqlite_schema::place const place{directory.path() / "belay.db"};
    sqlite_schema::create(place, sqlite_schema::known().first(1));
    std::array<char const*, 3> const steps{sqlite_schema::known()[0], "CREATE TABLE second (x)",
                                           "CREATE TABLE third (x); INSERT INTO second VALUES (3)"};
    std::array<char const*, 3> failing = steps;
    failing[2] = "CREATE TABLE third (x); INSERT INTO nowhere VALUES (3)";
    SQLite::Database database(place.path.string(), SQLite::OPEN_READWRITE);

    BOOST_CHECK_THROW(sqlite_schema::migrate(database, failing), SQLite::Exception);
    BOOST_TEST(database.execAndGet("PRAGMA user_version").getInt() == 1);
    BOOST_TEST(!database.tableExists("second"));

    sqlite_schema::migrate(database, steps);
    BOOST_TEST(database.execAndGet("PRAGMA user_version").getInt() == 3);
    BOOST_TEST(database.execAndGet("SELECT x FROM second").getInt() == 3);

    sqlite_schema::migrate(database, steps);
    BOOST_TEST(database.execAndGet("SELECT count(*) FROM second").getInt() == 1, "once");
}

BOOST_AUTO_TEST_CASE(a_file_of_the_first_version_is_taken_over)
{
    temporary_directory directory;
    sqlite_schema::place const place{directory.path() / "belay.db"};
    sqlite_schema::create(place, sqlite_schema::known().first(1));

    std::string id;
    {
        auto const store = open_store(directory.path(), small_reserve);
        id = store->id();
        BOOST_TEST(id.size() == 16U);
        auto const batch = create(*store, 1);
        BOOST_TEST(store->jobs(batch, 0, 1).empty());
    }
    BOOST_TEST(open_store(directory.path(), small_reserve)->id() == id);
    BOOST_TEST(open_store(temporary_directory().path(), small_reserve)->id() != id);
}

BOOST_AUTO_TEST_CASE(cancels_of_jobs_that_the_second_version_knew_are_taken_over)
{
    temporary_directory directory;
    sqlite_schema::place const place{directory.path() / "belay.db"};
    sqlite_schema::create(place, sqlite_schema::known().first(2));
    {
        SQLite::Database database(place.path.string(), SQLite::OPEN_READWRITE);
        database.exec("INSERT INTO job VALUES "
                      "(1, 0, 'not_started', 1, 0, 0, 0, 5000000000, NULL, NULL, x'')");
        database.exec("INSERT INTO job_cancel VALUES (1, 0, 5000000000)");
        database.exec("UPDATE store SET last_sequence = 0");
    }

    auto const store = open_store(directory.path(), small_reserve);
    BOOST_TEST(create(*store, 1) == 1U);
    auto const job = store->jobs(1, 0, 1).at(0);
    BOOST_TEST_REQUIRE((job.cancel != nullptr));
    BOOST_TEST((*job.cancel == job_cancel_record{at(5)}));
}

BOOST_AUTO_TEST_CASE(texts_that_the_fourth_version_knew_are_taken_over)
{
    temporary_directory directory;
    sqlite_schema::place const place{directory.path() / "belay.db"};
    sqlite_schema::create(place, sqlite_schema::known().first(4));
    {
        SQLite::Database database(place.path.string(), SQLite::OPEN_READWRITE);
        for (char const* const text : {"zeroblob(4097)", "x'41'"})
            database.exec(
                "INSERT INTO job SELECT 1, count(*), 'failed', 1, 1, 0, 1, 5, NULL, 'failed', " +
                std::string(text) + ", 0 FROM job");
        database.exec("INSERT INTO failure VALUES (1, 0, 'failed', zeroblob(4097), 1), "
                      "(1, 1, 'failed', x'41', 1)");
    }

    auto const store = open_store(directory.path(), small_reserve);
    auto batch = batch_of(1, 2);
    write(*store, 1, change::inputs{0, numbered(0, 2)});
    write(*store, 1, change::created{batch, {}});
    SQLite::Database(place.path.string(), SQLite::OPEN_READWRITE)
        .exec(
            "UPDATE batch SET state = 'failed', ended_at = 5, succeeded = 0, failed = 2, late = 0, "
            "not_started = 0, stopped = 0, terminated = 0, killed = 0, abandoned = 0, lost = 0, "
            "retried = 0");

    auto const jobs = store->jobs(1, 0, 2);
    auto const end = store->find(batch.id)->end.value();
    BOOST_TEST_REQUIRE(jobs.size() == 2U);
    BOOST_TEST_REQUIRE(end.errors.size() == 2U);
    for (std::size_t const index : {0, 1}) {
        std::string const text = index == 0 ? std::string(4097, '\0') : "A";
        BOOST_TEST((jobs[index].text == text));
        BOOST_TEST((end.errors[index].message == text));
    }
}

BOOST_AUTO_TEST_CASE(batches_that_the_sixth_version_knew_have_no_upload)
{
    temporary_directory directory;
    sqlite_schema::place const place{directory.path() / "belay.db"};
    sqlite_schema::create(place, sqlite_schema::known().first(6));
    auto const batch = batch_of(1, 1);
    {
        SQLite::Database database(place.path.string(), SQLite::OPEN_READWRITE);
        database.exec(
            "INSERT INTO batch (sequence, id, type, name, owner, collection, weight, "
            "failure_policy, max_attempts, backoff_ms, backoff_max_ms, total, created_at) "
            "VALUES (1, '" +
            batch.id +
            "', 't', '', 'ci', '', 10, 'continue', 1, 0, 0, "
            "1, 5)");
        database.exec("UPDATE store SET last_sequence = 1");
    }

    auto const store = open_store(directory.path(), small_reserve);
    BOOST_TEST(store->find(batch.id)->upload_bytes == 0U);
    BOOST_TEST(store->upload_bytes("ci") == 0U);
    (void)create(*store, 1);
}

BOOST_AUTO_TEST_CASE(every_commit_is_synced)
{
    temporary_directory directory;
    fault_vfs disk;
    auto const store = open_sqlite_store(directory.path(), small_reserve, disk.name());
    auto const sequence = create(*store, 1);
    disk.arm({fault_vfs::operation::sync, 1'000'000, SQLITE_IOERR_FSYNC});
    for (unsigned done = 1; done != 5; ++done) {
        write(*store, sequence, change::cancelled{cancel_at(done), {}});
        BOOST_TEST(disk.count() >= done);
    }
}

// Reopening.

BOOST_AUTO_TEST_CASE(what_was_written_is_there_again)
{
    temporary_directory directory;
    std::uint64_t sequence = 0;
    {
        counting_listener listener;
        auto const store = open_store(directory.path(), small_reserve);
        sequence = create(*store, 5000);
        for (std::uint64_t index = 0; index != 5000; ++index)
            (void)store->record(sequence, record_of(index), listener);
        store->commit(sequence, change::ended{end_at(9, 5000)}, persistence::until_done, {});
    } // what waits is written

    auto const store = open_store(directory.path(), small_reserve);
    BOOST_TEST(store->jobs(sequence, 0, newest).size() == 5000);
    BOOST_TEST((store->list(newest, 9).at(0).end == end_at(9, 5000)));
}

BOOST_AUTO_TEST_CASE(no_sequence_is_given_twice)
{
    temporary_directory directory;
    std::uint64_t last = 0;
    for (int round = 0; round != 4; ++round) {
        auto const store = open_store(directory.path(), small_reserve);
        auto const created = create(*store, 1);
        BOOST_TEST(created > last);
        write(*store, created, change::forgotten{});
        last = store->next_sequence();
        if (round % 2 == 0) {
            write(*store, last, change::inputs{0, numbered(0, 1)}); // a draft
        } else {
            write(*store, last, change::created{batch_of(last, 0), {}});
            write(*store, last, change::forgotten{});
        }
    }
}

BOOST_AUTO_TEST_CASE(a_draft_is_gone_after_a_restart)
{
    made const place;
    {
        auto const store = open_store(place.directory.path(), small_reserve);
        write(*store, store->next_sequence(), change::inputs{0, numbered(0, 3000)});
    }
    auto const store = open_store(place.directory.path(), small_reserve);
    BOOST_TEST(eventually([&] {
        return place.ask("SELECT count(*) FROM input_page") == 1 &&
               place.ask("SELECT count(*) FROM draft") +
                       place.ask("SELECT count(*) FROM garbage") ==
                   0;
    }));
    BOOST_TEST(store->list(newest, 9).size() == 1);
    BOOST_TEST(store->inputs(1, 2).inputs[2] == "2");
}

BOOST_AUTO_TEST_CASE(what_a_crashed_process_had_begun_is_told_until_it_is_dealt_with)
{
    temporary_directory directory;
    temporary_directory crashed;
    std::uint64_t sequence = 0;
    {
        auto const store = open_store(directory.path(), small_reserve);
        sequence = create(*store, 10);
        auto const states = store->states(sequence, 10);
        states[3] = job_byte::running;
        states[4] = job_byte::withheld;
        states[5] = job_byte::backing_off;
        filesystem::copy(directory.path(), crashed.path(), filesystem::copy_options::recursive);
    }
    for (int restart = 0; restart != 2; ++restart) {
        auto const store = open_store(crashed.path(), small_reserve);
        auto const begun = store->begun(sequence);
        BOOST_REQUIRE(begun.size() == 2);
        BOOST_TEST(begun[0].index == 3);
        BOOST_TEST((begun[0].how == job_byte::running));
        BOOST_TEST(begun[1].index == 5);
        (void)store->states(sequence, 10);
    }
    open_store(crashed.path(), small_reserve)->recovered({});
    BOOST_TEST(open_store(crashed.path(), small_reserve)->begun(sequence).empty());
}

BOOST_AUTO_TEST_CASE(what_was_dealt_with_is_not_told_again_though_its_file_was_not_removed)
{
    temporary_directory directory;
    auto const first = state_file::path(directory.path(), 1);
    auto const kept = directory.path() / "kept";
    std::uint64_t sequence = 0;
    {
        auto const store = open_store(directory.path(), small_reserve);
        sequence = create(*store, 10);
        auto const states = store->states(sequence, 10);
        states[3] = job_byte::running;
        filesystem::copy(first, kept);
    }
    filesystem::copy(kept, first);
    {
        auto const store = open_store(directory.path(), small_reserve);
        BOOST_TEST(store->begun(sequence).size() == 1);
        store->recovered({{sequence, {record_of(3, job_byte::backing_off)}}});
        BOOST_TEST(!filesystem::exists(first));
    }
    filesystem::copy(kept, first);

    auto const store = open_store(directory.path(), small_reserve);
    BOOST_TEST(store->begun(sequence).empty());
    BOOST_TEST(store->jobs(sequence, 0, 10).size() == 1);
    auto const states = store->states(sequence, 10);
    BOOST_TEST(filesystem::exists(state_file::path(directory.path(), 2)));
}

// Order.

BOOST_AUTO_TEST_CASE(what_is_about_the_gate_overtakes_the_rest_g10)
{
    temporary_directory directory;
    counting_listener listener;
    auto const store = open_store(directory.path(), small_reserve);
    auto const sequence = create(*store, 10'000);
    std::uint64_t records_before = newest;
    std::atomic<bool> told = false;
    {
        held_writer held(*store, sequence);
        for (std::uint64_t index = 0; index != 10'000; ++index)
            (void)store->record(sequence, record_of(index), listener);
        store->commit(sequence, change::cancelled{cancel_at(5), {}}, persistence::once, [&](auto) {
            records_before = listener.count();
            told = true;
        });
    }
    BOOST_TEST(eventually([&] { return told.load(); }));
    BOOST_TEST(records_before == 0);
    BOOST_TEST(eventually([&] { return listener.count() == 10'000; }));
    BOOST_TEST(listener.calls() <= 4, "many are told at once");
}

BOOST_AUTO_TEST_CASE(the_cancel_of_a_batch_does_not_wait_for_those_of_many_jobs_g10)
{
    constexpr std::uint64_t jobs = 10'000;
    temporary_directory directory;
    counting_listener listener;
    auto const store = open_store(directory.path(), small_reserve);
    auto const sequence = create(*store, jobs);
    auto const other = create(*store, 1);
    std::atomic<std::uint64_t> cancelled = 0;
    auto const idle = create(*store, 1);
    std::atomic<std::uint64_t> before_batch = newest;
    std::atomic<std::uint64_t> before_idle = newest;
    std::atomic<std::uint64_t> before_own = newest;
    std::atomic<std::uint64_t> before_end = newest;
    {
        held_writer held(*store, sequence);
        for (std::uint64_t index = 0; index != jobs; ++index)
            store->commit(sequence, change::job_cancelled{index, {at(5)}, std::nullopt},
                          persistence::once, [&](auto) {
                              before_end = listener.count() == 0 ? newest : cancelled.load();
                              ++cancelled;
                          });
        (void)store->record(sequence, record_of(jobs - 1), listener);
        store->commit(sequence, change::cancelled{cancel_at(5), {}}, persistence::once,
                      [&](auto) { before_own = cancelled.load(); });
        store->commit(other, change::cancelled{cancel_at(5), {}}, persistence::once,
                      [&](auto) { before_batch = cancelled.load(); });
        store->commit(idle,
                      change::cancelled{cancel_at(5), end_at(5, 1, batch_state::cancelled), true},
                      persistence::once, [&](auto) { before_idle = cancelled.load(); });
    }
    BOOST_TEST(eventually([&] { return cancelled == jobs && listener.count() == 1; }));
    BOOST_TEST(before_batch <= 1000U);
    BOOST_TEST(before_idle <= 1000U);
    BOOST_TEST(before_own == jobs, "those of one batch keep their order");
    BOOST_TEST(before_end == newest, "no end is there before the cancels that came before it");
}

BOOST_AUTO_TEST_CASE(a_cancel_does_not_overtake_the_creation_of_its_batch)
{
    temporary_directory directory;
    auto const store = open_store(directory.path(), small_reserve);
    auto const first = create(*store, 1);
    auto const second = store->next_sequence();
    std::future<std::exception_ptr> created;
    std::future<std::exception_ptr> cancelled;
    {
        held_writer held(*store, first);
        created = ask(*store, second, change::created{batch_of(second, 0), {}});
        cancelled = ask(*store, second, change::cancelled{cancel_at(5), {}});
    }
    BOOST_TEST((wait_for(created) == nullptr));
    BOOST_TEST((wait_for(cancelled) == nullptr));
}

// A full disk.

BOOST_AUTO_TEST_CASE(congestion_is_told_and_ends)
{
    temporary_directory directory;
    counting_listener listener;
    auto const store =
        open_store(directory.path(), {.waiting_bytes_max = 100'000, .reserve_bytes = 0});
    auto const sequence = create(*store, 200);
    std::atomic<int> calls = 0;
    {
        held_writer held(*store, sequence);
        std::uint64_t index = 0;
        for (; !store->is_congested(); ++index)
            (void)store->record(
                sequence, record_of(index, job_byte::succeeded, std::string(1000, 'x')), listener);
        BOOST_TEST(index > 80);
        BOOST_TEST(index <= 100);
        store->when_uncongested([&] { ++calls; });
        store->when_uncongested([&] { ++calls; });
        BOOST_TEST(calls == 0);
    }
    BOOST_TEST(eventually([&] { return calls == 2; }));
    BOOST_TEST(!store->is_congested());
}

BOOST_AUTO_TEST_CASE(on_a_full_disk_the_reserve_is_given_up_for_cancels_g10)
{
    temporary_directory directory;
    auto const reserve = directory.path() / "belay.reserve";
    counting_listener listener;
    fault_vfs disk;
    auto const store = open_sqlite_store(directory.path(), small_reserve, disk.name());
    auto const sequence = create(*store, 3);
    std::promise<std::string> told;
    store->on_problem([&, is_first = true](std::string const& problem) mutable {
        if (std::exchange(is_first, false))
            told.set_value(problem);
    });

    disk.arm({fault_vfs::operation::write, 1, SQLITE_FULL, 0});
    (void)store->record(sequence, record_of(0), listener);
    BOOST_TEST(eventually([&] { return store->problem().has_value(); }));
    BOOST_TEST(*store->problem() ==
               "the disk is full: " + (directory.path() / "belay.db").string());
    auto first = told.get_future();
    BOOST_TEST_REQUIRE((first.wait_for(patience) == std::future_status::ready));
    BOOST_TEST(first.get() == *store->problem());
    BOOST_TEST(filesystem::file_size(reserve) == 100'000, "it is not for others");
    BOOST_TEST((try_to(*store, sequence, change::cancelled{cancel_at(5), {}}) != nullptr));
    BOOST_TEST(filesystem::file_size(reserve) == 0);
    BOOST_TEST(listener.count() == 0);

    disk.disarm();
    write(*store, sequence, change::cancelled{cancel_at(6), {}});
    BOOST_TEST(eventually([&] { return listener.count() == 1; }));
    BOOST_TEST(eventually([&] { return !store->problem(); }));
    BOOST_TEST(eventually([&] { return filesystem::file_size(reserve) == 100'000; }));
}

BOOST_AUTO_TEST_CASE(a_failure_ends_also_if_nothing_more_is_written)
{
    temporary_directory directory;
    fault_vfs disk;
    auto const store = open_sqlite_store(directory.path(), small_reserve, disk.name());
    auto const sequence = create(*store, 3);

    disk.arm({fault_vfs::operation::write, 1, SQLITE_IOERR_WRITE, 0});
    BOOST_TEST((try_to(*store, sequence, change::cancelled{cancel_at(5), {}}) != nullptr));
    unsigned const before = disk.count();
    BOOST_TEST(eventually([&] { return disk.count() > before + 2; }), "it is tried again");
    BOOST_TEST(store->problem().has_value());

    disk.disarm();
    BOOST_TEST(eventually([&] { return !store->problem(); }));
}

/// What fails on any disk must not hold up the rest.
BOOST_AUTO_TEST_CASE(a_change_that_cant_be_written_is_refused_alone)
{
    temporary_directory directory;
    counting_listener listener;
    auto const store = open_store(directory.path(), small_reserve);
    auto const first = create(*store, 3);
    auto const second = store->next_sequence();
    std::future<std::exception_ptr> same_id;
    std::future<std::exception_ptr> ended;
    {
        held_writer held(*store, first);
        (void)store->record(first, record_of(0), listener);
        auto batch = batch_of(second, 0);
        batch.id = batch_of(first, 0).id;
        same_id = ask(*store, second, change::created{batch, {}}, persistence::until_done);
        ended = ask(*store, first, change::ended{end_at(5, 3)});
    }
    BOOST_TEST((wait_for(same_id) != nullptr));
    BOOST_TEST((wait_for(ended) == nullptr));
    BOOST_TEST(listener.count() == 1);
    BOOST_TEST(!store->problem().has_value());
}

/// SQLite's own bound is 1,000,000,000 bytes.
BOOST_AUTO_TEST_CASE(a_record_that_is_too_large_becomes_a_failed_job_and_the_others_go_on)
{
    small_rows const rows;
    temporary_directory directory;
    counting_listener listener;
    listener.end_is_on_its_way = true;
    std::uint64_t sequence = 0;
    {
        auto const store = open_store(directory.path(), small_reserve);
        sequence = create(*store, 6);
        std::future<std::exception_ptr> stale;
        {
            held_writer held(*store, sequence);
            (void)store->record(sequence, record_of(0), listener);
            for (auto const& [index, how] :
                 {std::pair(1, job_byte::succeeded), std::pair(2, job_byte::stopped),
                  std::pair(3, job_byte::succeeded_late), std::pair(4, job_byte::backing_off)})
                (void)store->record(sequence,
                                    record_of(static_cast<std::uint64_t>(index), how,
                                              std::string(small_rows::bytes_max + 1, 'x')),
                                    listener);
            (void)store->record(sequence, record_of(5), listener);
            stale = ask(*store, sequence, change::ended{end_at(5, 6)}, persistence::until_done);
        }
        BOOST_TEST((wait_for(stale) != nullptr), "an end that counts otherwise");
        BOOST_TEST(eventually([&] { return listener.count() == 6; }));
        BOOST_TEST(listener.refused() == 2U, "of jobs that had a result");
        BOOST_TEST(!store->problem().has_value());
        write(*store, sequence, change::ended{end_at(5, 6)});
    }
    auto const store = open_store(directory.path(), small_reserve);
    auto const jobs = store->jobs(sequence, 0, 6);
    BOOST_REQUIRE(jobs.size() == 6U);
    for (std::size_t const index : {0, 5}) {
        BOOST_TEST((jobs[index].how == job_byte::succeeded));
        BOOST_TEST(jobs[index].text == "output");
    }
    for (std::size_t const index : {1, 3}) {
        BOOST_TEST((jobs[index].how == job_byte::failed));
        BOOST_TEST((jobs[index].failure == failure::failed));
        BOOST_TEST(jobs[index].text.find("the store refused the result: ") == 0U);
        BOOST_TEST(jobs[index].text.find("too big") != std::string::npos, jobs[index].text);
    }
    BOOST_TEST((jobs[2].how == job_byte::stopped));
    BOOST_TEST((jobs[4].how == job_byte::backing_off));
}

BOOST_AUTO_TEST_CASE(an_end_that_comes_after_a_refused_record_but_was_made_before_is_refused_once)
{
    small_rows const rows;
    temporary_directory directory;
    counting_listener listener;
    listener.end_is_on_its_way = true;
    auto const store = open_store(directory.path(), small_reserve);
    auto const sequence = create(*store, 1);

    (void)store->record(
        sequence, record_of(0, job_byte::succeeded, std::string(small_rows::bytes_max + 1, 'x')),
        listener);
    BOOST_TEST(eventually([&] { return listener.count() == 1; }));

    BOOST_TEST((try_to(*store, sequence, change::ended{end_at(5, 1)}, persistence::until_done) !=
                nullptr));
    BOOST_TEST(!store->find(batch_of(sequence, 0).id)->end.has_value());
    write(*store, sequence, change::ended{end_at(5, 1)});
}

/// A table that takes nothing of one job, whatever it is.
BOOST_AUTO_TEST_CASE(a_job_of_which_nothing_can_be_written_holds_up_no_other)
{
    made const place;
    place.execute("CREATE TRIGGER t BEFORE INSERT ON job WHEN NEW.job = 1 "
                  "BEGIN SELECT RAISE(ABORT, 'no such job'); END");
    counting_listener listener;
    auto const store = open_store(place.directory.path(), small_reserve);
    {
        held_writer held(*store, 1);
        for (std::uint64_t index = 0; index != 3; ++index)
            (void)store->record(1, record_of(index), listener);
    }
    BOOST_TEST(eventually([&] { return listener.count() == 3; }));
    write(*store, 1, change::ended{end_at(5, 3)});
    BOOST_TEST(store->jobs(1, 0, 3).size() == 2U);
    BOOST_TEST(!store->problem().has_value());
}

BOOST_AUTO_TEST_CASE(a_store_that_is_closed_while_the_disk_fails_says_so)
{
    temporary_directory directory;
    counting_listener listener;
    fault_vfs disk;
    auto store = open_sqlite_store(directory.path(), small_reserve, disk.name());
    auto const sequence = create(*store, 3);

    disk.arm({fault_vfs::operation::write, 1, SQLITE_IOERR_WRITE, 0});
    (void)store->record(sequence, record_of(0), listener);
    auto ended = ask(*store, sequence, change::ended{end_at(5, 3)}, persistence::until_done);
    store.reset();

    BOOST_TEST((wait_for(ended) != nullptr));
    BOOST_TEST(listener.count() == 0);
}

// Forgetting.

/// It can't wait for its own end, nor for a thread that does.
BOOST_AUTO_TEST_CASE(the_thread_that_writes_may_let_go_last_where_no_thread_is_to_be_had)
{
    temporary_directory directory;
    auto store = open_store(directory.path(), small_reserve);
    auto const sequence = create(*store, 3);
    counting_listener listener;
    std::promise<bool> let_go;
    {
        held_writer const held(*store, sequence);
        (void)store->record(sequence, record_of(0), listener);
        store->commit(sequence, change::started{at(2)}, persistence::once,
                      [&, own = store](std::exception_ptr const&) mutable {
                          bool const fails =
                              let_fail(SYS_clone3, EAGAIN) && let_fail(SYS_clone, EAGAIN);
                          own.reset();
                          let_go.set_value(fails);
                      });
        // The other one that holds it.
        store.reset();
    }

    BOOST_TEST(let_go.get_future().get());
    BOOST_TEST(eventually([&] {
        try {
            store = open_store(directory.path(), small_reserve);
            return true;
        } catch (error const&) { // it is still held
            return false;
        }
    }));
    BOOST_TEST(listener.count() == 1);
    BOOST_TEST(store->jobs(sequence, 0, 3).size() == 1U, "it wrote what still waited");
}

BOOST_AUTO_TEST_CASE(where_descriptors_have_run_out_reading_says_so_and_goes_on_later)
{
    bool was_read = false;
    for (std::size_t left = 0; !was_read; ++left) {
        temporary_directory directory;
        auto const store = open_store(directory.path(), small_reserve);
        auto const sequence = create(*store, 3);
        std::optional<std::error_code> problem;
        {
            no_descriptors const none(left);
            try {
                (void)store->find(batch_of(sequence, 3).id);
                was_read = true;
            } catch (error const& thrown) {
                problem = thrown.code();
            }
        }
        BOOST_TEST_CONTEXT("left: " << left)
        {
            BOOST_TEST((was_read || problem == errc::resources_exhausted));
            BOOST_TEST_REQUIRE(left < 5U);
            BOOST_TEST(store->find(batch_of(sequence, 3).id).has_value());
        }
    }
}

BOOST_AUTO_TEST_CASE(what_is_missing_of_the_reserve_is_told_until_it_is_there)
{
    temporary_directory directory;
    constexpr std::uint64_t reserve = 2 * 1024 * 1024;
    std::shared_ptr<store> store;
    {
        file_limit const limit(reserve / 2);
        store = open_store(directory.path(), {.reserve_bytes = reserve});
    }
    auto const notice = store->notice();
    BOOST_TEST_REQUIRE(notice.has_value());
    BOOST_TEST(notice->find("2097152 of the 2097152 bytes") != std::string::npos, *notice);
    BOOST_TEST(notice->find("belay.reserve") != std::string::npos, *notice);

    BOOST_TEST(eventually([&] { return !store->notice(); }), "though nothing is written");
    BOOST_TEST(filesystem::file_size(directory.path() / "belay.reserve") == reserve);
}

BOOST_AUTO_TEST_CASE(a_large_batch_is_forgotten_at_once_and_deleted_bit_by_bit)
{
    counting_listener listener;
    made const place;
    std::uint64_t sequence = 0;
    {
        auto const store = open_store(place.directory.path(), small_reserve);
        sequence = create(*store, 20'000);
        for (std::uint64_t index = 0; index != 20'000; ++index)
            (void)store->record(sequence, record_of(index), listener);
        write(*store, sequence, change::ended{end_at(5, 20'000)});

        write(*store, sequence, change::forgotten{});

        BOOST_TEST(!store->find(batch_of(sequence, 0).id).has_value());
        // Others need not wait for its rows.
        (void)create(*store, 1);
        BOOST_TEST(place.ask("SELECT count(*) FROM job") > 0);
    }
    auto const store = open_store(place.directory.path(), small_reserve);
    BOOST_TEST(eventually([&] {
        return place.ask("SELECT count(*) FROM job") == 0 &&
               place.ask("SELECT count(*) FROM garbage") == 0;
    }));
    BOOST_TEST(place.ask("SELECT count(*) FROM input_page") == 2);
    BOOST_TEST(store->list(newest, 9).size() == 2);
}

BOOST_AUTO_TEST_CASE(a_draft_that_failed_is_deleted)
{
    made const place;
    auto const store = open_store(place.directory.path(), small_reserve);
    auto const sequence = store->next_sequence();
    write(*store, sequence, change::inputs{0, numbered(0, 5)});

    BOOST_TEST((try_to(*store, sequence, change::inputs{7, numbered(7, 5)}) != nullptr));

    BOOST_TEST((try_to(*store, sequence, change::inputs{5, numbered(5, 5)}) != nullptr),
               "nothing more is taken for it");
    BOOST_TEST((try_to(*store, sequence, change::created{batch_of(sequence, 5), {}}) != nullptr));
    BOOST_TEST(eventually([&] { return place.ask("SELECT count(*) FROM input_page") == 1; }));
}

BOOST_AUTO_TEST_CASE(the_log_does_not_grow_without_bound)
{
    made const place;
    counting_listener listener;
    auto const store = open_store(place.directory.path(), small_reserve);
    constexpr std::uint64_t rounds = 40;
    auto const sequence = create(*store, rounds * 500);
    for (std::uint64_t round = 0; round != rounds; ++round) {
        for (std::uint64_t i = 0; i != 500; ++i)
            (void)store->record(
                sequence, record_of(round * 500 + i, job_byte::succeeded, std::string(1000, 'x')),
                listener);
        BOOST_REQUIRE(eventually([&] { return listener.count() == (round + 1) * 500; }));
        (void)store->jobs(sequence, 0, 10); // a reader's look must not pin it
        (void)store->list(newest, 10);
    }
    BOOST_TEST(filesystem::file_size(place.database) > 15'000'000);
    BOOST_TEST(filesystem::file_size(place.database.string() + "-wal") < 10'000'000);
}

BOOST_AUTO_TEST_SUITE_END()
