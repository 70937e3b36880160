#ifndef BELAY_HTTP_SERVER_SESSION_CONTEXT_HPP
#define BELAY_HTTP_SERVER_SESSION_CONTEXT_HPP

#include "server/limited_log.hpp"
#include "server/reading_thread.hpp"
#include "server/turns.hpp"
#include "server/wrong_keys.hpp"

#include <boost/asio/ip/address.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace belay::http {

class service;
class session;

/// What the sessions of a server have in common. On the server's executor.
struct session_context {
    http::service& service;
    turns control; ///< for connections that have just had an answer
    turns bulk;
    reading_thread reading{};
    reading_thread uploading{};              ///< no answer to another request waits behind it
    std::array<char, 16 * 1024> body_room{}; ///< for the turn that takes a piece of a body
    http::wrong_keys wrong_keys;
    limited_log log{};
    std::vector<boost::asio::ip::address> trusted_proxies;
    std::string listen_address;
    bool is_on_loopback;

    std::size_t places = 0;    ///< taken by connections that are not on their way out
    std::size_t limited = 0;   ///< requests under way of which there may be so many
    std::size_t unlimited = 0; ///< the others, such as cancels
    std::uint64_t bytes = 0;   ///< of what sessions hold: input, what was made of it, answers

    std::list<std::shared_ptr<session>> sessions{}; ///< that there are; they count in the above
};

} // namespace belay::http

#endif
