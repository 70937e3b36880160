#ifndef BELAY_HTTP_SERVER_MEMORY_USE_HPP
#define BELAY_HTTP_SERVER_MEMORY_USE_HPP

#include "server/counted.hpp"

#include <cstdint>

namespace belay::http {

class connection;
struct session_context;

/// What a session's request and answer take of the memory that all may take together.
class memory_use {
public:
    memory_use(session_context& context, connection const& from);

    /// With the input.
    [[nodiscard]] std::uint64_t bytes() const noexcept { return held_.get(); }

    /// Notes how much they take besides the input. Where that is too much for all together one that
    /// is slower gives way; false if there is none, unless most of it is the session's own.
    [[nodiscard]] bool fits(std::uint64_t bytes);

    /// The same; where it does not fit it is let go of, and `api_error` thrown.
    void hold(std::uint64_t bytes);

    /// The same of a body that still comes, which has no place either where it is more by itself
    /// than all may take together.
    void hold_body(std::uint64_t bytes);

    /// Notes that it is less now.
    void shrink_to(std::uint64_t bytes) noexcept;
    void release() noexcept { held_.set(0); }

private:
    session_context& context_;
    connection const& from_;
    counted<std::uint64_t> held_;
};

} // namespace belay::http

#endif
