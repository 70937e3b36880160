#ifndef BELAY_RECORDED_COROUTINES_HPP
#define BELAY_RECORDED_COROUTINES_HPP

#include "recorded/backend.hpp"

namespace belay::detail {

/// Bodies that are coroutines, on an executor of the caller's.
class coroutine_backend final : public backend {
public:
    [[nodiscard]] std::size_t concurrency(job_type const& type) const noexcept override
    {
        return type.concurrency.value_or(coroutine_concurrency);
    }
    [[nodiscard]] bool is_asynchronous() const noexcept override { return true; }
    void start(recorded& batch, turn& turn, std::uint64_t index,
               std::int64_t started) noexcept override;
};

} // namespace belay::detail

#endif
