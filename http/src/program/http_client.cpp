#include "program/http_client.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url.hpp>

#include <limits>
#include <stdexcept>
#include <utility>

namespace belay::program {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;
using boost::asio::ip::tcp;

struct http_client::impl {
    impl(std::string_view url, std::string api_key)
        : address(boost::urls::parse_uri(url).value()), key(std::move(api_key))
    {
        auto const ip = boost::asio::ip::make_address(std::string(address.host_address()));
        stream.connect(tcp::endpoint(ip, address.port_number()));
    }

    boost::json::object call(bhttp::verb method, std::string const& target, std::string body)
    {
        bhttp::request<bhttp::string_body> request(method, target, 11);
        request.set(bhttp::field::host, address.encoded_host_and_port());
        request.set("X-Api-Key", key);
        request.set(bhttp::field::content_type, "application/json");
        request.body() = std::move(body);
        request.prepare_payload();
        bhttp::write(stream, request);

        bhttp::response_parser<bhttp::string_body> parser;
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        bhttp::read(stream, buffer, parser);
        auto const& answer = parser.get();
        if (answer.result_int() >= 300)
            throw std::runtime_error(std::string(request.method_string()) + " " + target + ": " +
                                     std::to_string(answer.result_int()) + " " + answer.body());
        return std::move(boost::json::parse(answer.body()).as_object()["data"].as_object());
    }

    boost::urls::url address;
    std::string key;
    boost::asio::io_context context;
    beast::tcp_stream stream{context};
    beast::flat_buffer buffer;
};

http_client::http_client(std::string_view url, std::string api_key)
    : impl_(std::make_unique<impl>(url, std::move(api_key)))
{
}

http_client::~http_client() = default;

boost::json::object http_client::get(std::string const& target)
{
    return impl_->call(bhttp::verb::get, target, {});
}

boost::json::object http_client::put(std::string const& target, std::string body)
{
    return impl_->call(bhttp::verb::put, target, std::move(body));
}

boost::json::object http_client::post(std::string const& target, std::string body)
{
    return impl_->call(bhttp::verb::post, target, std::move(body));
}

} // namespace belay::program
