#include "store/files/state_map.hpp"

#include "file_limit.hpp"
#include "no_descriptors.hpp"
#include "temporary_directory.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

using namespace belay;
using belay::detail::job_byte;
using belay::test::temporary_directory;

namespace {

constexpr std::uint64_t segment_bytes = 64 * 1024;

bool is_all(job_byte how, detail::state_array const& array, std::uint64_t total)
{
    for (std::uint64_t index = 0; index != total; ++index)
        if (array[index].load(std::memory_order_relaxed) != how)
            return false;
    return true;
}

bool is_all_pending(detail::state_array const& array, std::uint64_t total)
{
    return is_all(job_byte::pending, array, total);
}

void fill(detail::state_array const& array, std::uint64_t total, job_byte how)
{
    for (std::uint64_t index = 0; index != total; ++index)
        array[index].store(how, std::memory_order_relaxed);
}

std::uint64_t allocated_bytes(std::filesystem::path const& path)
{
    struct stat about {};
    BOOST_REQUIRE(::stat(path.c_str(), &about) == 0);
    return static_cast<std::uint64_t>(about.st_blocks) * 512;
}

std::uint64_t resident_bytes()
{
    std::ifstream stream("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    stream >> total >> resident;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string content_of(std::filesystem::path const& path)
{
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::uint64_t> begun(earlier_states const& earlier, std::uint64_t sequence)
{
    std::vector<std::uint64_t> result;
    for (auto const& job : earlier.begun(sequence))
        result.push_back(job.index);
    return result;
}

using numbers = std::vector<std::uint64_t>;

/// A directory with the file that a process left that had crashed.
struct crashed {
    temporary_directory directory;
    std::filesystem::path path = state_file::path(directory.path(), 1);

    crashed()
    {
        state_map map(directory.path(), 1, segment_bytes);
        auto const first = map.make(11, 3);
        auto gone = map.make(12, 300);
        auto const large = map.make(13, 200'000);
        auto const last = map.make(14, 100);
        first[1] = job_byte::running;
        first[2] = job_byte::withheld;
        fill(gone, 300, job_byte::running);
        large[0] = job_byte::ending;
        large[199'999] = job_byte::succeeded;
        last[99] = job_byte::backing_off;
        gone.reset();
        std::filesystem::copy(path, directory.path() / "kept");
    }
    /// The destructor of the map has removed its file.
    void restore() const { std::filesystem::rename(directory.path() / "kept", path); }
};

} // namespace

BOOST_AUTO_TEST_SUITE(state_map_)

BOOST_AUTO_TEST_CASE(arrays_of_any_size_are_pending_and_apart)
{
    temporary_directory directory;
    state_map map(directory.path(), 1, segment_bytes);
    std::mt19937 random(3);
    std::vector<std::pair<detail::state_array, std::uint64_t>> arrays;
    for (int step = 0; step != 1000; ++step) {
        if (arrays.size() > 50 || (!arrays.empty() && random() % 3 == 0)) {
            std::swap(arrays[random() % arrays.size()], arrays.back());
            auto const& [array, total] = arrays.back();
            BOOST_REQUIRE(is_all(job_byte::running, array, total));
            arrays.pop_back();
            continue;
        }
        std::uint64_t const kinds[] = {1, 100, random() % 5000, random() % 200'000};
        std::uint64_t const total = kinds[random() % 4];
        arrays.emplace_back(map.make(static_cast<std::uint64_t>(step) + 1, total), total);
        BOOST_REQUIRE(is_all_pending(arrays.back().first, total));
        fill(arrays.back().first, total, job_byte::running);
    }
    // What is left is what a new process finds.
    earlier_states const earlier(directory.path(), 0);
    std::uint64_t found = 0;
    for (std::uint64_t sequence = 1; sequence <= 1000; ++sequence)
        found += earlier.begun(sequence).size();
    std::uint64_t expected = 0;
    for (auto const& [array, total] : arrays)
        expected += total;
    BOOST_TEST(found == expected);
}

BOOST_AUTO_TEST_CASE(a_million_pending_jobs_are_not_in_memory)
{
    temporary_directory directory;
    state_map map(directory.path(), 1);
    std::uint64_t const before = resident_bytes();

    auto const array = map.make(1, 50'000'000);

    BOOST_TEST(resident_bytes() < before + 2'000'000);
    BOOST_TEST(allocated_bytes(state_file::path(directory.path(), 1)) >= 50'000'000,
               "no write to it can meet a full disk");
}

BOOST_AUTO_TEST_CASE(many_small_batches_share_a_segment)
{
    temporary_directory directory;
    state_map map(directory.path(), 1);
    std::vector<detail::state_array> arrays;
    for (std::uint64_t i = 0; i != 100'000; ++i)
        arrays.push_back(map.make(i + 1, 10));
    BOOST_TEST(std::filesystem::file_size(state_file::path(directory.path(), 1)) <=
               17 * 1024 * 1024);
}

BOOST_AUTO_TEST_CASE(what_is_given_back_is_used_again)
{
    temporary_directory directory;
    state_map map(directory.path(), 1, segment_bytes);
    auto const path = state_file::path(directory.path(), 1);
    auto const stays = map.make(1, 10);
    for (int i = 0; i != 100; ++i) {
        auto const large = map.make(2, 500'000);
        auto const medium = map.make(3, 10'000);
        auto const small = map.make(4, 10);
        BOOST_REQUIRE(is_all_pending(large, 500'000));
        BOOST_REQUIRE(is_all_pending(medium, 10'000));
        BOOST_REQUIRE(is_all_pending(small, 10));
        large[499'999] = job_byte::running;
        medium[9'999] = job_byte::running;
        small[9] = job_byte::running;
    }
    BOOST_TEST(std::filesystem::file_size(path) < 1'000'000);
    BOOST_TEST(allocated_bytes(path) < 300'000);
}

BOOST_AUTO_TEST_CASE(arrays_outlive_the_map_and_its_file_then_stays)
{
    temporary_directory directory;
    auto const path = state_file::path(directory.path(), 7);
    auto map = std::make_unique<state_map>(directory.path(), 7);
    BOOST_TEST(!std::filesystem::exists(path), "none before the first array");
    auto array = map->make(1, 10);
    array[5] = job_byte::running;

    map.reset();

    array[6] = job_byte::running;
    BOOST_TEST(begun(earlier_states(directory.path(), 0), 1) == (numbers{5, 6}));
    array.reset();
    BOOST_TEST(begun(earlier_states(directory.path(), 0), 1).empty());
    {
        state_map another(directory.path(), 8);
        (void)another.make(1, 10);
    }
    BOOST_TEST(!std::filesystem::exists(state_file::path(directory.path(), 8)),
               "a clean end leaves nothing");
}

BOOST_AUTO_TEST_CASE(what_was_never_entered_had_not_begun)
{
    temporary_directory directory;
    state_map map(directory.path(), 7);
    auto const array = map.make(1, 4);

    array[1] = job_byte::withheld;
    array[2] = job_byte::not_started;
    array[3] = job_byte::ending;

    BOOST_TEST(begun(earlier_states(directory.path(), 0), 1) == numbers{3});
}

BOOST_AUTO_TEST_CASE(a_new_process_sees_what_had_begun)
{
    crashed const left;
    left.restore();

    earlier_states earlier(left.directory.path(), 0);

    BOOST_TEST(begun(earlier, 11) == numbers{1});
    BOOST_TEST(begun(earlier, 12).empty(), "it was given back");
    BOOST_TEST(begun(earlier, 13) == numbers{0}, "what had ended has a record");
    BOOST_TEST(begun(earlier, 14) == numbers{99});
    BOOST_TEST(begun(earlier, 15).empty());
    BOOST_TEST((earlier.begun(13)[0].how == job_byte::ending));
    BOOST_TEST(earlier.next_generation() == 2);
    BOOST_TEST(earlier.highest_sequence() == 14);

    earlier.clear();
    BOOST_TEST(begun(earlier, 11).empty());
    BOOST_TEST(!std::filesystem::exists(left.path));
}

BOOST_AUTO_TEST_CASE(a_file_that_has_been_dealt_with_says_nothing_more)
{
    crashed const left;
    left.restore();

    earlier_states earlier(left.directory.path(), 1);

    BOOST_TEST(begun(earlier, 11).empty());
    BOOST_TEST(earlier.next_generation() == 2);
    BOOST_TEST(earlier.last_generation() == 1);
    earlier.clear();
    BOOST_TEST(!std::filesystem::exists(left.path));
    BOOST_TEST(earlier_states(left.directory.path(), 7).next_generation() == 8);
}

BOOST_AUTO_TEST_CASE(several_crashes_are_seen_together)
{
    crashed const left;
    left.restore();
    {
        state_map map(left.directory.path(), 2, segment_bytes);
        auto const array = map.make(11, 3);
        array[0] = job_byte::running;
        array[1] = job_byte::running;
        std::filesystem::copy(state_file::path(left.directory.path(), 2),
                              left.directory.path() / "kept");
    }
    std::filesystem::rename(left.directory.path() / "kept",
                            state_file::path(left.directory.path(), 2));

    earlier_states const earlier(left.directory.path(), 0);

    BOOST_TEST(begun(earlier, 11) == (numbers{0, 1}));
    BOOST_TEST(begun(earlier, 14) == numbers{99});
    BOOST_TEST(earlier.next_generation() == 3);
}

BOOST_AUTO_TEST_CASE(other_files_are_left_alone)
{
    temporary_directory directory;
    for (auto const* const name :
         {"belay.states", "belay.states-", "belay.states-x", "belay.states-01", "belay.states-1x",
          "belay.states-99999999999999999999"})
        directory.write(name, "mine");
    earlier_states earlier(directory.path(), 0);
    BOOST_TEST(earlier.next_generation() == 1);
    earlier.clear();
    BOOST_TEST(std::distance(std::filesystem::directory_iterator(directory.path()),
                             std::filesystem::directory_iterator()) == 6);
}

/// Whatever a power failure left: nothing outside of the file is read, and no job is told that the
/// batch can't have had.
BOOST_AUTO_TEST_CASE(a_torn_file_is_not_trusted)
{
    crashed const left;
    left.restore();
    std::string const whole = content_of(left.path);
    std::mt19937 random(11);
    for (int round = 0; round != 400; ++round) {
        std::string torn = whole;
        if (round % 4 == 0)
            torn.resize(random() % (torn.size() + 1));
        for (int hits = round % 4; hits > 0; --hits) { // a header, mostly
            std::size_t const place = 4096 * (random() % 3) + random() % 128;
            if (place + 8 <= torn.size()) {
                std::uint64_t const value =
                    random() % 2 == 0 ? random() : ~std::uint64_t{random() % 100};
                std::memcpy(&torn[place], &value, sizeof value);
            }
        }
        std::ofstream(left.path, std::ios::binary | std::ios::trunc) << torn;

        earlier_states const earlier(left.directory.path(), 0);

        for (std::uint64_t sequence = 11; sequence != 15; ++sequence)
            for (auto const index : begun(earlier, sequence))
                BOOST_REQUIRE(index < torn.size());
    }
}

/// Not even with a check that is right.
BOOST_AUTO_TEST_CASE(lengths_are_not_trusted)
{
    namespace layout = state_file;
    constexpr std::uint64_t salt = 99;
    constexpr std::uint64_t segment = layout::file_header_bytes;
    constexpr std::uint64_t region = segment + layout::segment_header_bytes;
    struct lengths {
        std::uint64_t segment;
        std::uint64_t region;
        std::uint64_t total;
    };
    for (auto const& [segment_size, region_size, total] :
         {lengths{8192, 256, 100}, lengths{1 << 20, 256, 100}, lengths{8192, 1 << 20, 100},
          lengths{8192, 256, 1000}, lengths{8192, ~std::uint64_t{63}, 100}, lengths{0, 256, 100},
          lengths{8192, 0, 0}}) {
        temporary_directory directory;
        std::string bytes(segment + 8192, '\0');
        layout::file_header header{};
        std::memcpy(header.magic, layout::magic, sizeof header.magic);
        header.salt = salt;
        layout::segment_header const first{layout::segment_check(salt, segment), segment_size};
        layout::region_header const only{layout::region_check(salt, region, region_size),
                                         region_size, 11, total};
        std::memcpy(bytes.data(), &header, sizeof header);
        std::memcpy(bytes.data() + segment, &first, sizeof first);
        std::memcpy(bytes.data() + region, &only, sizeof only);
        bytes[region + sizeof only + 5] = 1;
        directory.write("belay.states-1", bytes);

        bool const is_right = segment_size == 8192 && region_size == 256 && total == 100;
        BOOST_TEST(begun(earlier_states(directory.path(), 0), 11) ==
                   (is_right ? numbers{5} : numbers{}));
    }
}

BOOST_AUTO_TEST_CASE(where_there_is_little_room_less_is_taken)
{
    temporary_directory directory;
    state_map map(directory.path(), 1);
    auto const path = state_file::path(directory.path(), 1);
    std::vector<detail::state_array> arrays;
    {
        belay::test::file_limit const limit(1024 * 1024);
        for (std::uint64_t i = 0; i != 100; ++i)
            arrays.push_back(map.make(i + 1, 1000));
    }
    BOOST_TEST(std::filesystem::file_size(path) <= 1024 * 1024);
    for (auto const& array : arrays)
        BOOST_TEST(is_all_pending(array, 1000));
    fill(arrays.back(), 1000, job_byte::running);
    for (std::uint64_t i = 100; i != 1000; ++i)
        arrays.push_back(map.make(i + 1, 1000));
    BOOST_TEST(begun(earlier_states(directory.path(), 0), 100).size() == 1000U);
}

BOOST_AUTO_TEST_CASE(that_it_cant_grow_is_a_problem_until_it_can)
{
    temporary_directory directory;
    state_map map(directory.path(), 1);
    std::vector<std::string> told;
    map.on_problem([&](std::string const& problem) { told.push_back(problem); });
    auto const is_full = [](error const& problem) { return problem.code() == errc::store_full; };
    BOOST_TEST(!map.problem());
    for (rlim_t const bytes : {1000, 100'000}) { // for not even the header, and for that alone
        std::optional<std::string> problem;
        {
            belay::test::file_limit const limit(bytes);
            BOOST_CHECK_EXCEPTION((void)map.make(1, 10), error, is_full);
            BOOST_CHECK_EXCEPTION((void)map.make(2, 10), error, is_full);
            problem = map.problem();
        }
        BOOST_TEST_REQUIRE(problem.has_value());
        BOOST_TEST(problem->find("belay.states-1 can't grow by") != std::string::npos, *problem);
        if (bytes == 1000) {
            BOOST_TEST(told.size() == 1U);
            continue;
        }
        BOOST_TEST(!map.problem(), "it tries whether it can");
        BOOST_TEST(told.size() == 1U);
    }
    BOOST_TEST(is_all_pending(map.make(3, 10), 10));
}

BOOST_AUTO_TEST_CASE(a_problem_is_over_once_there_is_room_for_what_found_none)
{
    temporary_directory directory;
    state_map map(directory.path(), 1);
    constexpr std::uint64_t large = 20'000'000; // more than a segment
    auto const small = map.make(1, 10);
    std::uintmax_t size = 0;
    std::optional<std::string> problem;
    {
        belay::test::file_limit const limit(20 * 1024 * 1024);
        BOOST_CHECK_THROW((void)map.make(2, large), error);
        size = std::filesystem::file_size(state_file::path(directory.path(), 1));
        problem = map.problem();
    }
    BOOST_TEST(problem.has_value(), "there is room for less");
    BOOST_TEST(std::filesystem::file_size(state_file::path(directory.path(), 1)) == size);
    BOOST_TEST(!map.problem());
    BOOST_TEST(is_all_pending(map.make(3, large), large));
}

BOOST_AUTO_TEST_CASE(where_descriptors_have_run_out_it_says_so)
{
    temporary_directory directory;
    state_map map(directory.path(), 1);
    std::optional<std::error_code> code;
    std::optional<std::string> problem;
    {
        belay::test::no_descriptors const none;
        try {
            (void)map.make(1, 10);
        } catch (error const& thrown) {
            code = thrown.code();
        }
        problem = map.problem();
    }
    BOOST_TEST((code == errc::resources_exhausted));
    BOOST_TEST(problem.has_value());
    BOOST_TEST(!map.problem());
    BOOST_TEST(is_all_pending(map.make(1, 10), 10));
}

BOOST_AUTO_TEST_CASE(threads_take_and_give_back)
{
    temporary_directory directory;
    state_map map(directory.path(), 1, segment_bytes);
    std::vector<std::thread> threads;
    std::atomic<bool> all_pending = true;
    for (int thread = 0; thread != 4; ++thread)
        threads.emplace_back([&, thread] {
            for (int i = 0; i != 200; ++i) {
                std::uint64_t const total = 100 * static_cast<std::uint64_t>(1 + i % 7 + thread);
                auto const array = map.make(1, total);
                if (!is_all_pending(array, total))
                    all_pending = false;
                fill(array, total, job_byte::running);
            }
        });
    for (auto& thread : threads)
        thread.join();
    BOOST_TEST(all_pending);
}

BOOST_AUTO_TEST_SUITE_END()
