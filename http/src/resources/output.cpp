// GET /v1/batches/{id}/jobs/{n}/output: the bytes that a job has left.
#include "resources/precondition.hpp"
#include "resources/resources.hpp"

#include <string>

namespace belay::http {

namespace {

constexpr std::size_t output_piece_bytes = 64 * 1024;

/// A part of an output, read by pieces.
class output_part final : public body_source {
public:
    output_part(job_file output, byte_range range) : output_(std::move(output)), range_(range) {}

    bool next(std::string& out) override
    {
        auto const bytes = std::min<std::uint64_t>(output_piece_bytes, range_.end - range_.first);
        output_.read(range_.first, static_cast<std::size_t>(bytes), out);
        range_.first += bytes;
        return range_.first != range_.end;
    }

private:
    job_file output_;
    byte_range range_; // what is left
};

std::string tag_of(admitted const& request)
{
    return '"' + request.batch->id() + '-' + std::to_string(request.job) + '-' +
           std::to_string(request.batch->job(request.job).attempt) + '"';
}

} // namespace

made_operation get_output(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    auto output = request.batch->open_output(request.job);
    if (!output) {
        auto const state = request.batch->job(request.job).state;
        return not_found("Job " + std::to_string(request.job) + " of batch " +
                         request.batch->id() + " has no output; it is " +
                         std::string(to_string(state)));
    }
    std::uint64_t const size = output->size();
    std::string const tag = tag_of(request);
    auto const known = is_known(request.head, tag, "the output");
    if (!known)
        return known.error();
    if (*known)
        return answer_with(not_modified(tag));
    response answer{.content_type = "application/octet-stream",
                    .fields = {{"Content-Disposition", "attachment"},
                               {"Content-Security-Policy", "sandbox"},
                               {"Accept-Ranges", "bytes"},
                               {"ETag", tag}}};
    auto const range = choose_range(request.head, tag, size, answer);
    if (!range)
        return range.error();
    answer.rest_bytes = range->end - range->first;
    if (range->first != range->end)
        answer.rest = std::make_unique<output_part>(std::move(*output), *range);
    return answer_with(std::move(answer));
}

} // namespace belay::http
