// The Prefer field of a request (RFC 7240).
#ifndef BELAY_HTTP_MESSAGE_PREFER_HPP
#define BELAY_HTTP_MESSAGE_PREFER_HPP

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// What a client prefers, of what this server knows.
struct preferences {
    bool respond_async = false;               ///< answer before it is done
    std::optional<std::chrono::seconds> wait; ///< answer after at most this long, 0 … 2^31

    friend bool operator==(preferences const&, preferences const&) = default;
};

/// Reads a Prefer field; several lines are joined with ", " first. Of a preference that is given
/// twice the first counts, also where its value makes no sense. What can't be understood is
/// ignored.
[[nodiscard]] preferences parse_prefer(std::string_view field);

/// How long to wait before an answer is given: with `wait` that long, else with `respond-async`
/// not at all, else as long as the server does by itself; never longer than `wait_max`.
[[nodiscard]] std::chrono::seconds effective_wait(preferences const& preferences,
                                                  std::chrono::seconds wait_max);

/// The value of Preference-Applied: the preference that decided, `wait` with the time that was in
/// effect. Empty where there was none; then the field is left out.
[[nodiscard]] std::string applied(preferences const& preferences, std::chrono::seconds wait_max);

} // namespace belay::http

#endif
