// Questions that have a number for an answer, a file each. What is here knows belay and its
// yardsticks, and no peer.
#ifndef BELAY_BENCH_FIGURES_QUESTION_HPP
#define BELAY_BENCH_FIGURES_QUESTION_HPP

#include "suite/report.hpp"

#include <cstddef>
#include <span>

namespace belay::bench::figures {

/// What is measured beside a yardstick, sample by sample, with every job looked at afterwards.
struct question {
    char const* name;
    char const* topic; ///< `cancel`, `throughput`, `http`, `store` or `process`
    char const* text;  ///< what is measured
    std::size_t runs;  ///< how many samples are taken unless told

    /// In a process of its own. Throws `wrong_result` if a job was not what it had to be, or
    /// std::exception if something failed.
    void (*measure)(std::size_t runs, report& report);
};

// Each is in the file of its name.
extern question const async_cancel_question;
extern question const batches_alive_question;
extern question const cancel_jobs_question;
extern question const cancel_pending_question;
extern question const sleep_wake_question;
extern question const noise_question;
extern question const fair_small_batch_question;
extern question const job_trivial_question;
extern question const pending_job_bytes_question;
extern question const retry_question;
extern question const tick_question;
extern question const http_cancel_question;
extern question const http_cancel_durable_question;
extern question const http_create_question;
extern question const http_open_loop_question;
extern question const durable_outcomes_question;
extern question const ended_batch_bytes_question;
extern question const recover_large_question;
extern question const http_cancel_processes_question;
extern question const process_jobs_question;

/// All, by topic. Thread safety: any.
[[nodiscard]] std::span<question const* const> questions() noexcept;

} // namespace belay::bench::figures

#endif
