#include "resources/batch_choice.hpp"

#include "service/time_slice.hpp"

#include <algorithm>
#include <utility>

namespace belay::http {

namespace {

/// Open batches that are looked at without a pause.
constexpr std::size_t looks_at_open = 64;

} // namespace

batch_choice::batch_choice(service& service, api_key const& key, asked_batches asked,
                           batch_set shown)
    : service_(service), key_(key), asked_(std::move(asked)), shown_(std::move(shown))
{
}

bool batch_choice::look()
{
    return asked_.ids.empty() ? look_at_open() : look_at_ids();
}

bool batch_choice::look_at_open()
{
    time_slice const slice;
    do {
        auto const found = service_.batches().list_open(last_, looks_at_open);
        for (auto const& batch : found) {
            if (!may_be_seen(batch))
                continue;
            auto const status = batch.status();
            if (!is_terminal(status.state))
                consider(batch, status, asked_.filter.takes(batch, status));
        }
        if (found.size() < looks_at_open)
            return false;
        last_ = found.back().sequence();
    } while (!slice.is_over());
    return true;
}

bool batch_choice::look_at_ids()
{
    time_slice const slice;
    for (; next_ != asked_.ids.size(); ++next_) {
        if (slice.is_over())
            return true;
        auto const batch = service_.batches().find_open(asked_.ids[next_]);
        if (!batch || !may_be_seen(*batch)) {
            strangers_.push_back(asked_.ids[next_]);
            continue;
        }
        auto const status = batch->status();
        if (is_terminal(status.state))
            ++ended_;
        else
            consider(*batch, status, true);
    }
    std::ranges::sort(batches_);
    return false;
}

std::optional<api_error> batch_choice::look_at_strangers()
{
    time_slice const slice;
    while (has_strangers() && !slice.is_over()) {
        auto const batch = service_.find_batch(strangers_[next_stranger_], key_);
        if (!batch)
            return batch.error();
        ++next_stranger_;
        auto const status = batch->status();
        if (is_terminal(status.state))
            ++ended_;
        else // it has been taken in since
            consider(*batch, status, true);
    }
    if (!has_strangers())
        std::ranges::sort(batches_);
    return std::nullopt;
}

bool batch_choice::may_be_seen(recorded_batch const& batch) const
{
    return key_.role == role::admin || batch.owner() == key_.owner;
}

void batch_choice::consider(recorded_batch const& batch, batch_status const& status, bool is_wanted)
{
    if (shown_) {
        bool const was_shown = std::ranges::binary_search(*shown_, batch.sequence());
        has_unshown_ = has_unshown_ || (is_wanted && !was_shown);
        is_wanted = was_shown;
    }
    if (!is_wanted)
        return;
    batches_.push_back(batch.sequence());
    pending_ += status.jobs.pending;
    running_ += status.jobs.running;
    std::uint64_t const sequence = batch.sequence();
    if (asked_.ids.empty()) // else they are not in order yet
        print_.add({reinterpret_cast<char const*>(&sequence), sizeof sequence});
}

std::string batch_choice::make_tag()
{
    constexpr std::size_t bytes = 16;
    if (!asked_.ids.empty())
        print_.add({reinterpret_cast<char const*>(batches_.data()),
                    batches_.size() * sizeof(std::uint64_t)});
    std::string tag = "\"";
    for (unsigned char const byte : print_.finish().substr(0, bytes))
        tag.append({"0123456789abcdef"[byte >> 4], "0123456789abcdef"[byte & 15]});
    return tag + '"';
}

} // namespace belay::http
