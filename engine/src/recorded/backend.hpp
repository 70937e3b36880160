// Where the jobs of recorded batches run.
#ifndef BELAY_RECORDED_BACKEND_HPP
#define BELAY_RECORDED_BACKEND_HPP

#include <belay/detail/slot.hpp>
#include <belay/job_type.hpp>

#include <cstddef>
#include <cstdint>

namespace belay {

class recorded;

namespace detail {

/// Where jobs run: on the engine's threads, as coroutines of the caller's, as programs. An engine
/// has one backend of each kind, and the type of a job says which it is for. What goes on without a
/// thread is stopped by the `asynchronous_body` that the backend gives the batch (`set_body`), and
/// ends with `resume`.
///
/// Thread safety: full.
class backend {
public:
    virtual ~backend() = default;

    /// Ends what an earlier run of the engine has left running; how many processes that were.
    /// Before anything is started. Throws `error` (`store_failed`) if something can't be ended.
    virtual std::uint64_t take_over() { return 0; }

    /// How many jobs of this type may run side by side.
    [[nodiscard]] virtual std::size_t concurrency(job_type const& type) const noexcept = 0;

    /// Whether jobs go on without the thread that has entered them: then `start` is called for
    /// each, else the body of the type.
    [[nodiscard]] virtual bool is_asynchronous() const noexcept = 0;

    /// Starts a job of `batch` that `turn` has entered, at `started`. Only if it is asynchronous.
    virtual void start(recorded& batch, turn& turn, std::uint64_t index,
                       std::int64_t started) noexcept = 0;

    /// A batch is forgotten: what is kept of its jobs goes, later.
    virtual void forget([[maybe_unused]] std::uint64_t sequence) {}

    /// Nothing is started any more; what runs still is ended.
    virtual void stop() {}
};

} // namespace detail

} // namespace belay

#endif
