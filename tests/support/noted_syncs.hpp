// Which files and directories have been synced.
#ifndef BELAY_TESTS_SUPPORT_NOTED_SYNCS_HPP
#define BELAY_TESTS_SUPPORT_NOTED_SYNCS_HPP

#include <filesystem>
#include <vector>

namespace belay::test {

/// Notes each fsync of this program as long as it lives; one at a time. Thread safety: full.
class noted_syncs {
public:
    noted_syncs();
    ~noted_syncs();
    noted_syncs(noted_syncs const&) = delete;
    noted_syncs& operator=(noted_syncs const&) = delete;

    /// In order, by the names that they had then.
    [[nodiscard]] std::vector<std::filesystem::path> paths() const;
    [[nodiscard]] bool has(std::filesystem::path const& path) const;
};

} // namespace belay::test

#endif
