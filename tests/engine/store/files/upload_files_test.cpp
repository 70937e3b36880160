#include "store/files/job_outputs.hpp"

#include "noted_syncs.hpp"
#include "temporary_directory.hpp"

#include <belay/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace belay::test;
using belay::errc;
using belay::error;
using belay::detail::job_outputs;
using belay::detail::upload_draft;
using belay::detail::upload_files;

namespace {

struct fixture {
    temporary_directory directory;
    std::filesystem::path const path = directory.path() / "outputs";
    job_outputs outputs{path};

    upload_draft draft_of(std::vector<std::string> const& files)
    {
        auto draft = outputs.make_upload();
        for (auto const& bytes : files) {
            draft.begin_file();
            draft.write(bytes);
        }
        return draft;
    }
    void keep(std::uint64_t sequence, std::vector<std::string> const& files)
    {
        auto draft = draft_of(files);
        outputs.keep(draft, sequence);
    }

    [[nodiscard]] std::vector<std::string> kept(std::uint64_t sequence)
    {
        auto const found = outputs.open_upload(sequence);
        std::vector<std::string> files;
        for (std::uint64_t i = 0; i != found->count(); ++i) {
            auto const section = found->section(i);
            std::string bytes(section.size, '\0');
            BOOST_TEST_REQUIRE(found->data()->read(section.begin, bytes.data(), bytes.size()));
            files.push_back(std::move(bytes));
        }
        return files;
    }

    [[nodiscard]] std::vector<std::string> names(std::string const& folder = "") const
    {
        std::vector<std::string> found;
        for (auto const& entry : std::filesystem::directory_iterator(path / folder))
            found.push_back(entry.path().filename().string());
        std::ranges::sort(found);
        return found;
    }

    [[nodiscard]] std::string read(std::string const& name) const
    {
        std::ifstream in(path / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    void write(std::string const& name, std::string const& bytes) const
    {
        std::ofstream(path / name, std::ios::binary) << bytes;
    }
};

bool is_damage(belay::detail::upload_error const& fault)
{
    std::string const message = fault.what();
    return fault.code() == errc::store_failed && fault.place().filename() == "upload.index" &&
           message.find("the uploaded files are damaged: their index ") == 0 &&
           message.find(fault.place().parent_path()) == std::string::npos;
}

} // namespace

BOOST_FIXTURE_TEST_SUITE(upload_files_test, fixture)

BOOST_AUTO_TEST_CASE(files_lie_one_after_the_other_and_are_found_again)
{
    std::vector<std::string> const files{"first", "", std::string(200'000, 'x'), "\0y\n"};
    keep(7, files);

    BOOST_TEST(kept(7) == files, boost::test_tools::per_element());
    BOOST_TEST(names() == std::vector<std::string>{"7"}, boost::test_tools::per_element());
    std::vector<std::string> const both{"upload", "upload.index"};
    BOOST_TEST(names("7") == both, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_index_is_as_the_documentation_says)
{
    keep(7, {"ab", "c"});

    std::string expected("belayupload-v1\0\0", 16);
    for (int const number : {2, 3, 0, 2, 2, 1}) {
        expected += static_cast<char>(number);
        expected.append(7, '\0');
    }
    BOOST_TEST(read("7/upload.index") == expected);
    BOOST_TEST(read("7/upload") == "abc");
}

BOOST_AUTO_TEST_CASE(what_it_holds_is_known_before_it_is_kept)
{
    auto draft = draft_of({"ab", "c"});
    BOOST_TEST(draft.size() == 3U);
    BOOST_TEST(draft.count() == 2U);
    outputs.keep(draft, 7);
    BOOST_TEST(draft.stored_bytes() == read("7/upload.index").size() + read("7/upload").size());
    BOOST_TEST(draft_of({}).stored_bytes() == 32U);
}

BOOST_AUTO_TEST_CASE(one_that_is_dropped_leaves_nothing)
{
    {
        auto draft = draft_of({std::string(300'000, 'x'), "y"});
        BOOST_TEST(names().size() == 2U);
        auto const moved = std::move(draft);
    }
    BOOST_TEST(names().empty());
}

BOOST_AUTO_TEST_CASE(one_that_cant_be_kept_leaves_nothing)
{
    std::filesystem::create_directories(path / "7/upload.index"); // in the way of the second rename
    {
        auto draft = draft_of({"x"});
        BOOST_CHECK_THROW(outputs.keep(draft, 7), std::system_error);
    }
    BOOST_TEST(names().empty());
}

BOOST_AUTO_TEST_CASE(what_an_earlier_process_did_not_keep_is_tidied_up)
{
    keep(7, {"x"});
    keep(8, {"x"});
    write("draft-3", "x");
    write("draft-3.index", "x");

    outputs.tidy([](std::uint64_t sequence) { return sequence == 8; });

    BOOST_TEST(names() == std::vector<std::string>{"8"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_batch_takes_up_files_of_another_which_may_go)
{
    keep(7, {"first", "second", "third"});
    {
        auto draft = outputs.make_upload(7);
        draft.take(2);
        draft.take(0);
        BOOST_TEST(draft.size() == 10U);
        BOOST_TEST(draft.stored_bytes() == 16U + 32U + 2 * 16U);
        outputs.keep(draft, 9);
    }
    (void)outputs.forget(7);

    std::vector<std::string> const files{"third", "first"};
    BOOST_TEST(kept(9) == files, boost::test_tools::per_element());
    BOOST_TEST(names() == std::vector<std::string>{"9"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(those_who_read_a_file_go_on_when_its_batch_is_forgotten)
{
    keep(7, {"first"});
    auto const found = outputs.open_upload(7);
    BOOST_TEST((outputs.open_upload(7) == found), "shared");
    (void)outputs.forget(7);

    std::string bytes(5, '\0');
    BOOST_TEST(found->data()->read(found->section(0).begin, bytes.data(), 5));
    BOOST_TEST(bytes == "first");
}

BOOST_AUTO_TEST_CASE(all_of_it_is_synced_before_it_has_its_name)
{
    noted_syncs const synced;
    keep(7, {"x"});
    for (auto const& name :
         {path / "draft-1", path / "draft-1.index", path / "7", path, directory.path()})
        BOOST_TEST(synced.has(name), name);
}

BOOST_AUTO_TEST_CASE(a_damaged_index_is_refused)
{
    keep(7, {"ab", "c"});
    std::string const good = read("7/upload.index");
    auto const changed = [&](std::size_t at, char to) {
        std::string bytes = good;
        bytes.at(at) = to;
        return bytes;
    };
    for (auto const& bytes : {std::string(), good.substr(0, 31), good.substr(0, 40), good + 'x',
                              changed(0, 'x'), changed(16, 3), changed(24, 4)}) {
        write("7/upload.index", bytes);
        BOOST_CHECK_EXCEPTION(upload_files(path / "7"), belay::detail::upload_error, is_damage);
    }
    for (auto const& [at, to] : {std::pair<std::size_t, char>{32, 2}, {40, 4}, {47, '\xff'}}) {
        write("7/upload.index", changed(at, to));
        upload_files const files(path / "7");
        BOOST_CHECK_EXCEPTION((void)files.section(0), belay::detail::upload_error, is_damage);
        BOOST_TEST((files.section(1) == belay::detail::file_section{2, 1}));
        BOOST_CHECK_EXCEPTION((void)files.section(2), belay::detail::upload_error, is_damage);
    }
}

BOOST_AUTO_TEST_SUITE_END()
