#ifndef BELAY_HTTP_SERVER_HPP
#define BELAY_HTTP_SERVER_HPP

#include <belay/engine.hpp>
#include <belay/http/job_type.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// What a key may do; each may do what those before it may.
enum class role : std::uint8_t {
    read,   ///< look at what its owner has
    submit, ///< create and cancel batches
    admin,  ///< all of it, of every owner
};

/// A key, as the server keeps it: its SHA-256 only.
struct api_key {
    std::string name;                    ///< shown as `requested_by`
    std::string owner;                   ///< whose batches it sees
    belay::http::role role = role::read;
    std::array<unsigned char, 32> sha256{};
};

/// The key that `secret` stands for.
[[nodiscard]] api_key make_api_key(std::string name, std::string owner, role role,
                                   std::string_view secret);

/// 256 random bits, as 64 hex digits.
[[nodiscard]] std::string make_secret();

struct server_options {
    std::string address = "127.0.0.1"; ///< IPv4 or IPv6 address to listen on
    std::uint16_t port = 0;            ///< 0 takes a free one
    std::vector<api_key> keys = {};

    /// How long a cancel may wait for the end of its batch before it is answered with 202.
    std::chrono::seconds wait_max{30};

    std::size_t connections_max = 1024; ///< then the one that was idle longest is closed
    std::size_t requests_max = 256;     ///< under way at a time; cancels are not counted
    std::size_t header_bytes_max = 16 * 1024;
    std::uint64_t body_bytes_max = 8 * 1024 * 1024; ///< of a new batch; of others 64 KiB
    std::uint64_t stream_bytes_max = 4ULL << 30;    ///< of a new batch that comes as lines
    std::size_t line_bytes_max = 64 * 1024;         ///< of such a line
    std::uint64_t inputs_max = 8'000'000;           ///< of a new batch
    std::chrono::milliseconds header_time_max{10'000};  ///< from a request's first byte on
    std::chrono::milliseconds request_time_max{60'000}; ///< for each MiB of its body, for the store
                                                        ///< to take what it makes, and for an
                                                        ///< answer's next piece to be taken
    std::chrono::milliseconds idle_time_max{60'000};    ///< between requests
};

/// Serves the batches of an engine over HTTP, on a thread of its own.
///
/// Lifetime: neither copied nor moved; the engine outlives it. The destructor stops it.
/// Thread safety: every member may be called from any thread.
class server {
public:
    /// Defines the types in the engine, listens, and accepts from here on. Throws
    /// boost::system::system_error if it can't listen; `belay::error` for a type that can't be
    /// defined.
    server(engine& engine, std::vector<offered_type> types, server_options options);
    ~server();
    server(server const&) = delete;
    server& operator=(server const&) = delete;

    /// `http://address:port`, with the port that it got.
    [[nodiscard]] std::string url() const;

    /// Listens no more, answers new requests with 503, and returns when the requests under way
    /// have been answered, at the latest after `at_most`.
    void shut_down(std::chrono::milliseconds at_most);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace belay::http

#endif
