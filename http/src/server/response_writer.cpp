#include "server/response_writer.hpp"

#include "server/response_head.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace belay::http {

namespace asio = boost::asio;

namespace {

constexpr std::size_t chunk_bytes = 16 * 1024;

/// What a piece that was larger took is let go of at once.
constexpr std::size_t kept_bytes_max = 256 * 1024;

/// What precedes the data of a chunk.
std::string chunk_size(std::size_t bytes)
{
    std::array<char, 20> digits{};
    auto const end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes, 16).ptr;
    return std::string(digits.data(), end) + "\r\n";
}

} // namespace

response_writer::response_writer(connection& to, activity& activity, session_waits& waits,
                                 memory_use& memory, session_context& context)
    : to_(to), activity_(activity), waits_(waits), memory_(memory), context_(context)
{
}

asio::awaitable<void> response_writer::write(exchange& exchange, response answer)
{
    activity_.begin(activity::phase::sending, std::chrono::steady_clock::now());
    sending how{.version = exchange.reader.header().version, .request_id = exchange.id()};
    bool const chunked = is_chunked(answer, how);
    bool const has_end = (!answer.live && !answer.rest) || answer.rest_bytes || chunked;
    exchange.keep_at_most(exchange.reader.after_answer());
    if (activity_.gives_way() || !has_end)
        exchange.keep_at_most(after::close);
    how.keeps_alive = exchange.after == after::keep;

    std::string const head = head_of(answer, how);
    bool const is_bodiless = exchange.head().method == "HEAD";
    to_.expires_after(context_.service.options().request_time_max);
    if (is_bodiless || (!answer.rest && !answer.live)) {
        co_await to_.write(head, is_bodiless ? std::string_view() : answer.body);
        co_return;
    }
    co_await to_.write(head);
    co_await write_rest(answer, chunked);
    if (answer.live)
        co_await write_live(exchange, *answer.live, chunked);
    if (chunked)
        co_await to_.write("0\r\n\r\n");
}

/// Writes what there is of the body, and the rest of it.
asio::awaitable<void> response_writer::write_rest(response& answer, bool chunked)
{
    std::string piece = std::move(answer.body);
    bool more = answer.rest != nullptr;
    while (more || !piece.empty()) {
        if (more)
            more = co_await waits_.add_piece(answer, piece);
        if (more && piece.size() < chunk_bytes)
            continue;
        if (piece.empty())
            break; // as a chunk it would end the answer
        co_await write_piece(piece, chunked);
        if (piece.capacity() > kept_bytes_max)
            std::string().swap(piece);
        piece.clear();
        memory_.shrink_to(piece.capacity());
    }
}

/// Writes what comes to pass, until no more will.
asio::awaitable<void> response_writer::write_live(exchange const& exchange, live_source& live,
                                                  bool chunked)
{
    activity_.begin_live();
    std::string piece;
    auto const next = [&] { return live.next(piece); };
    for (bool more = true; more;) {
        more = co_await waits_.in_turn(exchange, next);
        if (!piece.empty()) {
            co_await write_piece(piece, chunked);
        } else if (more) {
            auto const wanted = live.wait();
            co_await waits_.until_news(wanted);
        }
        std::string().swap(piece);
        memory_.shrink_to(0);
    }
    waits_.end_following();
}

asio::awaitable<void> response_writer::write_piece(std::string const& piece, bool chunked)
{
    if (!memory_.fits(piece.capacity()))
        throw connection_over{};
    to_.expires_after(context_.service.options().request_time_max);
    if (chunked) {
        std::string const size = chunk_size(piece.size());
        co_await to_.write(size, piece, "\r\n");
    } else {
        co_await to_.write(piece);
    }
}

} // namespace belay::http
