#ifndef BELAY_HTTP_SERVER_EXCHANGE_HPP
#define BELAY_HTTP_SERVER_EXCHANGE_HPP

#include "server/counted.hpp"
#include "server/request_reader.hpp"
#include "service/service.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

namespace belay::http {

/// A request on its way, and what has to be known to answer it.
struct exchange {
    explicit exchange(std::size_t header_bytes_max) : reader(header_bytes_max) {}

    [[nodiscard]] request_head const& head() const noexcept { return reader.header().head; }
    [[nodiscard]] std::string const& id() const noexcept { return reader.header().id; }
    [[nodiscard]] bool needs_no_turn() const noexcept { return is_control && is_first; }

    /// The connection is not to be kept for longer than that.
    void keep_at_most(http::after wanted) noexcept { after = std::max(after, wanted); }

    request_reader reader;
    std::optional<service::looked_up> found;    ///< until it is admitted
    std::unique_ptr<http::operation> operation; ///< from then on, until its answer is written
    bool is_control = true; ///< what it takes of the thread goes before other work
    bool is_first = true;   ///< of its connection, for a while
    bool changes = false;   ///< something, which then has to be told
    http::after after = after::keep;
    std::optional<counted<std::size_t>> under_way;
};

} // namespace belay::http

#endif
