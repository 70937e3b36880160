#include "store/sqlite/changes.hpp"

#include "store/sqlite/reader.hpp"
#include "store/sqlite/schema.hpp"
#include "store_client.hpp"
#include "temporary_directory.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <filesystem>
#include <string>

using namespace belay;
using namespace belay::test;

namespace {

struct fixture {
    /// A batch that has ended and was forgotten.
    void forgotten(std::uint64_t sequence, std::uint64_t jobs, std::string const& text)
    {
        changes.apply(sequence, change::inputs{0, numbered(0, jobs)});
        changes.apply(sequence, change::created{batch_of(sequence, jobs), {}});
        for (std::uint64_t index = 0; index != jobs; ++index)
            changes.apply(sequence, record_of(index, detail::job_byte::succeeded, text));
        changes.apply(sequence, change::ended{end_at(5, jobs)});
        changes.apply(sequence, change::forgotten{});
    }
    [[nodiscard]] int count(std::string const& table)
    {
        return database.execAndGet("SELECT count(*) FROM " + table).getInt();
    }

    /// What a reader finds of a job.
    [[nodiscard]] std::string text_of(std::uint64_t sequence, std::uint64_t index)
    {
        return sqlite_reader({path}).jobs(sequence, index, index + 1).at(0).text;
    }
    /// How many pages were looked at since the last call.
    [[nodiscard]] int pages()
    {
        int all = 0;
        for (int const what : {SQLITE_DBSTATUS_CACHE_HIT, SQLITE_DBSTATUS_CACHE_MISS}) {
            int found = 0;
            int unused = 0;
            ::sqlite3_db_status(database.getHandle(), what, &found, &unused, 1);
            all += found;
        }
        return all;
    }

    static std::string make(std::filesystem::path const& path)
    {
        sqlite_schema::create({path});
        return path.string();
    }

    temporary_directory directory;
    std::filesystem::path path = directory.path() / "belay.db";
    SQLite::Database database{make(path), SQLite::OPEN_READWRITE};
    sqlite_changes changes{database};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(sqlite_changes_test, fixture)

BOOST_AUTO_TEST_CASE(many_small_batches_are_garbage_that_goes_at_once)
{
    for (std::uint64_t sequence = 1; sequence <= 300; ++sequence)
        forgotten(sequence, 1, "text");

    BOOST_TEST(!changes.collect_garbage());

    for (auto const* const table : {"garbage", "job", "input_page", "batch"})
        BOOST_TEST(count(table) == 0, table);
}

BOOST_AUTO_TEST_CASE(garbage_goes_by_bounded_numbers_of_rows)
{
    forgotten(1, 2500, "text");
    for (int const left : {1500, 500}) {
        BOOST_TEST(changes.collect_garbage());
        BOOST_TEST(count("job") == left);
    }
    while (changes.collect_garbage()) {
    }
    BOOST_TEST(count("garbage") == 0);
}

/// A cancel waits for one such bit at most.
BOOST_AUTO_TEST_CASE(garbage_goes_by_bounded_numbers_of_bytes)
{
    forgotten(1, 20, std::string(1'000'000, 'x'));

    BOOST_TEST(changes.collect_garbage());

    BOOST_TEST(count("long_text") == 15);
    while (changes.collect_garbage()) {
    }
    for (auto const* const table : {"garbage", "job", "long_text"})
        BOOST_TEST(count(table) == 0, table);
}

// Long texts.

BOOST_AUTO_TEST_CASE(texts_of_any_length_are_read_as_they_were_written)
{
    changes.apply(1, change::inputs{0, numbered(0, 4)});
    changes.apply(1, change::created{batch_of(1, 4), {}});
    std::uint64_t index = 0;
    for (std::size_t const bytes : {0, 4096, 4097, 5'000'000}) {
        std::string const text(bytes, static_cast<char>(index));
        changes.apply(1, record_of(index, detail::job_byte::succeeded, text));
        BOOST_TEST((text_of(1, index) == text), bytes);
        ++index;
    }
    BOOST_TEST(count("long_text") == 2);
}

BOOST_AUTO_TEST_CASE(the_text_of_an_attempt_is_replaced_by_that_of_the_next)
{
    changes.apply(1, change::inputs{0, numbered(0, 1)});
    changes.apply(1, change::created{batch_of(1, 1), {}});
    unsigned failures = 0;
    for (std::size_t const bytes : {5000, 10, 6000, 7000, 20}) {
        auto record = record_of(0, detail::job_byte::backing_off, std::string(bytes, 'x'));
        record.failures = ++failures;
        record.attempt = failures + 1;
        changes.apply(1, record);
        BOOST_TEST(text_of(1, 0).size() == bytes);
        BOOST_TEST(count("long_text") == (bytes > 4096 ? 1 : 0), bytes);
    }
}

BOOST_AUTO_TEST_CASE(the_text_of_an_attempt_stays_where_there_is_no_next)
{
    std::string const text(5000, 'x');
    changes.apply(1, change::inputs{0, numbered(0, 2)});
    changes.apply(1, change::created{batch_of(1, 2), {}});
    for (std::uint64_t const index : {0, 1}) {
        auto record = record_of(index, detail::job_byte::backing_off, text);
        record.failures = 1;
        changes.apply(1, record);
        if (index == 0) // put back
            record.ended = 0;
        else
            record.how = detail::job_byte::not_started;
        record.text.clear();
        changes.apply(1, record);
        BOOST_TEST((text_of(1, index) == text), index);
    }
}

BOOST_AUTO_TEST_CASE(a_first_record_has_its_text_whatever_became_of_the_job)
{
    std::string const text(5000, 'x');
    changes.apply(1, change::inputs{0, numbered(0, 2)});
    changes.apply(1, change::created{batch_of(1, 2), {}});
    for (std::uint64_t const index : {0, 1}) {
        auto record = record_of(
            index, index == 0 ? detail::job_byte::backing_off : detail::job_byte::not_started, text);
        record.ended = 0;
        changes.apply(1, record);
        BOOST_TEST((text_of(1, index) == text), index);
    }

    changes.apply(1, change::job_withdrawn{1});

    BOOST_TEST(count("job") == 1);
    BOOST_TEST(count("long_text") == 1);
}

/// SQLite reads all of a row that it compares with, but for a rowid.
BOOST_AUTO_TEST_CASE(what_is_written_beside_long_texts_reads_none_of_them)
{
    std::string const text(1'000'000, 'x');
    batch_end end = end_at(5, 10);
    end.errors = {{failure::failed, text, 1}};
    for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
        changes.apply(sequence, change::inputs{0, numbered(0, 110)});
        changes.apply(sequence, change::created{batch_of(sequence, 110), {}});
    }
    for (std::uint64_t index = 0; index != 10; ++index)
        changes.apply(2, record_of(index, detail::job_byte::succeeded, text));
    for (std::uint64_t const sequence : {1, 3})
        changes.apply(sequence, change::ended{end});
    (void)pages();

    for (std::uint64_t index = 10; index != 110; ++index)
        changes.apply(2, record_of(index));
    changes.apply(2, change::ended{end_at(5, 110)});

    BOOST_TEST(pages() < 2000); // there are 2,400 in those texts
}

BOOST_AUTO_TEST_SUITE_END()
