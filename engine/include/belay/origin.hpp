#ifndef BELAY_ORIGIN_HPP
#define BELAY_ORIGIN_HPP

#include <memory>
#include <string>

namespace belay {

/// The request that something was asked for with, for those who look for it later, in a log say.
/// What is empty is not known.
struct request_origin {
    std::string request_id = {};
    std::string traceparent = {}; ///< as W3C Trace Context has it
    bool operator==(request_origin const&) const = default;
};

/// Null where nothing is known.
using origin_ptr = std::shared_ptr<request_origin const>;

/// Whether both say the same.
[[nodiscard]] inline bool is_same(origin_ptr const& left, origin_ptr const& right) noexcept
{
    return left == right || (left && right && *left == *right);
}

} // namespace belay

#endif
