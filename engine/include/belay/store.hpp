#ifndef BELAY_STORE_HPP
#define BELAY_STORE_HPP

#include <belay/export.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>

namespace belay {

/// Where an engine keeps its recorded batches: handed over in `engine_options::store`.
class store;

/// Limits of a store.
struct store_options {
    /// Bytes of results and messages that may wait for the disk. At this bound no further job of a
    /// recorded batch is begun until there is room again.
    std::uint64_t waiting_bytes_max = 16 * 1024 * 1024;

    /// Kept back on the disk, so that cancels, the ends of what was cancelled, and the forgetting
    /// of batches can be recorded when it is full, and an engine can be started on it again.
    std::uint64_t reserve_bytes = 8 * 1024 * 1024;
};

/// Opens the SQLite file `belay.db` in `directory`, which is made if it is not there (mode 0700);
/// docs/format.md describes what lies in it. Throws `error` (`store_unusable`), which names the
/// file, for a directory that can't be written, a file that is damaged, is no belay file or one of
/// a newer version, or is held by another process; then nothing was changed.
///
/// Lifetime: one engine at a time uses a store. What it has acknowledged is on disk; destroying it
/// writes what still waits.
[[nodiscard]] BELAY_EXPORT std::shared_ptr<store> open_store(std::filesystem::path const& directory,
                                                store_options options = {});

} // namespace belay

#endif
