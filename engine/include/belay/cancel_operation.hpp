#ifndef BELAY_CANCEL_OPERATION_HPP
#define BELAY_CANCEL_OPERATION_HPP

#include <belay/cancel.hpp>
#include <belay/clock.hpp>
#include <belay/export.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace belay {

namespace detail {
class operation_state;
}

/// Which batches are cancelled as one, and how.
struct cancel_operation_spec {
    /// `recorded_batch::sequence` of each, in whatever order; one that is there twice counts once.
    std::vector<std::uint64_t> batches;
    cancel_request request = {}; ///< without `only_if`
    std::string owner = {};      ///< whose it is
    std::string filter = {};     ///< how the batches were chosen, as the caller puts it
};

/// How many batches of an operation stand where. `total` is the sum of the others.
struct operation_counts {
    std::uint64_t total = 0;
    std::uint64_t open = 0; ///< have not ended, or are yet to be looked at
    std::uint64_t cancelled = 0;
    std::uint64_t completed = 0; ///< these three ended otherwise before the cancel had come to them
    std::uint64_t failed = 0;
    std::uint64_t expired = 0;
    std::uint64_t forgotten = 0; ///< were not there any more when it came to them
    bool operator==(operation_counts const&) const = default;
};

/// A cancel of many recorded batches: a handle to it, or an empty one, of which nothing but `bool`
/// may be asked.
///
/// Lifetime: handles may be copied and dropped as one likes, and outlive the engine. Thread safety:
/// every member may be called from any thread.
class BELAY_EXPORT cancel_operation {
public:
    /// An empty handle.
    cancel_operation() noexcept = default;

    [[nodiscard]] explicit operator bool() const noexcept { return state_ != nullptr; }

    /// `operation-` and 26 characters of Crockford's base32, lower case; unguessable.
    [[nodiscard]] std::string const& id() const;
    /// Its place in the order of creation of batches and operations.
    [[nodiscard]] std::uint64_t sequence() const;
    /// As in its `cancel_operation_spec`.
    [[nodiscard]] std::string const& owner() const;
    [[nodiscard]] std::string const& filter() const;
    [[nodiscard]] cancel_request const& request() const;

    [[nodiscard]] time_point requested_at() const;
    /// When its last batch had ended, once that is recorded.
    [[nodiscard]] std::optional<time_point> finished_at() const;
    [[nodiscard]] operation_counts counts() const;

    /// The sequences of its batches, ascending; none once it is forgotten. Throws `error`
    /// (`store_failed`, `resources_exhausted`).
    [[nodiscard]] std::vector<std::uint64_t> batches() const;

    using subscription = std::uint64_t;

    /// Calls `callback` once when it is finished, or its engine ends, which leaves the rest to the
    /// next one; otherwise as `any_batch::on_end`.
    subscription on_end(std::function<void()> callback) const;
    /// Forgets a callback. It may still be running when this returns.
    void unsubscribe(subscription subscription) const noexcept;

    /// Waits until it is finished or its engine ends, at most `duration`; whether it is finished.
    /// Not inside a body or a callback of the engine's.
    [[nodiscard]] bool wait_for(std::chrono::nanoseconds duration) const;

private:
    friend class engine;
    explicit cancel_operation(std::shared_ptr<detail::operation_state> state) noexcept
        : state_(std::move(state))
    {
    }
    std::shared_ptr<detail::operation_state> state_;
};

} // namespace belay

#endif
