#include "engine/held_batches.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace belay::detail {

namespace {

/// Inputs that a batch has at hand: pages of at least one input each.
constexpr std::uint64_t pages_bytes_max = std::uint64_t{4} * 72 * 1024;
constexpr std::uint64_t input_bytes_usual = 72;

/// Its places in tables of the engine's, and what belongs to each allocation.
constexpr std::uint64_t table_bytes = 512;

} // namespace

std::uint64_t reckoned_bytes(stored_batch const& batch, bool durable) noexcept
{
    std::uint64_t const texts =
        bytes_beyond(batch.id) + bytes_beyond(batch.type) + bytes_beyond(batch.name) +
        bytes_beyond(batch.owner) + bytes_beyond(batch.collection) +
        bytes_beyond(batch.created_by) + bytes_beyond(batch.from) +
        (batch.origin
             ? sizeof(request_origin) + allocation_bytes + bytes_beyond(batch.origin->request_id) +
                   bytes_beyond(batch.origin->traceparent)
             : 0);
    std::uint64_t const slots =
        std::min<std::uint64_t>(batch.options.concurrency.value_or(1), batch.total);
    std::uint64_t a_job = batch.options.max_attempts > 1 ? 2 : 1;
    if (!durable)
        a_job += sizeof(job_record) + allocation_bytes + sizeof(job_record*);
    return sizeof(batch_core) + sizeof(recorder) + allocation_bytes + sizeof(recorded) +
           table_bytes + 2 * texts +
           slots * (sizeof(slot) + allocation_bytes) + batch.total * a_job +
           std::min(batch.total * input_bytes_usual, pages_bytes_max) +
           (durable ? begun_jobs::bytes(batch.total) : 0);
}

bool held_batches::would_fit(std::uint64_t bytes) const noexcept
{
    std::uint64_t const held = budget_.held();
    std::uint64_t const rest = held - std::min(held, ended_bytes_);
    return bytes <= budget_.most() && rest <= budget_.most() - bytes;
}

bool held_batches::take(std::uint64_t bytes, list& gone)
{
    if (budget_.take(bytes))
        return true;
    if (!would_fit(bytes))
        // Some may have ended that nobody has told of yet.
        for (auto next = open_.begin(); next != open_.end();)
            if (auto const at = next++; at->what.batch->is_sealed())
                settle(at);
    if (!would_fit(bytes))
        return false;
    bool taken = false;
    while (!(taken = budget_.take(bytes)) && !ended_.empty())
        leave(ended_.begin(), gone);
    return taken;
}

void held_batches::insert(place added)
{
    try {
        by_sequence_.emplace(added->what.record->batch.sequence, added);
        by_id_.emplace(added->what.record->batch.id, added);
    } catch (...) {
        by_sequence_.erase(added->what.record->batch.sequence);
        throw;
    }
}

void held_batches::add_open(held_batch const& batch, std::uint64_t bytes)
{
    list added{{batch, bytes}};
    insert(added.begin());
    try {
        open_sequences_.insert(batch.record->batch.sequence);
    } catch (...) {
        by_sequence_.erase(batch.record->batch.sequence);
        by_id_.erase(batch.record->batch.id);
        throw;
    }
    open_.splice(open_.end(), added);
}

void held_batches::add_ended(held_batch const& batch, std::uint64_t bytes, list& gone)
{
    if (by_sequence_.contains(batch.record->batch.sequence) || bytes > limits_.ended_bytes)
        return;
    list added{{batch, bytes, false}};
    if (!budget_.take(bytes))
        return; // it lives as long as it is looked at
    try {
        insert(added.begin());
    } catch (...) {
        budget_.give(bytes);
        throw;
    }
    ended_.splice(ended_.end(), added);
    ended_bytes_ += bytes;
    drop_surplus(gone);
}

void held_batches::settle(place at) noexcept
{
    if (!std::exchange(at->is_open, false))
        return;
    open_sequences_.erase(at->what.record->batch.sequence);
    // In the budget already.
    at->bytes += store_.held_bytes(at->what.record->batch.sequence);
    ended_bytes_ += at->bytes;
    ended_.splice(ended_.end(), open_, at);
}

void held_batches::ended(std::uint64_t sequence, list& gone) noexcept
{
    auto const found = by_sequence_.find(sequence);
    if (found == by_sequence_.end())
        return;
    auto const at = found->second;
    settle(at);
    if (at->bytes > limits_.ended_bytes)
        return leave(at, gone); // rather than all the others
    drop_surplus(gone);
}

void held_batches::drop_surplus(list& gone) noexcept
{
    while (ended_.size() > limits_.ended || ended_bytes_ > limits_.ended_bytes)
        leave(ended_.begin(), gone);
}

void held_batches::leave(place at, list& gone) noexcept
{
    settle(at);
    by_sequence_.erase(at->what.record->batch.sequence);
    by_id_.erase(at->what.record->batch.id);
    ended_bytes_ -= at->bytes;
    budget_.give(at->bytes);
    gone.splice(gone.end(), ended_, at);
}

std::optional<held_batch> held_batches::find(std::string_view id)
{
    auto const found = by_id_.find(id);
    if (found == by_id_.end())
        return std::nullopt;
    bool const are_read_back = limits_.ended != limits().ended;
    if (are_read_back && !found->second->is_open)
        ended_.splice(ended_.end(), ended_, found->second);
    return found->second->what;
}

std::optional<held_batch> held_batches::find(std::uint64_t sequence) const
{
    auto const found = by_sequence_.find(sequence);
    return found == by_sequence_.end() ? std::nullopt : std::optional(found->second->what);
}

std::optional<held_batch> held_batches::find_open(std::string_view id) const
{
    auto const found = by_id_.find(id);
    bool const is_open = found != by_id_.end() && found->second->is_open;
    return is_open ? std::optional(found->second->what) : std::nullopt;
}

std::vector<held_batch> held_batches::list_open(std::uint64_t after, std::size_t limit) const
{
    std::vector<held_batch> found;
    for (auto next = open_sequences_.upper_bound(after);
         next != open_sequences_.end() && found.size() < limit; ++next)
        found.push_back(by_sequence_.at(*next)->what);
    return found;
}

void held_batches::extract(std::uint64_t sequence, list& gone) noexcept
{
    if (auto const found = by_sequence_.find(sequence); found != by_sequence_.end())
        leave(found->second, gone);
}

held_batches::list held_batches::take_all() noexcept
{
    list all = std::exchange(open_, {});
    all.splice(all.end(), ended_);
    by_sequence_.clear();
    open_sequences_.clear();
    by_id_.clear();
    return all;
}

} // namespace belay::detail
