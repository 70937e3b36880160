// One process at a time in a data directory.
#ifndef BELAY_STORE_FILES_DIRECTORY_LOCK_HPP
#define BELAY_STORE_FILES_DIRECTORY_LOCK_HPP

#include "base/file.hpp"

#include <filesystem>

namespace belay {

/// Holds a lock on a file as long as it lives.
class directory_lock {
public:
    /// Makes the file if it is not there. Throws `error` (`store_unusable`) if somebody else holds
    /// it, also in this process.
    explicit directory_lock(std::filesystem::path path);

    /// Removes the file if the constructor made it.
    void undo() noexcept;

private:
    [[nodiscard]] bool is_still_there() const noexcept;

    std::filesystem::path path_;
    file file_;
    bool made_ = false;
};

} // namespace belay

#endif
