// This folder: what comes in and what goes out, as values. No socket, no engine at work; of the engine only
// its public headers come in.
//
// A request and how it is answered, without a socket: what it asks for comes in, what is to be done
// goes out.
#ifndef BELAY_HTTP_MESSAGE_OPERATION_HPP
#define BELAY_HTTP_MESSAGE_OPERATION_HPP

#include "message/api_error.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace belay::http {

/// The head of a request.
struct request_head {
    std::string method;
    std::string target;
    std::string api_key;           ///< from X-Api-Key or Authorization; empty if there is none
    std::string content_type = {}; ///< empty if there is none
    std::string content_encoding = {};
    std::string accept = {};
    std::string accept_encoding = {};
    std::string prefer = {};
    std::optional<std::string> idempotency_key = {};
    std::string range = {};
    std::string if_range = {};
    std::optional<std::string> if_match = {};
    std::string if_none_match = {};
    std::optional<std::string> last_event_id = {};
    std::string request_id = {};
    std::string traceparent = {}; ///< empty if there is none, or none that can be understood
    bool has_body = false;
    std::optional<std::uint64_t> content_length = {}; ///< not known of a chunked body
};

/// The rest of an answer that is too large to be made at once.
class body_source {
public:
    virtual ~body_source() = default;

    /// Appends the next piece to `out`; false if there is no more. May append nothing and have
    /// more: a call takes at most about half a millisecond, and what it takes to read from the disk
    /// and to copy what can't be divided. Called on a thread for such work, not on the server's.
    virtual bool next(std::string& out) = 0;
};

/// Wait until something has come to pass, at most `at_most`, then ask again.
struct wait_for_end {
    /// Calls back once, on any thread, maybe at once; gives what `unsubscribe` takes.
    std::function<std::uint64_t(std::function<void()>)> subscribe;
    std::function<void(std::uint64_t)> unsubscribe;
    std::chrono::milliseconds at_most{};

    /// The wait may be ended before, where others want the connection's place: there is an answer.
    bool may_be_cut = false;
};

/// A body that has no end yet: it goes on as things come to pass.
class live_source {
public:
    virtual ~live_source() = default;

    /// Appends what there is; false if nothing will come any more. On the server's thread, for at
    /// most about half a millisecond.
    virtual bool next(std::string& out) = 0;

    /// What is waited for where `next` has appended nothing.
    [[nodiscard]] virtual wait_for_end wait() = 0;
};

struct response {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> fields = {}; ///< further header fields
    std::string body = {};
    std::unique_ptr<body_source> rest = {};       ///< follows `body`, if set
    std::optional<std::uint64_t> rest_bytes = {}; ///< how much that is, where it is known
    std::unique_ptr<live_source> live = {};       ///< follows that, if set
};

/// Let others have their turn, then ask again.
struct more_to_do {};

/// Which of the threads that may wait for a disk: the one that answers wait for, or the one for
/// what is uploaded, which waits for writes and syncs.
enum class disk_lane : std::uint8_t { reads, uploads };

/// Have this done on a thread that may wait for a disk, then ask again. It owns what it touches.
struct reading {
    std::function<void()> work;
    disk_lane lane = disk_lane::reads;
};

using step = std::variant<response, wait_for_end, more_to_do, reading, api_error>;
using pause = std::variant<wait_for_end, more_to_do, reading, api_error>;

/// One request on its way. Its body, if it may have one, is handed to `take` in pieces, each of
/// them followed by `digest` until that gives nothing; then `proceed` is called until it gives an
/// answer.
class operation {
public:
    virtual ~operation() = default;

    /// The most bytes its body may have; a body that is sent all the same is refused if longer.
    [[nodiscard]] virtual std::uint64_t body_bytes_max() const noexcept { return 0; }

    /// Whether it is one of those of which only so many may be under way: cancels are not (G10), nor
    /// what is answered at once.
    [[nodiscard]] virtual bool is_limited() const noexcept { return true; }

    /// About how much memory it holds, besides what the engine counts.
    [[nodiscard]] virtual std::uint64_t bytes_held() const { return 0; }

    /// Takes at most about half a millisecond, as `digest` and `proceed` do.
    [[nodiscard]] virtual std::optional<api_error> take(std::string_view) { return std::nullopt; }

    /// What is to be done before the next piece of the body is read.
    [[nodiscard]] virtual std::optional<pause> digest() { return std::nullopt; }

    [[nodiscard]] virtual step proceed() = 0;
};

} // namespace belay::http

#endif
