#ifndef BELAY_HTTP_SERVER_HPP
#define BELAY_HTTP_SERVER_HPP

#include <belay/engine.hpp>
#include <belay/export.hpp>
#include <belay/http/job_type.hpp>

#include <boost/version.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
}

/// The HTTP interface.
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
[[nodiscard]] BELAY_EXPORT api_key make_api_key(std::string name, std::string owner, role role,
                                   std::string_view secret);

/// 256 random bits, as 64 hex digits.
[[nodiscard]] BELAY_EXPORT std::string make_secret();

/// Where a server listens, who may use it, and its limits.
struct server_options {
    std::string address = "127.0.0.1"; ///< IPv4 or IPv6 address to listen on
    std::uint16_t port = 0;            ///< 0 takes a free one
    std::vector<api_key> keys = {};

    /// How long a cancel may wait for the end of its batch before it is answered with 202.
    std::chrono::seconds wait_max{30};

    std::size_t connections_max = 1024; ///< then others give way, such as one that is idle; for a
                                        ///< moment there may be an eighth and nine more
    std::size_t requests_max = 256;     ///< under way at a time; not counted: cancels, short answers.
                                        ///< At most `requests_within(connections_max)`
    std::size_t header_bytes_max = 16 * 1024; ///< at most `header_bytes_most`
    std::uint64_t body_bytes_max = 8 * 1024 * 1024; ///< of a new batch; of others 16 KiB,
                                                    ///< of a cancel of many batches 1 MiB
    std::uint64_t stream_bytes_max = 4ULL << 30;    ///< of a new batch that comes as lines
    std::size_t line_bytes_max = 64 * 1024;         ///< of such a line, and of an input in JSON
    std::uint64_t upload_bytes_max = 10ULL << 30;   ///< of the files of a new batch; at most 2^50
    /// Of the files of all batches that an owner has, and of those on their way: what they hold of
    /// the disk, as `recorded_batch::upload_bytes`.
    std::uint64_t owner_upload_bytes_max = 100ULL << 30;
    std::uint64_t buffer_bytes_max = 32 * 1024 * 1024; ///< of all requests and answers under way
    std::size_t event_streams_max = 256; ///< then 503; they do not give way, so at most half of
                                         ///< `connections_max`
    std::size_t event_streams_per_key_max = 64; ///< likewise
    std::size_t events_max = 10'000; ///< kept for readers that come back: of batches, and of jobs
    std::uint64_t inputs_max = 8'000'000;           ///< of a new batch
    std::chrono::milliseconds header_time_max{10'000};  ///< from a request's first byte on
    std::chrono::milliseconds request_time_max{60'000}; ///< for each MiB of its body, for the store
                                                        ///< to take what it makes, and for an
                                                        ///< answer's next piece to be taken
    std::chrono::milliseconds idle_time_max{60'000};    ///< between requests
    std::chrono::milliseconds shutdown_time_max{10'000}; ///< for bodies and answers that move

    /// How many requests without a right key are told so, from each address and in a minute; then
    /// 429.
    std::size_t wrong_keys_max = 100;

    /// Where batches are kept, for `GET /v1/server` to say how much room there is; empty in memory.
    std::string data_directory = {};

    /// On loopback the names, besides its own, under which the server is reached: those that a
    /// proxy passes on.
    std::vector<std::string> allowed_hosts = {};

    /// The addresses of proxies, whose `X-Forwarded-For` says which client it is that limits and
    /// log lines are about.
    std::vector<std::string> trusted_proxies = {};

    /// Told of each cancel that a request has asked for, once it is over: a line for a log, with a
    /// message, a tab and members in JSON. On whatever thread; it should not wait.
    std::function<void(std::string const& line)> on_cancel_end = {};

    /// Whether memory is short: while it says so new batches are refused with 503, so that what
    /// there is goes to cancels, and `/readyz` is 503, too. Asked on the server's thread, or one
    /// that runs its context.
    std::function<bool()> memory_is_short = {};
};

/// Whether that can be one of `allowed_hosts`: a name or an address as a Host has it, without a port.
[[nodiscard]] BELAY_EXPORT bool is_host_name(std::string_view text);

/// The parser of headers takes no longer ones.
inline constexpr std::size_t header_bytes_most = 65'533;

/// How many requests there may be at most with so many connections: some of these are kept for
/// cancels.
[[nodiscard]] BELAY_EXPORT std::size_t requests_within(std::size_t connections_max) noexcept;

/// Serves the batches of an engine over HTTP. For events it follows the engine's news: nobody else
/// can, nor a second server of the same engine.
///
/// Lifetime: neither copied nor moved; the engine outlives it, and so does a context of the
/// program's. The destructor closes every connection and waits for nothing but the end of a piece
/// of an answer that is being read: what the program's context has left of it touches the engine no
/// more, and goes when the context is run or destroyed.
/// Thread safety: every member may be called from any thread, but the destructor not from inside a
/// function of an `offered_type`.
class BELAY_EXPORT server {
public:
    /// Defines the types in the engine, listens, and accepts from here on, on a thread of its own.
    /// Throws std::system_error if it can't listen, or has no thread; `belay::error` for an address
    /// that is none, a type that can't be defined, or a program that was compiled with another
    /// version of Boost than this library: it shares Boost's types with it, so leave `boost_version`
    /// as it is.
    server(engine& engine, std::vector<offered_type> types, server_options options,
           unsigned boost_version = BOOST_VERSION);

    /// The same, but all is done by those that run `context`, one at a time, save for reading what
    /// answers are made of, which has a thread. A step takes about half a millisecond at most, besides
    /// what the `check` of a type takes.
    server(engine& engine, std::vector<offered_type> types, server_options options,
           boost::asio::io_context& context, unsigned boost_version = BOOST_VERSION);
    ~server();
    server(server const&) = delete;
    server& operator=(server const&) = delete;

    /// `http://address:port`, with the port that it got.
    [[nodiscard]] std::string url() const;

    /// Answers new requests with 503, and returns when the requests under way have been answered,
    /// at the latest after `at_most`; bodies and answers that are still on their way get
    /// `shutdown_time_max`, as long as they move; then listens no more, and every connection is closed. Not from
    /// a thread that runs a context of the program's, where the other form does.
    void shut_down(std::chrono::milliseconds at_most);

    /// The same, without waiting: `done` is called once all that is done, on the server's thread or
    /// one that runs the context; never if the server or the context is destroyed before.
    void shut_down(std::chrono::milliseconds at_most, std::function<void()> done);

private:
    class listener;
    struct own_thread;
    std::unique_ptr<own_thread> own_thread_; ///< null on a context of the program's
    std::shared_ptr<listener> listener_;
};

} // namespace belay::http

#endif
