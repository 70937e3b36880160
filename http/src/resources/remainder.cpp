#include "resources/remainder.hpp"

#include "message/text.hpp"
#include "service/resource.hpp"

#include <algorithm>
#include <array>

namespace belay::http {

namespace {

/// So many are read before they are taken.
constexpr std::size_t inputs_at_once = 256;

constexpr std::array all_dispositions{disposition::not_started, disposition::stopped,
                                      disposition::terminated,  disposition::killed,
                                      disposition::abandoned,   disposition::lost};

} // namespace

bool remainder::selection::add(std::string_view word)
{
    bool const is_all = word == "not_succeeded";
    failed = failed || is_all || word == "failed";
    if (is_all || word == "cancelled")
        dispositions.insert(all_dispositions.begin(), all_dispositions.end());
    if (is_all || word == "failed" || word == "cancelled")
        return true;
    auto const* const found =
        std::ranges::find(all_dispositions, word, [](disposition of) { return to_string(of); });
    if (found == all_dispositions.end())
        return false;
    dispositions.insert(*found);
    return true;
}

bool remainder::selection::takes(job_mark const& job) const noexcept
{
    return job.state == job_state::failed
               ? failed
               : job.state == job_state::cancelled && dispositions.contains(job.disposition);
}

result<remainder> remainder::of(recorded_batch batch, std::vector<std::string> const& words)
{
    selection wanted;
    if (words.empty())
        (void)wanted.add("not_succeeded");
    for (auto const& word : words)
        if (!wanted.add(word))
            return invalid_request("select", "Nothing is called " + http::quoted(word) +
                                                 " that a job can come to; it is not_succeeded, "
                                                 "failed, cancelled, not_started, stopped, "
                                                 "terminated, killed, abandoned or lost");
    if (auto const state = batch.state(); !is_terminal(state)) {
        api_error refused = cancel_first(to_string(state));
        refused.message = "Batch " + batch.id() + " is " + std::string(to_string(state)) +
                          "; what it leaves is known when it has ended";
        return refused;
    }
    return remainder(std::move(batch), std::move(wanted));
}

void remainder::read() noexcept
try {
    time_slice const slice;
    if (!files_ && batch_.upload_bytes() != 0)
        files_ = make_files_(batch_);
    while (!is_read() && found_.size() < inputs_at_once && !slice.is_over()) {
        if (selection_.takes(batch_.job_mark_of(next_))) {
            found_.push_back({next_, batch_.input(next_)});
            if (files_)
                files_->take_file(next_);
        }
        ++next_;
    }
} catch (...) {
    failed_ = std::current_exception();
}

} // namespace belay::http
