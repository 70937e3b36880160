// This folder: what is done for each path and method, as an operation. No socket; message and service come
// in.
//
// The resources of the server: a file each, and the table of them all.
#ifndef BELAY_HTTP_RESOURCES_RESOURCES_HPP
#define BELAY_HTTP_RESOURCES_RESOURCES_HPP

#include "service/route.hpp"

#include <span>

namespace belay::http {

/// The table.
[[nodiscard]] std::span<route const> resources() noexcept;

// One for each line of it.
[[nodiscard]] made_operation get_root(admitted request);
[[nodiscard]] made_operation get_health(admitted request);
[[nodiscard]] made_operation get_readiness(admitted request);
[[nodiscard]] made_operation get_server(admitted request);
[[nodiscard]] made_operation list_types(admitted request);
[[nodiscard]] made_operation create_batch(admitted request);
[[nodiscard]] made_operation cancel_batches(admitted request);
[[nodiscard]] made_operation list_operations(admitted request);
[[nodiscard]] made_operation get_operation(admitted request);
[[nodiscard]] made_operation list_batches(admitted request);
[[nodiscard]] made_operation get_batch(admitted request);
[[nodiscard]] made_operation delete_batch(admitted request);
[[nodiscard]] made_operation get_results(admitted request);
[[nodiscard]] made_operation list_jobs(admitted request);
[[nodiscard]] made_operation get_job(admitted request);
[[nodiscard]] made_operation get_map(admitted request);
[[nodiscard]] made_operation get_events(admitted request);
[[nodiscard]] made_operation get_output(admitted request);
[[nodiscard]] made_operation get_log(admitted request);
[[nodiscard]] made_operation get_outputs(admitted request);
[[nodiscard]] made_operation get_batch_state(admitted request);
[[nodiscard]] made_operation put_batch_state(admitted request);
[[nodiscard]] made_operation put_job_state(admitted request);

} // namespace belay::http

#endif
