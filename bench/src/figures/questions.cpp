#include "figures/question.hpp"

#include <array>

namespace belay::bench::figures {

namespace {

constexpr std::array all{
    &async_cancel_question,
    &batches_alive_question,
    &cancel_jobs_question,
    &cancel_pending_question,
    &sleep_wake_question,
    &noise_question,
    &fair_small_batch_question,
    &job_trivial_question,
    &pending_job_bytes_question,
    &retry_question,
    &tick_question,
    &http_cancel_question,
    &http_cancel_durable_question,
    &http_create_question,
    &http_open_loop_question,
    &durable_outcomes_question,
    &ended_batch_bytes_question,
    &recover_large_question,
    &http_cancel_processes_question,
    &process_jobs_question,
};

} // namespace

std::span<question const* const> questions() noexcept
{
    return all;
}

} // namespace belay::bench::figures
