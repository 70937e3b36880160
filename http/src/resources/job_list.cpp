#include "resources/job_list.hpp"

#include "message/text.hpp"
#include "resources/batch_reading.hpp"
#include "resources/paging.hpp"

#include <optional>
#include <utility>

namespace belay::http {

namespace {
/// A piece is sent when it has grown to this.
constexpr std::size_t list_piece_bytes = 32 * 1024;

/// Looking at a state is so short that the clock is asked only now and then.
constexpr std::uint64_t looks_at_once = 1024;
} // namespace

result<std::optional<job_state>> asked_job_state(query const& query)
{
    auto const word = query.text("state");
    if (!word)
        return std::optional<job_state>();
    auto const state = parse_job_state(*word);
    if (!state)
        return invalid_request("state", "There is no job state " + http::quoted(*word) +
                                            "; the states are pending, running, succeeded, failed "
                                            "and cancelled");
    return state;
}

job_list::job_list(recorded_batch batch, selection selection, job_form const& form, layout layout)
    : batch_(std::move(batch)), selection_(std::move(selection)), form_(form), layout_(layout),
      index_(selection_.from)
{
}

bool job_list::next(std::string& out)
{
    time_slice const slice;
    std::uint64_t looks = 0;
    for (; index_ < batch_.size(); ++index_) {
        // Only a page has to know whether there is more.
        if (written_ == selection_.limit && layout_ != layout::page)
            break;
        if (out.size() >= list_piece_bytes)
            return true;
        if (++looks >= looks_at_once) {
            looks = 0;
            if (slice.is_over())
                return true;
        }
        if (!selection_.matches(batch_.job_state_of(index_)))
            continue;
        if (selection_.is_like) {
            looks = looks_at_once;
            if (!selection_.is_like(batch_.job(index_)))
                continue;
        }
        if (selection_.skip != 0) {
            --selection_.skip;
            continue;
        }
        if (written_ == selection_.limit)
            break;
        append(out);
        looks = looks_at_once; // which takes long
    }
    finish(out);
    return false;
}

void job_list::append(std::string& out)
{
    if (layout_ != layout::json_lines && written_ != 0)
        out += ',';
    append_job(out, batch_, index_, form_);
    if (layout_ == layout::json_lines)
        out += '\n';
    ++written_;
}

void job_list::finish(std::string& out) const
{
    if (layout_ == layout::json_lines)
        return;
    out += ']';
    if (layout_ != layout::page)
        return;
    append_next(out, index_ < batch_.size() ? std::optional(index_) : std::nullopt);
}

std::unique_ptr<body_source> read_jobs(admitted const& request, job_list::selection selection,
                                       std::string_view state_name, job_list::layout layout)
{
    return read_of_batch(request,
                         std::make_unique<job_list>(*request.batch, std::move(selection),
                                                    form_of(request, state_name), layout));
}

} // namespace belay::http
