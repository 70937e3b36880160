// Who is told what became of changes and records.
#include "store/sqlite/writer.hpp"

#include <algorithm>
#include <exception>
#include <functional>
#include <span>
#include <utility>
#include <variant>

namespace belay {

namespace {

/// So many are kept that have been told, besides half as many as there are records.
constexpr std::size_t told_max = 1000;

} // namespace

void sqlite_writer::tell_urgent()
{
    std::list<queued_change> written;
    written.splice(written.end(), urgent_, urgent_.begin(), urgent_end());
    for (auto& change : written)
        finish(change, true);
}

void sqlite_writer::tell_group(position end)
{
    std::uint64_t bytes = 0;
    walk(
        begin_of_group(), end, [&](queued_change& change) { finish(change, true); },
        [&](std::size_t begin, std::size_t stop) {
            tell_listeners(begin, stop);
            for (; begin != stop; ++begin) {
                if (backlog_.targets[begin].listener == nullptr)
                    continue;
                bytes += waiting_bytes(backlog_.records[begin]);
                std::string().swap(backlog_.records[begin].text);
                forget_cancel(begin);
            }
        });
    next_change_ = end.change;
    next_record_ = end.record;
    if (reaches_end(end)) {
        backlog_.clear();
        told_ = 0;
        next_change_ = 0;
        next_record_ = 0;
    }
    if (bytes != 0)
        queue_.written(bytes);
}

void sqlite_writer::tell_record(std::size_t place)
{
    job_record& record = backlog_.records[place];
    std::exchange(backlog_.targets[place].listener, nullptr)->committed({&record, 1});
    std::uint64_t const bytes = waiting_bytes(record);
    std::string().swap(record.text);
    forget_cancel(place);
    ++told_;
    queue_.written(bytes);
}

void sqlite_writer::forget_cancel(std::size_t record)
{
    if (!cancelled_jobs_.empty())
        cancelled_jobs_.erase({backlog_.targets[record].sequence, backlog_.records[record].index});
}

void sqlite_writer::tell_listeners(std::size_t begin, std::size_t end)
{
    while (begin != end) {
        auto* const listener = backlog_.targets[begin].listener;
        std::size_t stop = begin + 1;
        while (stop != end && backlog_.targets[stop].listener == listener)
            ++stop;
        if (listener != nullptr)
            listener->committed(std::span(&backlog_.records[begin], stop - begin));
        begin = stop;
    }
}

/// Each is told by an exception of its own: they end on different threads.
void sqlite_writer::finish(queued_change& change, bool is_written) noexcept
{
    if (std::exchange(change.is_finished, true))
        return;
    queue_.finished(change);
    ++told_;
    if (!is_written && has_end(change))
        outdated_ends_.erase(change.sequence);
    bool const is_draft = is_any_of<change::inputs, change::created>(change);
    if (!is_written && is_draft && refused_drafts_.emplace(change.sequence, failure_).second) {
        abandoned_drafts_.push_back(change.sequence);
        has_garbage_ = true;
    }
    if (is_any_of<change::forgotten>(change))
        refused_drafts_.erase(change.sequence);
    if (is_written)
        note_written(change);
    if (is_any_of<change::forgotten>(change))
        has_garbage_ = true;
    change.what = change::withdrawn{}; // what it held is not needed any more
    if (auto const done = std::exchange(change.done, nullptr))
        done(is_written ? nullptr
                        : std::make_exception_ptr(error(failure_.code, failure_.message)));
}

/// Notes what cancels wait for.
void sqlite_writer::note_written(queued_change const& change)
{
    std::uint64_t const batch = change.sequence;
    if (has_end(change) || is_any_of<change::withdrawn, change::forgotten>(change)) {
        cancelled_.erase(batch);
        cancelled_jobs_.erase(cancelled_jobs_.lower_bound({batch, 0}),
                              cancelled_jobs_.lower_bound({batch + 1, 0}));
    } else if (auto const* const cancel = std::get_if<change::cancelled>(&change.what)) {
        if (!cancel->is_escalation()) // which may come late
            cancelled_.insert(batch);
    } else if (auto const* const job = std::get_if<change::job_cancelled>(&change.what)) {
        if (!job->record)
            cancelled_jobs_.emplace(batch, job->index);
    } else if (auto const* const job = std::get_if<change::job_withdrawn>(&change.what)) {
        cancelled_jobs_.erase({batch, job->index});
    }
}

/// Tells one that failed, and would again; false if there is none.
bool sqlite_writer::refuse_culprit()
{
    auto const found = std::exchange(culprit_, {});
    if (found.change != nullptr) {
        finish(*found.change, false);
        std::erase_if(urgent_, std::mem_fn(&queued_change::is_finished));
    } else if (found.record) {
        refuse_record(*found.record);
    }
    return found.is_known();
}

void sqlite_writer::refuse_record(std::size_t place)
{
    job_record& record = backlog_.records[place];
    record_target& target = backlog_.targets[place];
    std::uint64_t const bytes = waiting_bytes(record);
    if (std::exchange(target.was_refused, true))
        return tell_record(place); // though not even that little could be written
    auto const was = record.how;
    record = refused_record(std::move(record), failure_.message);
    queue_.written(bytes - std::min(bytes, waiting_bytes(record)));
    if (record.how == was)
        return;
    if (!target.listener->refused(record, was))
        return;
    outdated_ends_.insert(target.sequence); // which may not have come yet
    for (std::size_t next = next_change_; next != backlog_.changes.size(); ++next)
        if (auto& change = backlog_.changes[next];
            change.sequence == target.sequence && !change.is_finished && has_end(change))
            finish(change, false);
}

void sqlite_writer::refuse_once()
{
    // Whoever brings inputs to a full disk is told so, and not kept waiting.
    bool const is_full = failure_.code == errc::store_full;
    auto const is_once = [&](queued_change const& change) {
        bool const waits = change.how == persistence::until_done &&
                           !(is_full && is_any_of<change::inputs>(change));
        return !waits && !change.is_finished;
    };
    for (auto& change : urgent_)
        if (is_once(change))
            finish(change, false);
    std::erase_if(urgent_, std::mem_fn(&queued_change::is_finished));
    for (std::size_t place = next_change_; place != backlog_.changes.size(); ++place) {
        auto& change = backlog_.changes[place];
        if (is_once(change))
            finish(change, false);
        else if (is_any_of<change::forgotten>(change) && refused_drafts_.contains(change.sequence))
            finish(change, true); // nobody has seen it
    }
    if (told_ > told_max + backlog_.records.size() / 2)
        compact();
}

/// Lets go of what has been told: a disk that stays full must not fill the memory.
void sqlite_writer::compact()
{
    backlog left;
    left.changes.reserve(backlog_.changes.size()); // nothing throws once one has been moved
    left.records.reserve(backlog_.records.size());
    left.targets.reserve(backlog_.targets.size());
    walk(
        begin_of_group(), end_of_backlog(),
        [&](queued_change& change) {
            change.place = left.records.size();
            left.changes.push_back(std::move(change));
        },
        [&](std::size_t begin, std::size_t end) {
            for (; begin != end; ++begin) {
                if (backlog_.targets[begin].listener == nullptr)
                    continue;
                left.records.push_back(std::move(backlog_.records[begin]));
                left.targets.push_back(backlog_.targets[begin]);
            }
        });
    backlog_ = std::move(left);
    next_change_ = 0;
    next_record_ = 0;
    told_ = 0;
}

/// When the store is closed and what waits can't be written.
void sqlite_writer::refuse_all()
{
    for (auto& change : urgent_)
        finish(change, false);
    for (auto& change : backlog_.changes)
        finish(change, false);
    drop_records();
}

void sqlite_writer::drop_records()
{
    for (; next_record_ != backlog_.records.size(); ++next_record_)
        if (auto* const listener = std::exchange(backlog_.targets[next_record_].listener, nullptr))
            listener->dropped(std::span(&backlog_.records[next_record_], 1));
}

} // namespace belay
