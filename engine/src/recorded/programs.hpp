#ifndef BELAY_RECORDED_PROGRAMS_HPP
#define BELAY_RECORDED_PROGRAMS_HPP

#include "backend/process/host.hpp"
#include "recorded/backend.hpp"

namespace belay::detail {

/// Programs, which a `process_host` runs.
class program_backend final : public backend {
public:
    explicit program_backend(process_host& processes) noexcept : processes_(processes) {}

    std::uint64_t take_over() override { return processes_.recover(); }
    /// As many as there are processors, if the type does not say.
    [[nodiscard]] std::size_t concurrency(job_type const& type) const noexcept override;
    [[nodiscard]] bool is_asynchronous() const noexcept override { return true; }
    void start(recorded& batch, turn& turn, std::uint64_t index,
               std::int64_t started) noexcept override;
    void forget(std::uint64_t sequence) override { processes_.forget_outputs(sequence); }
    void stop() override { processes_.stop(); }

private:
    process_host& processes_;
};

} // namespace belay::detail

#endif
