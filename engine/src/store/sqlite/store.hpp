// This folder: the store on disk, in SQLite. Base, the interface of stores and files come in.
//
// The store that `open_store` gives: batches in belay.db, states of jobs beside it.
#ifndef BELAY_STORE_SQLITE_STORE_HPP
#define BELAY_STORE_SQLITE_STORE_HPP

#include "store/store.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace belay {

/// `open_store`, with the database in the SQLite VFS of that name; none is the system's own.
[[nodiscard]] std::shared_ptr<store> open_sqlite_store(std::filesystem::path const& directory,
                                                       store_options const& options,
                                                       std::string const& vfs_name);

} // namespace belay

#endif
