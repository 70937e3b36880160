#ifndef BELAY_CANCEL_HPP
#define BELAY_CANCEL_HPP

#include <belay/clock.hpp>
#include <belay/export.hpp>
#include <belay/origin.hpp>
#include <belay/state.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace belay {

/// How hard a cancel stops what runs; weakest first.
enum class cancel_mode : std::uint8_t {
    drain,     ///< nothing is told to stop; no deadline
    graceful,  ///< what runs is told to stop, and abandoned after its grace
    immediate, ///< the same with a grace of 0
};

[[nodiscard]] BELAY_EXPORT std::string_view to_string(cancel_mode value) noexcept;
[[nodiscard]] BELAY_EXPORT std::optional<cancel_mode> parse_cancel_mode(std::string_view word) noexcept;

/// The longest grace there is.
inline constexpr std::chrono::milliseconds grace_max{3'600'000};

/// The most characters (code points of UTF-8) that a cancel's reason may have.
inline constexpr std::size_t reason_chars_max = 1024;

/// Where a batch stands, as far as a cancel may be made to depend on it.
struct cancel_condition {
    batch_state state{};
    std::optional<time_point> requested_at = {}; ///< of its cancel; none while there is none
    std::optional<time_point> escalated_at = {}; ///< likewise, of what made that harder
    bool operator==(cancel_condition const&) const = default;
};

/// What a caller asks for.
struct cancel_request {
    cancel_mode mode = cancel_mode::graceful;
    /// How long what runs may go on, 0 … `grace_max`; with `graceful` only. More than the batch's
    /// own grace is taken as that.
    std::optional<std::chrono::milliseconds> grace = std::nullopt;
    std::string reason = {};       ///< at most `reason_chars_max` characters
    std::string requested_by = {}; ///< who asks
    origin_ptr origin = {};        ///< with what request
    /// The cancel acts only on a batch that stands there when it acts; not of single jobs.
    std::optional<cancel_condition> only_if = {};
};

/// What is known of the cancel of a batch: the first one's when, who, why and mode (G8).
struct cancel_record {
    /// The last repeat that brought the deadline nearer.
    struct escalation {
        time_point at;
        std::string by;
        cancel_mode mode;
        std::optional<std::chrono::milliseconds> grace; ///< none for `drain`
        bool operator==(escalation const&) const = default;
    };

    time_point requested_at;
    std::optional<time_point> finished_at;          ///< when the batch became terminal
    std::optional<time_point> deadline_at;          ///< none for `drain` (G5)
    cancel_mode mode = cancel_mode::graceful;
    std::optional<std::chrono::milliseconds> grace; ///< the effective one; none for `drain`
    stop_cause cause = stop_cause::user;
    std::string requested_by;
    std::string reason;
    std::optional<escalation> escalated;
    origin_ptr origin = {};

    // Its moments; none for what there was not, or has not come. A store keeps them with the end of
    // the batch, save for what comes after that is written: `sealed_at`, and `recorded_at` where
    // nothing ran.
    std::optional<time_point> recorded_at = {};       ///< it was durable; none without a store
    std::optional<time_point> interrupted_at = {};    ///< all that ran had been told
    std::optional<time_point> last_job_ended_at = {}; ///< of those that ran
    std::optional<time_point> sealed_at = {};         ///< the end was durable, and told
};

/// What is known of the cancel of a single job: the first one's (G8).
struct job_cancel_record {
    time_point requested_at;
    cancel_mode mode = cancel_mode::graceful;
    std::string requested_by = {};
    std::string reason = {};
    origin_ptr origin = {};
    bool operator==(job_cancel_record const& other) const
    {
        return requested_at == other.requested_at && mode == other.mode &&
               requested_by == other.requested_by && reason == other.reason &&
               is_same(origin, other.origin);
    }
};

/// What became of the record of a cancel (G2).
enum class cancel_outcome : std::uint8_t {
    recorded,      ///< it is durable; in memory always
    not_cancelled, ///< it could not be recorded, and was withdrawn: what it was to stop goes on
    unknown,       ///< that neither: it may be found after a crash, and is tried again until it is in
};

[[nodiscard]] BELAY_EXPORT std::string_view to_string(cancel_outcome value) noexcept;

/// What a cancel of a batch did.
struct cancel_result {
    bool changed = false;         ///< this call closed the gate
    batch_state previous_state{}; ///< as found
    batch_state current_state{};  ///< when it was recorded
    cancel_outcome outcome = cancel_outcome::recorded;
    std::string problem = {};     ///< why it could not be recorded
    bool refused = false;         ///< `only_if` did not hold, and nothing was done
};

/// What a cancel of one job did.
struct job_cancel_result {
    bool changed = false; ///< this call ended the job or told it to stop
    job_state previous_state{};
    job_state current_state{};
    cancel_outcome outcome = cancel_outcome::recorded;
    std::string problem = {};
};

namespace detail {
/// What a cancel throws whose record came to this; null if nothing.
[[nodiscard]] BELAY_EXPORT std::exception_ptr cancel_failure(cancel_outcome outcome, std::string const& problem);
} // namespace detail

} // namespace belay

#endif
