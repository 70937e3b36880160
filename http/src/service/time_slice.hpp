#ifndef BELAY_HTTP_SERVICE_TIME_SLICE_HPP
#define BELAY_HTTP_SERVICE_TIME_SLICE_HPP

#include <chrono>

namespace belay::http {

/// When a piece of work has to make way for others.
class time_slice {
public:
    [[nodiscard]] bool is_over() const noexcept { return std::chrono::steady_clock::now() >= end_; }

private:
    std::chrono::steady_clock::time_point end_ =
        std::chrono::steady_clock::now() + std::chrono::microseconds(400);
};

} // namespace belay::http

#endif
