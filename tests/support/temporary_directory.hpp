// A directory that is gone after the test.
#ifndef BELAY_TESTS_SUPPORT_TEMPORARY_DIRECTORY_HPP
#define BELAY_TESTS_SUPPORT_TEMPORARY_DIRECTORY_HPP

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace belay::test {

class temporary_directory {
public:
    temporary_directory()
    {
        auto name = (std::filesystem::temp_directory_path() / "belay-test-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~temporary_directory()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_directory(temporary_directory const&) = delete;
    temporary_directory& operator=(temporary_directory const&) = delete;

    [[nodiscard]] std::filesystem::path const& path() const noexcept { return path_; }

    std::filesystem::path write(std::string_view name, std::string_view bytes) const
    {
        auto const path = path_ / name;
        std::filesystem::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }

private:
    std::filesystem::path path_;
};

} // namespace belay::test

#endif
