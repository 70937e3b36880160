#ifndef BELAY_ASYNCHRONOUS_BODY_HPP
#define BELAY_ASYNCHRONOUS_BODY_HPP

namespace belay::detail {

/// What runs for a job and holds no thread.
///
/// Both may be called from any thread, before it has begun, more than once, and after its end. They
/// return at once, and are called without a lock.
class asynchronous_body {
public:
    virtual ~asynchronous_body() = default;

    /// It is to end.
    virtual void stop() noexcept = 0;

    /// Its grace is over.
    virtual void kill() noexcept = 0;
};

} // namespace belay::detail

#endif
