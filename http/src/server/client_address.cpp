#include "server/client_address.hpp"

#include "message/text.hpp"

#include <boost/asio/ip/network_v6.hpp>

#include <algorithm>

namespace belay::http {

namespace asio = boost::asio;

namespace {

/// Takes the last entry off a list.
std::string_view take_last(std::string_view& list)
{
    std::size_t const comma = list.rfind(',');
    std::size_t const begin = comma == list.npos ? 0 : comma + 1;
    std::string_view const entry = list.substr(begin);
    list = list.substr(0, comma == list.npos ? 0 : comma);
    return trimmed(entry);
}

} // namespace

asio::ip::address plain(asio::ip::address const& address)
{
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
    return address;
}

asio::ip::address client_address(asio::ip::address peer, std::string_view forwarded_for,
                                 std::span<asio::ip::address const> trusted)
{
    peer = plain(peer);
    while (!forwarded_for.empty() && std::ranges::find(trusted, peer) != trusted.end()) {
        boost::system::error_code wrong;
        auto const named = asio::ip::make_address(std::string(take_last(forwarded_for)), wrong);
        if (wrong)
            break;
        peer = plain(named);
    }
    return peer;
}

std::string network_of(asio::ip::address const& address)
{
    if (address.is_v4())
        return address.to_string();
    return asio::ip::make_network_v6(address.to_v6(), 64).canonical().to_string();
}

} // namespace belay::http
