// GET /v1/batches/{id}/map: where each job stands, a byte each.
#include "message/accept.hpp"
#include "message/gzip.hpp"
#include "resources/batch_reading.hpp"
#include "resources/precondition.hpp"
#include "resources/resources.hpp"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace belay::http {

namespace {

constexpr std::uint64_t piece_jobs = 16 * 1024;

/// Looking at a job is so short that the clock is asked only now and then.
constexpr std::uint64_t jobs_at_once = 1024;

/// A part of the map, written by pieces.
class map_part final : public body_source {
public:
    map_part(recorded_batch batch, byte_range range, bool compressed)
        : batch_(std::move(batch)), range_(range)
    {
        if (compressed)
            gzip_.emplace();
    }

    bool next(std::string& out) override
    {
        time_slice const slice;
        std::uint64_t const most = std::min(range_.end, range_.first + piece_jobs);
        std::string letters;
        letters.reserve(most - range_.first);
        while (range_.first != most && (letters.size() % jobs_at_once != 0 || !slice.is_over()))
            letters += letter(batch_.job_mark_of(range_.first++));
        bool const more = range_.first != range_.end;
        if (!gzip_) {
            out += letters;
            return more;
        }
        gzip_->add(letters, out);
        if (!more)
            gzip_->finish(out);
        return more;
    }

private:
    recorded_batch batch_;
    byte_range range_; // what is left, in jobs
    std::optional<gzip> gzip_;
};

/// Of a batch that has ended: of another the map changes all the time.
std::string tag_of(batch_status const& status, bool compressed)
{
    return '"' + std::to_string(status.ended_at->time_since_epoch().count()) +
           (compressed ? "-gzip\"" : "\"");
}

} // namespace

made_operation get_map(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    auto const& head = request.head;
    auto const status = request.batch->status();
    // Parts are those of the map as it is.
    bool const compressed = head.range.empty() && accepts_gzip(head.accept_encoding);
    std::uint64_t const size = request.batch->size();
    response answer{.content_type = "application/octet-stream",
                    .fields = {{"Vary", "Accept-Encoding"}}};
    std::string const tag = is_terminal(status.state) ? tag_of(status, compressed) : "";
    auto const known = is_known(head, tag, "the map");
    if (!known)
        return known.error();
    if (*known) {
        auto same = not_modified(tag);
        same.fields.emplace_back("Vary", "Accept-Encoding");
        return answer_with(std::move(same));
    }
    if (!tag.empty())
        answer.fields.emplace_back("ETag", tag);
    auto const range = choose_range(head, tag, size, answer);
    if (!range)
        return range.error();
    if (compressed) {
        answer.fields.emplace_back("Content-Encoding", "gzip");
    } else {
        answer.fields.emplace_back("Accept-Ranges", "bytes");
        answer.rest_bytes = range->end - range->first;
    }
    answer.rest =
        read_of_batch(request, std::make_unique<map_part>(*request.batch, *range, compressed));
    return answer_with(std::move(answer));
}

} // namespace belay::http
