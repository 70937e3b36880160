// What the door lets in, Beast either refuses or understands the same way. Of Beast this compiles
// the parser alone, which is much faster than to link all of it.
#undef BOOST_BEAST_SEPARATE_COMPILATION

#include "message/door.hpp"

#include "require.hpp"

#include <string>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <string_view>

namespace http = boost::beast::http;

namespace {

void compare_with_beast(std::string_view raw)
{
    http::request_parser<http::empty_body> parser;
    parser.header_limit(UINT32_MAX);
    boost::beast::error_code ec;
    parser.put(boost::asio::buffer(raw.data(), raw.size()), ec);
    if (!parser.is_header_done())
        return;
    auto const& header = parser.get();
    require(header.count(http::field::host) == 1);
    require(header.count(http::field::content_length) <= 1);
    require(header.count(http::field::transfer_encoding) <= 1);
    require(!(header.chunked() && parser.content_length()));
    require(header.chunked() == (header.count(http::field::transfer_encoding) == 1));
    for (auto const& field : header)
        for (unsigned char const byte : field.value())
            require((byte >= 0x20 && byte != 0x7F) || byte == '\t');
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const raw = as_text(data, size);

    if (auto const error = belay::http::inspect_header(raw))
        require(error->status == 400 || error->status == 431 || error->status == 501);
    else
        compare_with_beast(raw);

    auto const host = raw.substr(0, raw.find('\r'));
    if (belay::http::is_loopback_host(host, "127.0.0.1"))
        require(host.starts_with('[') || host.starts_with("127.") ||
                (host.size() >= 9 && (host[0] == 'l' || host[0] == 'L')));
    std::string const names[] = {"a.example", "b."};
    if (belay::http::is_host_among(host, names))
        require(host[0] == 'a' || host[0] == 'A' || host[0] == 'b' || host[0] == 'B');
    return 0;
}
