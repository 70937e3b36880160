#include "server/request_receiver.hpp"

#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;
using phase = activity::phase;

namespace {

/// What is read first of a request: most are shorter.
constexpr std::size_t header_read_bytes = 4 * 1024;

constexpr std::size_t read_bytes = 16 * 1024;

/// How much of a body has to come within the time that is given to a request.
constexpr std::uint64_t part_bytes = 1024 * 1024;

/// How long a refused client may take for a body that is read before its answer.
constexpr std::chrono::seconds skipping_time_max{1};

/// How much of what a refused client still sends is read before the connection is closed, so that
/// it gets to see the answer: many do not look for one before they have sent everything.
constexpr std::uint64_t lingering_bytes_max = 64 * 1024 * 1024;

/// At a time.
constexpr std::size_t dropped_bytes = 1024 * 1024;

/// How long nothing may come meanwhile.
constexpr std::chrono::seconds lingering_pause_max{1};

} // namespace

request_receiver::request_receiver(connection& from, activity& activity, session_waits& waits,
                                   session_context& context)
    : from_(from), activity_(activity), waits_(waits), context_(context)
{
}

asio::awaitable<std::optional<api_error>> request_receiver::find_header(request_reader& reader)
{
    server_options const& options = context_.service.options();
    bool has_begun = !is_empty();
    from_.expires_after(has_begun ? options.header_time_max : options.idle_time_max);
    while (true) {
        auto const found = reader.find_header(from_.input());
        if (!found)
            co_return found.error();
        if (*found == request_reader::progress::done)
            co_return std::nullopt;
        co_await from_.read(header_read_bytes);
        if (!std::exchange(has_begun, true))
            from_.expires_after(options.header_time_max);
    }
}

std::optional<api_error> request_receiver::parse_header(request_reader& reader)
{
    auto refused = reader.parse_header(from_.input());
    from_.release_input();
    return refused;
}

asio::awaitable<void> request_receiver::begin_body(request_reader& reader, std::uint64_t bytes_max)
{
    if (auto refused = reader.begin_body(bytes_max))
        throw std::move(*refused);
    activity_.begin(phase::receiving, clock::now());
    go_on(reader);
    if (!reader.header().expectation.empty() && is_empty())
        co_await from_.write("HTTP/1.1 100 Continue\r\n\r\n");
}

asio::awaitable<void> request_receiver::receive()
{
    co_await from_.read(read_bytes);
}

result<std::string_view> request_receiver::next(request_reader& reader)
{
    auto piece = reader.next(from_.input(), context_.body_room);
    if (piece && reader.taken() - timed_ >= part_bytes)
        go_on(reader);
    if (reader.is_done())
        from_.release_input();
    return piece;
}

void request_receiver::go_on(request_reader const& reader)
{
    timed_ = reader.taken();
    from_.expires_after(context_.service.options().request_time_max);
}

asio::awaitable<void> request_receiver::skip_body(request_reader& reader)
{
    auto const length = reader.body_left();
    if (!length || *length > unwanted_body_bytes_max || !reader.header().expectation.empty())
        co_return;
    activity_.begin(phase::receiving, clock::now());
    from_.expires_after(context_.service.options().request_time_max);
    // Its client has no answer before, so it is not waited for for long.
    auto const skipping = std::make_shared<connection*>(&from_);
    asio::steady_timer pause(from_.get_executor(), skipping_time_max);
    pause.async_wait([weak = std::weak_ptr(skipping)](boost::system::error_code ended) {
        if (auto const of = weak.lock(); of && !ended)
            (*of)->interrupt();
    });
    try {
        reader.skip(from_.input());
        while (!reader.is_done()) {
            co_await from_.read(read_bytes);
            reader.skip(from_.input());
        }
        from_.forget_interrupt();
    } catch (connection_interrupted const&) { // the rest comes while it lingers, if at all
    }
}

asio::awaitable<void> request_receiver::linger(request_reader const& reader)
{
    activity_.begin(phase::lingering, clock::now());
    auto const end = clock::now() + context_.service.options().request_time_max;
    std::uint64_t left = lingering_bytes_max;
    std::uint64_t body = reader.body_left().value_or(lingering_bytes_max);
    while (clock::now() < end) {
        std::uint64_t got = from_.input().size();
        from_.input().consume(got);
        {
            auto const turn = co_await waits_.bulk_turn();
            got += from_.drop(dropped_bytes);
        }
        if (got >= left)
            break;
        left -= got;
        body -= std::min(body, got);
        if (body == 0) // it may be looking for the end now
            from_.end_sending();
        from_.expires_after(lingering_pause_max);
        co_await from_.read(1);
    }
    from_.end_sending();
}

} // namespace belay::http
