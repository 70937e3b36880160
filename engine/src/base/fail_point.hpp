#ifndef BELAY_BASE_FAIL_POINT_HPP
#define BELAY_BASE_FAIL_POINT_HPP

#include <string_view>

namespace belay::detail {

/// A place at which tests have the process killed: where the environment says
/// `BELAY_FAIL_POINT=name:N` it gets SIGKILL the N-th time that it comes here. Built into the debug
/// variant only.
#ifdef BELAY_FAIL_POINTS
void fail_point(std::string_view name) noexcept;
#else
inline void fail_point(std::string_view) noexcept {}
#endif

} // namespace belay::detail

#endif
