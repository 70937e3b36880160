// What jobs need that go on without a thread. Not for users.
#ifndef BELAY_DETAIL_ASYNCHRONOUS_HPP
#define BELAY_DETAIL_ASYNCHRONOUS_HPP

#include <belay/export.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace belay {
class job;
}

namespace belay::detail {

struct turn;

/// What runs for a job and holds no thread.
///
/// `stop` and `kill` may be called from any thread, before it has begun, more than once, and after
/// its end. They return at once, and are called without a lock, as `try_again` is.
class BELAY_EXPORT asynchronous_body {
public:
    virtual ~asynchronous_body() = default;

    /// It is to end.
    virtual void stop() noexcept = 0;

    /// Its grace is over.
    virtual void kill() noexcept = 0;

    /// Whether it could not begin, for want of something that may come. Asked under a lock.
    [[nodiscard]] virtual bool waits() const noexcept { return false; }

    /// One that waits is to try once more; it is asked again soon, also if it throws.
    virtual void try_again() {}
};

/// A job that goes on without a thread, and what it holds of its batch meanwhile.
struct detached_job;

/// Lets the job that `turn` has entered go on without it. Throws std::bad_alloc; then the turn has
/// it still.
[[nodiscard]] BELAY_EXPORT std::shared_ptr<detached_job> detach(turn& turn, std::uint64_t index,
                                                                std::int64_t started);

/// Says what is to be told of stops; it is told at once if there has been one.
BELAY_EXPORT void set_body(detached_job const& job, std::shared_ptr<asynchronous_body> body);

/// It has ended: `conclude` ends the job, and its slot goes on.
BELAY_EXPORT void resume(detached_job const& job, std::function<void(turn&)> const& conclude);

/// What its body ran on is gone for good. True if the body is to end now: then the batch has been
/// stopped (cause `backend`). A durable batch goes on with the next engine: its body is to end when
/// it is told to stop.
[[nodiscard]] BELAY_EXPORT bool executor_gone(detached_job const& job);

/// The coroutine of a job type.
class BELAY_EXPORT coroutine_body {
public:
    /// What the coroutine came to; of the two the exception counts.
    using done = std::function<void(belay::job& job, std::optional<std::string>& value,
                                    std::exception_ptr const& exception)>;

    virtual ~coroutine_body() = default;

    /// Starts it for a job. `input` lies in what `owner` owns.
    virtual void start(turn& turn, std::uint64_t index, std::string_view input,
                       std::shared_ptr<void const> owner,
                       std::shared_ptr<detached_job const> const& job, done done) const = 0;
};

} // namespace belay::detail

#endif
