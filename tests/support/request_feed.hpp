#ifndef BELAY_TESTS_REQUEST_FEED_HPP
#define BELAY_TESTS_REQUEST_FEED_HPP

#include "server/request_reader.hpp"

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::test {

inline constexpr std::size_t header_bytes_max = 1024;
inline constexpr std::uint64_t any_size = std::numeric_limits<std::uint64_t>::max();

/// What came of a request, with the errors as statuses.
struct request_outcome {
    unsigned refused = 0;     ///< 0 for a request that was read to its end, or is not over
    std::string message = {}; ///< of that error
    std::string method = {};
    std::string target = {};
    std::string body = {};
    bool is_done = false;
    http::after after_answer = http::after::linger;
    std::string left = {}; ///< of the input

    friend bool operator==(request_outcome const&, request_outcome const&) = default;
    friend std::ostream& operator<<(std::ostream& out, request_outcome const& of)
    {
        return out << of.refused << ' ' << of.message << ' ' << of.method << ' ' << of.target
                   << " body " << of.body.size() << (of.is_done ? " done " : " not done ")
                   << static_cast<int>(of.after_answer) << " left " << of.left.size();
    }
};

/// A client whose bytes come in parts, and what a reader makes of them.
class request_feed {
public:
    explicit request_feed(std::vector<std::string_view> parts, std::size_t room_bytes = 16,
                          std::uint64_t body_bytes_max = any_size)
        : parts_(std::move(parts)), room_(room_bytes), body_bytes_max_(body_bytes_max)
    {
    }

    request_outcome read()
    {
        auto const refused = read_all();
        request_outcome got{.refused = refused ? refused->status : 0,
                            .message = refused ? refused->message : "",
                            .method = reader.header().head.method,
                            .target = reader.header().head.target,
                            .body = body_,
                            .is_done = reader.is_done(),
                            .after_answer = reader.after_answer(),
                            .left = std::string(http::bytes_of(input))};
        for (; at_ != parts_.size(); ++at_)
            got.left += parts_[at_];
        return got;
    }

    /// False where there is no more.
    bool more()
    {
        if (at_ == parts_.size())
            return false;
        auto const part = parts_[at_++];
        input.commit(
            boost::asio::buffer_copy(input.prepare(part.size()), boost::asio::buffer(part)));
        return true;
    }

    std::optional<http::api_error> read_header()
    {
        while (true) {
            auto const found = reader.find_header(input);
            if (!found)
                return found.error();
            if (*found == http::request_reader::progress::done)
                return reader.parse_header(input);
            if (!more())
                return std::nullopt;
        }
    }

    http::request_reader reader{header_bytes_max};
    http::input_buffer input;

private:
    std::optional<http::api_error> read_all()
    {
        if (auto refused = read_header())
            return refused;
        if (!reader.has_header() || reader.is_done())
            return std::nullopt;
        if (auto refused = reader.begin_body(body_bytes_max_))
            return refused;
        while (!reader.is_done()) {
            auto const piece = reader.next(input, room_);
            if (!piece)
                return piece.error();
            body_ += *piece;
            if (piece->empty() && !reader.is_done() && !more())
                return std::nullopt;
        }
        return std::nullopt;
    }

    std::vector<std::string_view> parts_;
    std::size_t at_ = 0;
    std::vector<char> room_;
    std::uint64_t body_bytes_max_;
    std::string body_;
};

} // namespace belay::test

#endif
