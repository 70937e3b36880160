#ifndef BELAY_RECORDED_HPP
#define BELAY_RECORDED_HPP

#include "batch_core.hpp"

#include <belay/detail/work.hpp>
#include <belay/job_type.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay {

/// A recorded batch: what it was made of, and what its jobs came to.
class recorded final : public detail::work, public detail::recorder {
public:
    static constexpr bool keeps_times = true;
    using value = std::string;

    recorded(std::shared_ptr<job_type const> type, batch_spec spec, detail::state_array states);
    ~recorded() override;
    recorded(recorded const&) = delete;
    recorded& operator=(recorded const&) = delete;

    // work
    void run(detail::turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override;
    void run(std::uint64_t index, job& job, value& output);
    detail::job_byte finish(std::uint64_t index, detail::job_byte how, value& output,
                            std::exception_ptr const& exception, std::int64_t started,
                            std::int64_t ended, detail::slot& place) noexcept;
    void fail(std::uint64_t index, detail::job_byte how, std::exception_ptr exception,
              std::int64_t started, std::int64_t ended, detail::slot& place) noexcept override;

    // recorder
    void describe(std::uint64_t index, job_status& status) const override;
    void describe_failure(std::uint64_t index, job_status& status) const override;

    [[nodiscard]] std::optional<std::string_view> output(std::uint64_t index) const noexcept;

    [[nodiscard]] std::vector<error_count> errors(std::size_t most) const;

    std::string id;             ///< set once, before anybody else sees it
    std::uint64_t sequence = 0; ///< likewise
    batch_spec const spec;

private:
    /// What is kept of the last attempt at a job. `text` is its output, or the message of its
    /// failure.
    struct outcome {
        std::int64_t started = 0;
        std::int64_t ended = 0;
        std::string text;
        float progress = -1; ///< below 0: never reported
        belay::failure failure{};
    };

    void count_error(outcome const& failed);

    std::shared_ptr<job_type const> const type_;
    detail::state_array const states_;
    std::unique_ptr<outcome*[], detail::free_memory> const outcomes_; // null until entered

    mutable std::mutex errors_mutex_;
    std::map<std::pair<failure, std::string>, std::uint64_t> errors_; // guarded by errors_mutex_
};

/// A new batch id.
[[nodiscard]] std::string make_batch_id();

} // namespace belay

#endif
