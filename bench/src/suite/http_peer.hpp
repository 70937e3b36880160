#ifndef BELAY_BENCH_HTTP_PEER_HPP
#define BELAY_BENCH_HTTP_PEER_HPP

#include "suite/child_process.hpp"
#include "suite/expect.hpp"
#include "suite/machine.hpp"
#include "suite/polling_body.hpp"
#include "suite/samples.hpp"
#include "suite/stopwatch.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace belay::bench {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;

/// A server of our own, on a port that was free.
class server {
public:
    /// `options` say where it keeps its batches.
    explicit server(std::vector<std::string> options)
        : process_(command(std::move(options)), log_file())
    {
        timestamp const end = now() + 30s;
        while (!std::filesystem::exists(ready_file())) {
            if (!process_.runs() || now() > end)
                throw std::runtime_error("the server did not get ready; it said: " +
                                         file_content(log_file()));
            std::this_thread::sleep_for(1ms);
        }
        ready_ = json::parse(file_content(ready_file())).as_object();
    }

    [[nodiscard]] std::string_view api_key() const { return ready_.at("api_key").as_string(); }

    /// Host and port.
    [[nodiscard]] std::string_view authority() const
    {
        std::string_view const url = ready_.at("url").as_string();
        return url.substr(url.find("//") + 2);
    }

    /// What a line of its /proc/PID/status says, in bytes.
    [[nodiscard]] std::uint64_t memory(std::string const& name) const
    {
        auto const pid = std::to_string(ready_.at("pid").to_number<std::int64_t>());
        std::string const status = file_content("/proc/" + pid + "/status");
        return 1024 * std::stoull(status.substr(status.find(name + ":") + name.size() + 1));
    }

private:
    /// This program serves, too.
    [[nodiscard]] std::vector<std::string> command(std::vector<std::string> options) const
    {
        std::vector<std::string> words{"/proc/self/exe",        "serve",         "--threads",
                                       std::to_string(workers), "--listen",      "127.0.0.1:0",
                                       "--ready-file",          ready_file().string()};
        words.insert(words.end(), options.begin(), options.end());
        return words;
    }
    [[nodiscard]] std::filesystem::path ready_file() const { return folder_.path() / "ready"; }
    [[nodiscard]] std::filesystem::path log_file() const { return folder_.path() / "log"; }

    scratch_directory folder_;
    child_process process_;
    json::object ready_;
};

/// One connection, kept alive; every call waits for its answer.
class connection {
public:
    using request = http::request<http::string_body>;
    using response = http::response<http::string_body>;

    explicit connection(server const& server)
        : authority_(server.authority()), key_(server.api_key())
    {
        auto const colon = authority_.rfind(':');
        asio::connect(socket_, asio::ip::tcp::resolver(context_).resolve(
                                   authority_.substr(0, colon), authority_.substr(colon + 1)));
        socket_.set_option(asio::ip::tcp::no_delay(true));
    }

    [[nodiscard]] request prepare(http::verb verb, std::string const& target,
                                  std::string body = {}) const
    {
        request request(verb, target, 11, std::move(body));
        request.set(http::field::host, authority_);
        request.set("X-Api-Key", key_);
        request.set(http::field::content_type, "application/json");
        request.prepare_payload();
        return request;
    }

    response exchange(request const& request)
    {
        http::write(socket_, request);
        http::response_parser<http::string_body> parser;
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());
        http::read(socket_, buffer_, parser);
        return parser.release();
    }

    /// The `data` of an answer that must have this status.
    json::object data(http::verb verb, std::string const& target, http::status status,
                      std::string body = {})
    {
        auto const answer = exchange(prepare(verb, target, std::move(body)));
        if (answer.result() != status)
            throw wrong_result(std::string(http::to_string(verb)) + " " + target + " answered " +
                               std::to_string(answer.result_int()) + ": " + answer.body());
        return json::parse(answer.body()).at("data").as_object();
    }

private:
    std::string authority_;
    std::string key_;
    asio::io_context context_;
    asio::ip::tcp::socket socket_{context_};
    boost::beast::flat_buffer buffer_;
};

inline std::uint64_t number(json::object const& object, std::string_view name)
{
    return object.at(name).to_number<std::uint64_t>();
}

inline std::string_view text(json::object const& object, std::string_view name)
{
    return object.at(name).as_string();
}

/// What makes a batch of jobs of `type`, `spin` or `sleep`, that take so many milliseconds each.
inline std::string batch_of(char const* type, std::uint64_t jobs, std::uint64_t milliseconds)
{
    json::array inputs(jobs, json::value(milliseconds));
    return json::serialize(json::object{{"type", type}, {"inputs", std::move(inputs)}});
}

/// Waits until jobs of the batch keep every worker busy.
inline void wait_until_busy(connection& connection, std::string const& batch)
{
    timestamp const end = now() + 60s;
    for (;;) {
        auto const data = connection.data(http::verb::get, batch, http::status::ok);
        if (text(data, "status") == "running" &&
            number(data.at("jobs").as_object(), "running") == workers)
            return;
        expect(now() < end, "both workers get busy within a minute");
        std::this_thread::sleep_for(1ms);
    }
}

/// An exchange by a client that has slept.
inline connection::response timed(connection& connection, connection::request const& request,
                           samples& found)
{
    sleep_a_little();
    timestamp const begin = now();
    auto answer = connection.exchange(request);
    found.add(microseconds(begin, now()));
    return answer;
}

} // namespace belay::bench

#endif
