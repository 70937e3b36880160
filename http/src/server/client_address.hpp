#ifndef BELAY_HTTP_SERVER_CLIENT_ADDRESS_HPP
#define BELAY_HTTP_SERVER_CLIENT_ADDRESS_HPP

#include <boost/asio/ip/address.hpp>

#include <span>
#include <string>
#include <string_view>

namespace belay::http {

/// As IPv4 what is that within IPv6.
[[nodiscard]] boost::asio::ip::address plain(boost::asio::ip::address const& address);

/// Where a request comes from: the peer, or the client that it names in `X-Forwarded-For`, where it
/// is a trusted proxy: the last in the list that is none. What is no address there is not believed:
/// then it is the proxy that passed it on.
[[nodiscard]] boost::asio::ip::address
client_address(boost::asio::ip::address peer, std::string_view forwarded_for,
               std::span<boost::asio::ip::address const> trusted);

/// What limits are counted by: the address, or of IPv6 the network of 64 bits that a client has as a
/// rule.
[[nodiscard]] std::string network_of(boost::asio::ip::address const& address);

} // namespace belay::http

#endif
