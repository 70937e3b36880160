// What a session writes: answers.
#include "server/exchange.hpp"
#include "server/response_head.hpp"

#include <array>
#include <charconv>
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

asio::awaitable<void> session::write(exchange& exchange, response answer)
{
    set_phase(phase::sending);
    if (gives_way_ && exchange.after == after::keep)
        exchange.after = after::close;
    sending how{.version = exchange.parser.is_header_done() ? exchange.parser.get().version() : 11,
                .request_id = exchange.id};
    bool const chunked = is_chunked(answer, how);
    bool const has_end = !answer.rest || answer.rest_bytes || chunked;
    if (!has_end && exchange.after == after::keep)
        exchange.after = after::close;
    how.keeps_alive = exchange.after == after::keep;

    std::string const head = head_of(answer, how);
    connection_.expires_after(service_.options().request_time_max);
    if (answer.rest && !exchange.bodiless) {
        co_await connection_.write(head);
        co_await write_rest(exchange, answer, chunked);
    } else {
        co_await connection_.write(head, exchange.bodiless ? std::string_view() : answer.body);
    }
}

/// Writes what there is of the body, and the rest of it.
asio::awaitable<void> session::write_rest(exchange const& exchange, response& answer, bool chunked)
{
    std::string piece = std::move(answer.body);
    bool more = true;
    while (more || !piece.empty()) {
        if (more)
            more = co_await add_piece(answer, piece);
        if (more && piece.size() < chunk_bytes)
            continue;
        if (piece.empty())
            break; // as a chunk it would end the answer
        if (!fits(exchange, piece.capacity()))
            throw connection_over{};
        connection_.expires_after(service_.options().request_time_max);
        if (chunked) {
            std::string const size = chunk_size(piece.size());
            co_await connection_.write(size, piece, "\r\n");
        } else {
            co_await connection_.write(piece);
        }
        if (piece.capacity() > kept_bytes_max)
            std::string().swap(piece);
        piece.clear();
        held_.set(piece.capacity() + connection_.input_capacity());
    }
    if (chunked)
        co_await connection_.write("0\r\n\r\n");
}

} // namespace belay::http
