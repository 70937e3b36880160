#ifndef BELAY_ERROR_HPP
#define BELAY_ERROR_HPP

#include <belay/export.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace belay {

/// What an engine can refuse. Thrown inside `belay::error`.
enum class errc {
    invalid_argument = 1, ///< an argument is out of its range; the message names it and the range
    unknown_type,         ///< no job type of that name is defined
    already_defined,      ///< a job type of that name is defined already
    no_such_job,          ///< the index is not one of the batch's
    no_value,             ///< the job has no value: it has not succeeded, or was forgotten
    memory_exhausted,     ///< it does not fit in the memory that the engine's options allow batches
    shutting_down,        ///< the engine is being destroyed and takes no new work
    not_cancelled,        ///< the cancel could not be recorded; what it was to stop goes on
    outcome_unknown,      ///< the cancel, or the new batch, may or may not be recorded
    store_unusable,       ///< the store can't be opened; the message names the file
    store_failed,         ///< the store could not read or write something
    cancel_first,         ///< the batch has not ended
    no_batch,             ///< the handle is empty: it was given no batch, or was moved from
    idempotency_conflict, ///< the idempotency key stands for another request, or a forgotten batch
    would_deadlock,       ///< a body waits for what can't end before it has
    store_full,           ///< the disk is full; what has ended may be forgotten to make room
    resources_exhausted,  ///< the store had no descriptor or memory for it; there may be soon
    too_many,             ///< as many of its kind are under way as the engine's options allow
};

[[nodiscard]] BELAY_EXPORT std::error_category const& error_category() noexcept;
[[nodiscard]] BELAY_EXPORT std::error_code make_error_code(errc value) noexcept;

/// An error of this library: a code, and a message that names what was given and what would be
/// right.
class BELAY_EXPORT error : public std::system_error {
public:
    error(errc code, std::string message);
    [[nodiscard]] char const* what() const noexcept override { return message_.c_str(); }

private:
    std::string message_;
};

/// Thrown by `job::throw_if_stopped`. A body lets it pass; deriving from nothing keeps it out of
/// the reach of a `catch (std::exception const&)` that would swallow it.
struct BELAY_EXPORT stopped {};

/// Why a job failed, or what else its body threw.
enum class failure : std::uint8_t {
    failed,     ///< the body threw
    input,      ///< the job's input can't be used
    timeout,    ///< the job ran longer than its time-out
    crash_loop, ///< the engine crashed while the job ran, three times with no other to suspect
    exit,       ///< its program ended with a status other than 0
    signal,     ///< its program was ended by a signal
    stopped,    ///< no failure: what the body of a job threw that was told to stop
};

[[nodiscard]] BELAY_EXPORT std::string_view to_string(failure value) noexcept;

/// Thrown by a body to fail its job with a code of its own. Any other exception is `failed`. A job
/// that failed since its input can't be used (`failure::input`) is not tried again. The first 64 KiB
/// of the message are kept.
class BELAY_EXPORT job_failure : public std::runtime_error {
public:
    job_failure(failure code, std::string const& message) : std::runtime_error(message), code_(code)
    {
    }
    [[nodiscard]] failure code() const noexcept { return code_; }

private:
    failure code_;
};

} // namespace belay

/// @cond
template <>
struct std::is_error_code_enum<belay::errc> : std::true_type {};
/// @endcond

#endif
