// This folder: batches of named types, and where their jobs run. Batch, store and the backends come in; not
// the engine.
#ifndef BELAY_RECORDED_RECORDED_HPP
#define BELAY_RECORDED_RECORDED_HPP

#include "backend/process/host.hpp"
#include "batch/core.hpp"
#include "recorded/backend.hpp"
#include "store/store.hpp"

#include <belay/detail/work.hpp>
#include <belay/job_type.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay {

/// A type of jobs, and where they run.
struct defined_type {
    std::shared_ptr<job_type const> type;
    detail::backend* where = nullptr;
};

/// The input of a job, in a page of them.
struct input_view {
    std::shared_ptr<input_page const> page;
    std::string_view input;
};

/// A log of a job, and whose it is.
struct found_log {
    unsigned attempt;
    bool is_over;
    bool is_cut;
    std::optional<file> bytes; ///< nothing as long as there are none
};

/// A recorded batch: what it is, and how its jobs get their inputs, which are read from the store
/// by the page.
class recorded final : public detail::work {
public:
    static constexpr bool is_recorded = true;
    struct value {
        std::string text;
        std::shared_ptr<process_usage const> process;
    };

    /// `type` is empty as long as it is not defined.
    recorded(defined_type type, stored_batch batch, std::shared_ptr<belay::store> store,
             detail::process_host& processes, std::uint64_t result_bytes_max);

    // work
    void run(detail::turn& turn, std::uint64_t begin, std::uint64_t end) noexcept override;
    void run(std::uint64_t index, job& job, value& output);
    detail::job_byte finish(detail::turn& turn, std::uint64_t index, detail::job_byte how,
                            value& output, std::exception_ptr const& exception,
                            std::int64_t started, std::int64_t ended) noexcept;
    void fail(std::uint64_t, std::exception_ptr) noexcept override {}
    [[nodiscard]] bool is_asynchronous() const noexcept override
    {
        return type_.where != nullptr && type_.where->is_asynchronous();
    }

    [[nodiscard]] std::optional<job_file> input_file(std::uint64_t index) override;

    /// Starts a job that goes on without the thread.
    void start(detail::turn& turn, std::uint64_t index, std::int64_t started) noexcept
    {
        type_.where->start(*this, turn, index, started);
    }
    /// With the exception in flight for which one could not be started: it has failed with it.
    /// `job` is null where it had not left its thread.
    void not_begun(detail::turn& turn, std::shared_ptr<detail::detached_job> const& job,
                   std::uint64_t index, std::int64_t started) noexcept;

    /// Says what its jobs do; before any runs.
    void define(defined_type type) { type_ = std::move(type); }
    /// What its jobs do; once that is known.
    [[nodiscard]] job_type const& type() const noexcept { return *type_.type; }

    /// Throws what the store does.
    [[nodiscard]] input_view find_input(std::uint64_t index);
    [[nodiscard]] std::string input(std::uint64_t index);
    [[nodiscard]] std::optional<file> open_output(detail::batch_core& core, std::uint64_t index);

    [[nodiscard]] std::optional<found_log> open_log(detail::batch_core& core, std::uint64_t index,
                                                    job_stream stream,
                                                    std::optional<unsigned> attempt);

    stored_batch const batch; ///< as it was when this was made

private:
    /// Takes memory for what a record keeps there, and how much; or makes a failure of it that says
    /// that there is none.
    [[nodiscard]] static std::uint64_t take_room(detail::host& owner, job_record& record) noexcept;
    /// Keeps the output of a job that has succeeded; if that fails, gives why, and `how` it ended.
    [[nodiscard]] std::exception_ptr keep_output(detail::turn& turn, std::uint64_t index,
                                                 detail::output_draft& draft, std::int64_t started,
                                                 detail::job_byte& how) noexcept;
    defined_type type_;
    std::shared_ptr<belay::store> const store_;
    detail::process_host& processes_;
    std::uint64_t const result_bytes_max_;
    std::mutex pages_mutex_;
    std::vector<std::shared_ptr<input_page const>> pages_; // guarded by pages_mutex_; newest last
};

} // namespace belay

#endif
