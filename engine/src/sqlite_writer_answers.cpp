// Who is told what became of changes and records.
#include "sqlite_writer.hpp"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>
#include <variant>

namespace belay {

namespace {

bool has_end(queued_change const& change) noexcept
{
    auto const* const cancelled = std::get_if<change::cancelled>(&change.what);
    return is_any_of<change::ended>(change) || (cancelled != nullptr && cancelled->end);
}

} // namespace

void sqlite_writer::tell_urgent()
{
    for (auto& change : std::exchange(urgent_, {}))
        finish(change, true);
}

void sqlite_writer::tell_group(group end)
{
    std::uint64_t bytes = 0;
    walk(
        end, [&](queued_change& change) { finish(change, true); },
        [&](std::size_t begin, std::size_t stop) {
            tell_listeners(begin, stop);
            for (; begin != stop; ++begin) {
                bytes += waiting_bytes(backlog_.records[begin]);
                std::string().swap(backlog_.records[begin].text);
            }
        });
    next_change_ = end.change;
    next_record_ = end.record;
    if (next_change_ == backlog_.changes.size() && next_record_ == backlog_.records.size()) {
        backlog_.clear();
        next_change_ = 0;
        next_record_ = 0;
    }
    if (bytes != 0)
        queue_.written(bytes);
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
    bool const is_draft = is_any_of<change::inputs, change::created>(change);
    bool const is_over = is_any_of<change::created, change::forgotten>(change);
    if (!is_written && is_draft) {
        refused_drafts_.insert(change.sequence);
        abandoned_drafts_.push_back(change.sequence);
        has_garbage_ = true;
    }
    if (is_over)
        refused_drafts_.erase(change.sequence);
    if (is_any_of<change::forgotten>(change))
        has_garbage_ = true;
    change.what = change::withdrawn{}; // what it held is not needed any more
    if (auto const done = std::exchange(change.done, nullptr))
        done(is_written ? nullptr : std::make_exception_ptr(error(errc::store_failed, failure_)));
}

/// Tells one that failed, and would again; false if there is none.
bool sqlite_writer::refuse_culprit()
{
    auto const found = std::exchange(culprit_, {});
    if (found.change != nullptr) {
        finish(*found.change, false);
        std::erase_if(urgent_, &queued_change::is_finished);
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
    if (std::exchange(target.was_refused, true)) {
        // Not even that little can be written: the job is as good as not recorded.
        std::exchange(target.listener, nullptr)->committed({&record, 1});
        return;
    }
    auto const was = record.how;
    record = refused_record(std::move(record), failure_);
    queue_.written(bytes - std::min(bytes, waiting_bytes(record)));
    if (record.how == was)
        return;
    target.listener->refused(record, was);
    for (std::size_t next = next_change_; next != backlog_.changes.size(); ++next)
        if (auto& change = backlog_.changes[next];
            change.sequence == target.sequence && !change.is_finished && has_end(change))
            finish(change, false);
}

void sqlite_writer::refuse_once()
{
    auto const is_once = [](queued_change const& change) {
        return change.how == persistence::once && !change.is_finished;
    };
    for (auto& change : urgent_)
        if (is_once(change))
            finish(change, false);
    std::erase_if(urgent_, &queued_change::is_finished);
    for (std::size_t place = next_change_; place != backlog_.changes.size(); ++place)
        if (is_once(backlog_.changes[place]))
            finish(backlog_.changes[place], false);
}

/// When the store is closed and what waits can't be written.
void sqlite_writer::refuse_all()
{
    for (auto& change : urgent_)
        finish(change, false);
    for (auto& change : backlog_.changes)
        finish(change, false);
}

} // namespace belay
