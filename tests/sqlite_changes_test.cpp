#include "sqlite_changes.hpp"

#include "sqlite_schema.hpp"
#include "store_client.hpp"
#include "temporary_directory.hpp"

#include <SQLiteCpp/SQLiteCpp.h>

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

    static std::string make(std::filesystem::path const& path)
    {
        sqlite_schema::create({path});
        return path.string();
    }

    temporary_directory directory;
    SQLite::Database database{make(directory.path() / "belay.db"), SQLite::OPEN_READWRITE};
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

    BOOST_TEST(count("job") == 15);
}

BOOST_AUTO_TEST_SUITE_END()
