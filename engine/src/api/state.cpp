#include <belay/batch.hpp>
#include <belay/cancel.hpp>
#include <belay/error.hpp>
#include <belay/state.hpp>

#include <array>
#include <cstddef>

namespace belay {

namespace {

constexpr std::array<std::string_view, 7> batch_words{
    "created", "running", "cancelling", "completed", "failed", "cancelled", "expired"};
constexpr std::array<std::string_view, 5> job_words{"pending", "running", "succeeded", "failed",
                                                    "cancelled"};
constexpr std::array<std::string_view, 7> disposition_words{
    "none", "not_started", "stopped", "terminated", "killed", "abandoned", "lost"};
constexpr std::array<std::string_view, 7> cause_words{"none",      "user",    "token",   "deadline",
                                                      "fail_fast", "backend", "shutdown"};
constexpr std::array<std::string_view, 3> outcome_words{"recorded", "not_cancelled", "unknown"};
constexpr std::array<std::string_view, 3> mode_words{"drain", "graceful", "immediate"};
constexpr std::array<std::string_view, 7> failure_words{
    "failed", "input", "timeout", "crash_loop", "exit", "signal", "stopped"};
constexpr std::array<std::string_view, 2> policy_words{"continue", "fail_fast"};

template <class Enum, std::size_t Size>
std::optional<Enum> parse(std::array<std::string_view, Size> const& words, std::string_view word)
{
    for (std::size_t i = 0; i != Size; ++i)
        if (words[i] == word)
            return static_cast<Enum>(i);
    return std::nullopt;
}

} // namespace

std::string_view to_string(batch_state value) noexcept
{
    return batch_words[static_cast<std::size_t>(value)];
}

std::string_view to_string(job_state value) noexcept
{
    return job_words[static_cast<std::size_t>(value)];
}

std::string_view to_string(disposition value) noexcept
{
    return disposition_words[static_cast<std::size_t>(value)];
}

std::string_view to_string(stop_cause value) noexcept
{
    return cause_words[static_cast<std::size_t>(value)];
}

std::string_view to_string(cancel_mode value) noexcept
{
    return mode_words[static_cast<std::size_t>(value)];
}

std::string_view to_string(cancel_outcome value) noexcept
{
    return outcome_words[static_cast<std::size_t>(value)];
}

std::string_view to_string(failure value) noexcept
{
    return failure_words[static_cast<std::size_t>(value)];
}

std::string_view to_string(failure_policy value) noexcept
{
    return policy_words[static_cast<std::size_t>(value)];
}

std::optional<batch_state> parse_batch_state(std::string_view word) noexcept
{
    if (word == "canceled")
        return batch_state::cancelled;
    if (word == "canceling")
        return batch_state::cancelling;
    return parse<batch_state>(batch_words, word);
}

std::optional<job_state> parse_job_state(std::string_view word) noexcept
{
    if (word == "canceled")
        return job_state::cancelled;
    return parse<job_state>(job_words, word);
}

std::optional<cancel_mode> parse_cancel_mode(std::string_view word) noexcept
{
    return parse<cancel_mode>(mode_words, word);
}

std::optional<failure_policy> parse_failure_policy(std::string_view word) noexcept
{
    return parse<failure_policy>(policy_words, word);
}

} // namespace belay
