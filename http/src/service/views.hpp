// How batches and jobs are shown.
#ifndef BELAY_HTTP_SERVICE_VIEWS_HPP
#define BELAY_HTTP_SERVICE_VIEWS_HPP

#include <belay/cancel_operation.hpp>
#include <belay/job_type.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace belay::http {

/// `/v1/batches/{id}`.
[[nodiscard]] std::string path_of(recorded_batch const& batch);

/// The `data` of a state answer; the previous state is `previous`. Says `waiting_for` where only the
/// store has to take the record of the end.
[[nodiscard]] boost::json::object state_view(recorded_batch const& batch,
                                             batch_status const& status, batch_state previous,
                                             bool changed);

/// The cancel block, or null.
[[nodiscard]] boost::json::value cancel_view(std::optional<cancel_record> const& cancel);

/// What is shown of a cancel once it is over, in the log say.
[[nodiscard]] boost::json::object cancelled_view(recorded_batch const& batch,
                                                 batch_status const& status);

/// When what of it came to pass, in microseconds from the closing of the gate, or null.
[[nodiscard]] boost::json::object moments_view(cancel_record const& cancel);

/// What is shown of a cancel of many batches, without these.
[[nodiscard]] boost::json::object operation_view(cancel_operation const& operation);

/// How many of its batches stand where.
[[nodiscard]] boost::json::object counts_view(operation_counts const& counts);

/// How a batch of one stands: its state and the account of its jobs.
[[nodiscard]] boost::json::object operation_batch_view(recorded_batch const& batch);

/// How many jobs are in which state.
[[nodiscard]] boost::json::object jobs_view(job_counts const& jobs);

/// What the list of batches shows of each.
[[nodiscard]] boost::json::object summary_view(recorded_batch const& batch,
                                               batch_status const& status);

/// What `GET /batches/{id}` shows, without job details; `options` are the effective ones.
[[nodiscard]] boost::json::object batch_view(recorded_batch const& batch,
                                             batch_status const& status);

/// How a job is shown.
struct job_form {
    std::string_view state_name;  ///< what its state goes under: `state` or `status`
    std::string_view path_member; ///< of its input: what `filename` is
};

/// Appends one job as JSON.
void append_job(std::string& out, recorded_batch const& batch, std::uint64_t index,
                job_form const& form);

/// Where a job stands, in the map of its batch.
[[nodiscard]] char letter(job_mark const& job) noexcept;

/// What events show of a batch.
[[nodiscard]] boost::json::object event_view(recorded_batch const& batch,
                                             batch_status const& status);

/// What the event of a job's end shows of it.
[[nodiscard]] boost::json::object job_event_view(recorded_batch const& batch, std::uint64_t job,
                                                 job_mark const& mark);

/// A time with six decimals, or null.
[[nodiscard]] boost::json::value time_view(std::optional<time_point> time);

} // namespace belay::http

#endif
