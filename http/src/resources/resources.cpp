#include "resources/resources.hpp"

#include <array>
#include <optional>

namespace belay::http {

std::span<route const> resources() noexcept
{
    using enum body_kind;
    using enum work_kind;
    using enum effect;
    static constexpr std::array table{
        route{"GET", "", std::nullopt, none, control, look, get_root},
        route{"GET", "healthz", std::nullopt, none, control, look, get_health},
        route{"GET", "readyz", std::nullopt, none, control, look, get_readiness},
        route{"GET", "v1/server", role::admin, none, bulk, look, get_server},
        route{"GET", "v1/types", role::read, none, bulk, look, list_types},
        route{"POST", "v1/batches", role::submit, inputs, bulk, change, create_batch},
        route{"POST", "v1/batches/cancel", role::submit, list, control, change, cancel_batches},
        route{"GET", "v1/operations", role::read, none, bulk, look, list_operations},
        route{"GET", "v1/operations/*", role::read, none, control, look, get_operation},
        route{"GET", "v1/batches", role::read, none, bulk, look, list_batches},
        route{"GET", "v1/batches/*", role::read, none, bulk, look, get_batch},
        route{"DELETE", "v1/batches/*", role::submit, none, bulk, change, delete_batch},
        route{"GET", "v1/batches/*/results", role::read, none, bulk, look, get_results},
        route{"GET", "v1/batches/*/events", role::read, none, bulk, look, get_events},
        route{"GET", "v1/events", role::read, none, bulk, look, get_events},
        route{"GET", "v1/batches/*/outputs", role::read, none, bulk, look, get_outputs},
        route{"GET", "v1/batches/*/map", role::read, none, bulk, look, get_map},
        route{"GET", "v1/batches/*/jobs", role::read, none, bulk, look, list_jobs},
        route{"GET", "v1/batches/*/jobs/*", role::read, none, bulk, look, get_job},
        route{"GET", "v1/batches/*/jobs/*/output", role::read, none, bulk, look, get_output},
        route{"GET", "v1/batches/*/jobs/*/log", role::read, none, bulk, look, get_log},
        route{"GET", "v1/batches/*/state", role::read, none, control, look, get_batch_state},
        route{"PUT", "v1/batches/*/state", role::submit, small, control, change, put_batch_state},
        route{"PUT", "v1/batches/*/jobs/*/state", role::submit, small, control, change,
              put_job_state},
    };
    return table;
}

} // namespace belay::http
