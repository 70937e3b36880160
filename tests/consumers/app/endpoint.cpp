// The endpoint, on an io_context of this program's, with a job type of this program's.
#include "parts.hpp"

#include <belay/engine.hpp>
#include <belay/http/server.hpp>
#include <belay/http/types.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <future>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
namespace http = belay::http;
using asio::ip::tcp;

namespace {

http::offered_type waiting_type()
{
    return {{.name = "wait",
             .body =
                 [](std::string_view input, belay::job& job) {
                     job.sleep_for(std::chrono::hours(1));
                     return std::string(input);
                 }},
            [](boost::json::value const& input) -> http::checked_input {
                if (!input.is_int64())
                    return http::input_fault("", "the input is not an integer");
                return boost::json::serialize(input);
            },
            {{"type", "integer"}}};
}

/// What the server answers, as JSON.
boost::json::value ask(std::string const& url, std::string const& request, std::string const& body)
{
    asio::io_context context;
    tcp::socket socket(context);
    auto const port = static_cast<unsigned short>(std::stoi(url.substr(url.rfind(':') + 1)));
    socket.connect({asio::ip::address_v4::loopback(), port});
    asio::write(socket, asio::buffer(request +
                                     " HTTP/1.0\r\nHost: localhost\r\nX-Api-Key: ann\r\n"
                                     "Content-Type: application/json\r\n"
                                     "Content-Length: " +
                                     std::to_string(body.size()) + "\r\n\r\n" + body));
    std::string answer;
    boost::system::error_code ended;
    asio::read(socket, asio::dynamic_buffer(answer), ended);
    return boost::json::parse(answer.substr(answer.find("\r\n\r\n") + 4));
}

} // namespace

bool serves_over_http()
{
    asio::io_context context;
    belay::engine engine;
    http::server_options options;
    options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann")};
    auto types = http::built_in_types();
    types.push_back(waiting_type());
    http::server server(engine, std::move(types), options, context);

    auto client = std::async(std::launch::async, [&server] {
        auto const made =
            ask(server.url(), "POST /v1/batches", R"({"type":"wait","inputs":[1,2]})");
        std::string const id(made.at("data").at("batch_id").as_string());
        auto const cancelled = ask(server.url(), "PUT /v1/batches/" + id + "/state", "");
        server.shut_down(std::chrono::seconds(10), [] {});
        return std::string(cancelled.at("data").at("current_state").as_string());
    });
    context.run();
    return client.get() == "cancelled";
}
