#include "resources/job_bytes.hpp"

#include "resources/precondition.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

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

} // namespace

std::string tag_of_attempt(admitted const& request, unsigned attempt, std::string_view what)
{
    std::string tag = '"' + request.batch->id() + '-' + std::to_string(request.job) + '-' +
                      std::to_string(attempt);
    if (!what.empty())
        tag.append("-").append(what);
    return tag + '"';
}

response unseen_bytes()
{
    return {
        .content_type = "application/octet-stream",
        .fields = {{"Content-Disposition", "attachment"}, {"Content-Security-Policy", "sandbox"}}};
}

std::unique_ptr<body_source> read_bytes(job_file from, byte_range range)
{
    return std::make_unique<output_part>(std::move(from), range);
}

made_operation answer_with_bytes(admitted const& request, job_file bytes, std::string const& tag,
                                 std::string_view what, response answer)
{
    auto const known = is_known(request.head, tag, what);
    if (!known)
        return known.error();
    if (*known)
        return answer_with(not_modified(tag));
    answer.fields.emplace_back("Accept-Ranges", "bytes");
    if (!tag.empty())
        answer.fields.emplace_back("ETag", tag);
    auto const range = choose_range(request.head, tag, bytes.size(), answer);
    if (!range)
        return range.error();
    answer.rest_bytes = range->end - range->first;
    if (range->first != range->end)
        answer.rest = read_bytes(std::move(bytes), *range);
    return answer_with(std::move(answer));
}

} // namespace belay::http
