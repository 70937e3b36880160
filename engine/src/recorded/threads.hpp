#ifndef BELAY_RECORDED_THREADS_HPP
#define BELAY_RECORDED_THREADS_HPP

#include "recorded/backend.hpp"

#include <belay/executor.hpp>

#include <algorithm>
#include <cassert>

namespace belay::detail {

/// Bodies that run on the threads of an executor, whose runners call them.
class thread_backend final : public backend {
public:
    explicit thread_backend(executor& workers) noexcept : workers_(workers) {}

    [[nodiscard]] std::size_t concurrency(job_type const& type) const noexcept override
    {
        std::size_t const workers = workers_.concurrency();
        return std::min(type.concurrency.value_or(workers), workers);
    }
    [[nodiscard]] bool is_asynchronous() const noexcept override { return false; }
    void start(recorded&, turn&, std::uint64_t, std::int64_t) noexcept override
    {
        assert(false && "the runner calls the body");
    }

private:
    executor& workers_;
};

} // namespace belay::detail

#endif
