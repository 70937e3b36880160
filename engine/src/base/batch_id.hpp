#ifndef BELAY_BASE_BATCH_ID_HPP
#define BELAY_BASE_BATCH_ID_HPP

#include <string>

namespace belay {

/// A new batch id: "batch-" and 26 random letters and digits. Throws std::system_error.
[[nodiscard]] std::string make_batch_id();

} // namespace belay

#endif
