#ifndef BELAY_BATCH_CANCEL_COMMIT_HPP
#define BELAY_BATCH_CANCEL_COMMIT_HPP

#include "store/store.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace belay::detail {

/// How a cancel comes to be recorded, or not (docs/semantics.md, the window).
struct cancel_commit {
    std::weak_ptr<belay::store> store; ///< which keeps this until it has answered
    std::uint64_t sequence;
    std::variant<change::cancelled, change::job_cancelled, change::operation_made> cancel;
    persistence how;
    /// Told `recorded`, or `not_cancelled`, or `unknown` and later `recorded`.
    std::function<void(cancel_outcome outcome, std::string const& problem)> told;
};

/// Commits the cancel. If that fails it may be found on disk after a crash all the same: so its
/// withdrawal is committed; and if that fails too, the cancel again until it is in. A store that is
/// being destroyed is asked nothing more.
void commit(std::shared_ptr<cancel_commit const> const& cancel);

} // namespace belay::detail

#endif
