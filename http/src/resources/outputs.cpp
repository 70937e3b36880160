// GET /v1/batches/{id}/outputs: what the jobs of a batch have left, as one tar.
#include "message/tar.hpp"
#include "message/text.hpp"
#include "resources/batch_reading.hpp"
#include "resources/job_list.hpp"
#include "resources/resources.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace belay::http {

namespace {

constexpr std::uint64_t tar_piece_bytes = 64 * 1024;

/// Looking at a job is so short that the clock is asked only now and then.
constexpr std::uint64_t tar_jobs_at_once = 1024;

/// A tar, by pieces: of each job that has an output one file, whose name is the job's index.
class outputs_tar final : public body_source {
public:
    outputs_tar(recorded_batch batch, std::uint64_t from, std::uint64_t to)
        : batch_(std::move(batch)), next_(from), end_(std::min(to, batch_.size()))
    {
    }

    bool next(std::string& out) override
    {
        if (output_) {
            append_contents(out);
            return true;
        }
        time_slice const slice;
        for (std::uint64_t looks = 1; next_ != end_ && !output_; ++next_, ++looks) {
            if (batch_.job_state_of(next_) == job_state::succeeded) {
                open(out);
                looks = tar_jobs_at_once; // which takes long
            }
            if (looks % tar_jobs_at_once == 0 && slice.is_over()) {
                ++next_;
                return true;
            }
        }
        if (output_ || next_ != end_)
            return true;
        out.append(tar_end_bytes, '\0');
        return false;
    }

private:
    void open(std::string& out)
    {
        output_ = batch_.open_output(next_);
        if (!output_)
            return;
        read_ = 0;
        auto const ended = batch_.job(next_).ended_at.value_or(time_point());
        out +=
            tar_header(std::to_string(next_), output_->size(),
                       std::chrono::floor<std::chrono::seconds>(ended.time_since_epoch()).count());
    }

    void append_contents(std::string& out)
    {
        auto const bytes = std::min(tar_piece_bytes, output_->size() - read_);
        output_->read(read_, static_cast<std::size_t>(bytes), out);
        read_ += bytes;
        if (read_ != output_->size())
            return;
        out.append(tar_padding(read_), '\0');
        output_.reset();
    }

    recorded_batch batch_;
    std::uint64_t next_;
    std::uint64_t end_;
    std::optional<job_file> output_;   ///< that is being read
    std::uint64_t read_ = 0;           ///< of it
};

} // namespace

made_operation get_outputs(admitted request)
{
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    if (auto error = request.query.only({"from", "to", "state"}))
        return std::move(*error);
    auto const state = asked_job_state(request.query);
    if (!state)
        return state.error();
    auto const from = request.query.integer("from", 0, most, 0);
    if (!from)
        return from.error();
    auto const to = request.query.integer("to", 0, most, most);
    if (!to)
        return to.error();
    if (*from > *to)
        return invalid_request("to", "to is " + std::to_string(*to) + ", which is before from, " +
                                         std::to_string(*from));
    auto const size = static_cast<std::int64_t>(request.batch->size());
    bool const has_any = !*state || **state == job_state::succeeded;
    auto const end = static_cast<std::uint64_t>(has_any ? *to : *from);
    return answer_with({.content_type = "application/x-tar",
                        .fields = {{"Content-Disposition",
                                    "attachment; filename=\"" + request.batch->id() + ".tar\""},
                                   {"Content-Security-Policy", "sandbox"}},
                        .rest = read_of_batch(
                            request, std::make_unique<outputs_tar>(
                                         *request.batch,
                                         static_cast<std::uint64_t>(std::min(*from, size)), end))});
}

} // namespace belay::http
