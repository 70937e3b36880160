#ifndef BELAY_HTTP_RESOURCES_JOB_LIST_HPP
#define BELAY_HTTP_RESOURCES_JOB_LIST_HPP

#include "message/operation.hpp"
#include "service/resource.hpp"
#include "service/views.hpp"

#include <belay/job_type.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace belay::http {

/// Jobs of a batch, written by pieces.
class job_list final : public body_source {
public:
    /// Which jobs: those from index `from` on that `matches` takes, without the first `skip` of
    /// them, at most `limit`.
    struct selection {
        std::uint64_t from = 0;
        std::uint64_t skip = 0;
        std::uint64_t limit = std::numeric_limits<std::uint64_t>::max();
        std::function<bool(job_state)> matches = [](job_state) { return true; };
        /// Likewise; asked only of those that `matches` takes, for it may take long.
        std::function<bool(job_status const&)> is_like = {};
    };

    enum class layout : std::uint8_t {
        array,      ///< entries between commas, then `]`
        page,       ///< the same, then `,"next_cursor":…,"has_more":…`
        json_lines, ///< one a line
    };

    /// What `form` refers to outlives it.
    job_list(recorded_batch batch, selection selection, job_form const& form,
             layout layout = layout::array);

    bool next(std::string& out) override;

private:
    void append(std::string& out);
    void finish(std::string& out) const;

    recorded_batch batch_;
    selection selection_;
    job_form form_;
    layout layout_;
    std::uint64_t index_;
    std::uint64_t written_ = 0;
};

/// The state of jobs that `state` of a query names, if it is there.
[[nodiscard]] result<std::optional<job_state>> asked_job_state(query const& query);

/// Such a list of the batch that the path names, in an answer; 404 if that is deleted meanwhile.
/// `state_name` is of static storage.
[[nodiscard]] std::unique_ptr<body_source>
read_jobs(admitted const& request, job_list::selection selection, std::string_view state_name,
          job_list::layout layout = job_list::layout::page);

} // namespace belay::http

#endif
