// The states of batches and jobs, and the words for them. One spelling in code, JSON and docs.
#ifndef BELAY_STATE_HPP
#define BELAY_STATE_HPP

#include <belay/export.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

namespace belay {

/// State of a batch. The last four are terminal, and terminal is final (G4).
enum class batch_state : std::uint8_t {
    created,    ///< nothing of it has started yet
    running,    ///< its first job has started
    cancelling, ///< the gate is closed, and something still runs
    completed,  ///< every job has ended by itself or was cancelled alone
    failed,     ///< a job failed under `fail_fast`, or what runs the batch is gone for good
    cancelled,  ///< cancelled by a user, by a stop token or by the engine's shutdown
    expired,    ///< its own deadline passed
};

/// State of a job.
enum class job_state : std::uint8_t { pending, running, succeeded, failed, cancelled };

/// How a cancelled job came to its end.
enum class disposition : std::uint8_t {
    none,        ///< the job is not cancelled
    not_started, ///< its body was never entered
    stopped,     ///< the body was shown its stop and ended by itself
    terminated,  ///< a process that ended after SIGTERM
    killed,      ///< a process, its whole tree ended by SIGKILL
    abandoned,   ///< code still running at the deadline; what it does later is refused
    lost,        ///< it ran when the engine crashed
};

/// Who closed the gate of a batch, or asked a job to stop.
enum class stop_cause : std::uint8_t {
    none,      ///< nobody
    user,      ///< a call of cancel
    token,     ///< a stop token of the host program
    deadline,  ///< the batch's own deadline
    fail_fast, ///< a job failed for good and the batch's policy says so
    backend,   ///< what runs the batch is gone for good
    shutdown,  ///< the engine is being destroyed
};

/// Whether `state` is final.
[[nodiscard]] constexpr bool is_terminal(batch_state state) noexcept
{
    return state >= batch_state::completed;
}

/// Whether a job in `state` has ended.
[[nodiscard]] constexpr bool is_ended(job_state state) noexcept
{
    return state >= job_state::succeeded;
}

/// The word for a value, as it stands in JSON.
[[nodiscard]] BELAY_EXPORT std::string_view to_string(batch_state value) noexcept;
[[nodiscard]] BELAY_EXPORT std::string_view to_string(job_state value) noexcept;
[[nodiscard]] BELAY_EXPORT std::string_view to_string(disposition value) noexcept;
[[nodiscard]] BELAY_EXPORT std::string_view to_string(stop_cause value) noexcept;

/// The state a word stands for; `canceled` and `canceling` are accepted too. Nothing for another word.
[[nodiscard]] BELAY_EXPORT std::optional<batch_state> parse_batch_state(std::string_view word) noexcept;
[[nodiscard]] BELAY_EXPORT std::optional<job_state> parse_job_state(std::string_view word) noexcept;

} // namespace belay

#endif
