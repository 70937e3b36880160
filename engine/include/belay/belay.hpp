// Everything an embedder needs.
#ifndef BELAY_BELAY_HPP
#define BELAY_BELAY_HPP

#include <belay/batch.hpp>
#include <belay/cancel.hpp>
#include <belay/cancel_operation.hpp>
#include <belay/clock.hpp>
#include <belay/engine.hpp>
#include <belay/error.hpp>
#include <belay/executor.hpp>
#include <belay/job.hpp>
#include <belay/job_file.hpp>
#include <belay/job_type.hpp>
#include <belay/process.hpp>
#include <belay/state.hpp>
#include <belay/store.hpp>
#include <belay/upload.hpp>
#include <belay/version.hpp>

/// Batches of jobs, and their cancel.
namespace belay {
}

#endif
