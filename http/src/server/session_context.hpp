#ifndef BELAY_HTTP_SERVER_SESSION_CONTEXT_HPP
#define BELAY_HTTP_SERVER_SESSION_CONTEXT_HPP

#include "server/body_reader.hpp"
#include "server/limited_log.hpp"
#include "server/reading_thread.hpp"
#include "server/turns.hpp"
#include "server/wrong_keys.hpp"

#include <boost/asio/ip/address.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace belay::http {

class service;
class session;

/// Adds to a count while it lives.
template <class Number>
class counted {
public:
    explicit counted(Number& total, Number part = 0) : total_(total) { set(part); }
    counted(counted const&) = delete;
    counted& operator=(counted const&) = delete;
    ~counted() { set(0); }

    void set(Number part) noexcept
    {
        total_ += part - part_;
        part_ = part;
    }
    [[nodiscard]] Number get() const noexcept { return part_; }

private:
    Number& total_;
    Number part_ = 0;
};

/// What the sessions of a server have in common. On the server's executor.
struct session_context {
    http::service& service;
    turns control; ///< for connections that have just had an answer
    turns bulk;
    reading_thread reading{};
    body_reader::room body_room; ///< for the turn that takes a piece of a body
    http::wrong_keys wrong_keys;
    limited_log log{};
    std::vector<boost::asio::ip::address> trusted_proxies;
    std::string listen_address;
    bool is_on_loopback;

    /// Has the slowest of the clients that are waited for give way, among those whose session
    /// `counts`; false if none is slow.
    std::function<bool(std::function<bool(session const&)> const& counts)> slowest_gives_way;

    std::size_t places = 0;    ///< taken by connections that are not on their way out
    std::size_t limited = 0;   ///< requests under way of which there may be so many
    std::size_t unlimited = 0; ///< the others, such as cancels
    std::uint64_t bytes = 0;   ///< of what sessions hold: input, what was made of it, answers
};

} // namespace belay::http

#endif
