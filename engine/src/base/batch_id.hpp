#ifndef BELAY_BASE_BATCH_ID_HPP
#define BELAY_BASE_BATCH_ID_HPP

#include <string>
#include <string_view>

namespace belay {

/// `prefix` and 26 random letters and digits. Throws std::system_error.
[[nodiscard]] std::string make_id(std::string_view prefix);

[[nodiscard]] inline std::string make_batch_id()
{
    return make_id("batch-");
}
[[nodiscard]] inline std::string make_operation_id()
{
    return make_id("operation-");
}

} // namespace belay

#endif
