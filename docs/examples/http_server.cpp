// An HTTP endpoint in a program, on a thread of its own, with a job type of the program's.
#include <belay/belay.hpp>
#include <belay/http/server.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <chrono>
#include <iostream>
#include <iterator>
#include <string>

namespace http = belay::http;
namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

http::checked_input check_name(json::value const& input)
{
    if (!input.is_string() || input.get_string().empty())
        return http::input_fault("", "The input must be a name, a string that is not empty");
    return json::serialize(input);
}

std::string greet(std::string_view input, belay::job& job)
{
    job.throw_if_stopped();
    auto const name = json::parse(json::string_view(input.data(), input.size()));
    return json::serialize(json::string("Hello, " + std::string(name.as_string()) + "!"));
}

/// All that the server answers; empty if it can't be reached.
std::string post(std::string const& url, std::string const& key, std::string const& body)
{
    boost::asio::ip::tcp::iostream stream;
    stream.expires_after(10s);
    stream.connect("127.0.0.1", url.substr(url.rfind(':') + 1));
    stream << "POST /v1/batches HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nX-Api-Key: "
           << key << "\r\nContent-Type: application/json\r\nContent-Length: " << body.size()
           << "\r\n\r\n"
           << body << std::flush;
    return {std::istreambuf_iterator<char>(stream), {}};
}

} // namespace

int main()
{
    std::string const key = http::make_secret();
    belay::engine engine;
    http::server server(engine,
                        {{.type = {.name = "greet", .body = greet},
                          .check = check_name,
                          .input_schema = {{"type", "string"}, {"minLength", 1}}}},
                        {.keys = {http::make_api_key("ann's", "ann", http::role::submit, key)}});
    std::cout << "serving on " << server.url() << '\n';

    auto const taken = post(server.url(), key, R"({"type":"greet","inputs":["world"]})");
    auto const refused = post(server.url(), key, R"({"type":"greet","inputs":[17]})");
    auto const batch = engine.list(2, 1).front(); // what came over HTTP is there like any other
    batch.wait();
    std::cout << batch.output(0).value() << '\n';

    server.shut_down(5s);
    return taken.starts_with("HTTP/1.1 202") && refused.starts_with("HTTP/1.1 400") &&
                   batch.owner() == "ann" && batch.output(0) == R"("Hello, world!")"
               ? 0
               : 1;
}
