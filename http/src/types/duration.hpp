// The types whose input is a time.
#ifndef BELAY_HTTP_TYPES_DURATION_HPP
#define BELAY_HTTP_TYPES_DURATION_HPP

#include <belay/http/job_type.hpp>

#include <chrono>
#include <string>

namespace belay::http {

/// A type that takes `{"ms":250}` or `250`, 0 … 86,400,000, spends that time with `body`, and gives
/// `{"ms":250}` back.
[[nodiscard]] offered_type duration_type(std::string name,
                                         void (*body)(std::chrono::milliseconds, job&));

} // namespace belay::http

#endif
