#include "sqlite_writer.hpp"

#include "sqlite_statement.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>
#include <variant>

namespace belay {

namespace {

constexpr std::size_t group_records_max = 4096;
constexpr std::uint64_t group_bytes_max = 1024 * 1024;

/// About how many bytes it writes.
std::uint64_t bytes_of(queued_change const& change)
{
    std::uint64_t bytes = 500;
    if (auto const* const inputs = std::get_if<change::inputs>(&change.what))
        for (std::uint64_t index = 0; index != inputs->page.size(); ++index)
            bytes += inputs->page[index].size();
    if (auto const* const jobs = std::get_if<change::jobs>(&change.what))
        for (auto const& record : jobs->records)
            bytes += waiting_bytes(record);
    return bytes;
}

/// Whether a change for which the exception in flight was thrown would fail on any disk.
bool is_its_own_fault()
{
    try {
        throw;
    } catch (SQLite::Exception const& problem) {
        int const code = problem.getErrorCode();
        return code == SQLITE_CONSTRAINT || code == SQLITE_TOOBIG || code == SQLITE_MISMATCH ||
               code == SQLITE_RANGE;
    } catch (error const&) {
        return true;
    } catch (...) {
        return false;
    }
}

/// Changes that write a row or two.
bool is_light(queued_change const& change) noexcept
{
    return is_any_of<change::started, change::cancelled, change::ended>(change);
}

} // namespace

sqlite_writer::sqlite_writer(sqlite_schema::place const& place, std::uint64_t waiting_bytes_max,
                             disk_reserve reserve)
try : path_(place.path.string()), database_(path_, SQLite::OPEN_READWRITE, 1000, place.vfs),
    reserve_(std::move(reserve)), queue_(waiting_bytes_max) {
    prepare();
    thread_ = std::thread([this] { run(); });
} catch (SQLite::Exception const& problem) {
    throw error(errc::store_unusable, place.path.string() + " can't be written: " + problem.what());
}

void sqlite_writer::prepare()
{
    database_.exec("PRAGMA synchronous = FULL");
    database_.exec("PRAGMA cache_size = -8192");
    database_.exec("PRAGMA secure_delete = FAST");
    database_.exec("PRAGMA journal_size_limit = 67108864");
    sqlite_schema::migrate(database_);
    SQLite::Transaction transaction(database_);
    database_.exec("INSERT OR IGNORE INTO garbage SELECT batch FROM draft; DELETE FROM draft");
    transaction.commit();
    last_sequence_ = static_cast<std::uint64_t>(
        database_.execAndGet("SELECT last_sequence FROM store").getInt64());
    store_id_ = database_.execAndGet("SELECT id FROM store").getString();
    changes_.emplace(database_);
}

sqlite_writer::~sqlite_writer()
{
    queue_.stop();
    thread_.join();
}

std::optional<std::string> sqlite_writer::problem() const
{
    std::scoped_lock const lock(mutex_);
    return problem_;
}

void sqlite_writer::on_problem(std::function<void(std::string const&)> told)
{
    std::scoped_lock const lock(mutex_);
    on_problem_ = std::move(told);
}

void sqlite_writer::run() noexcept
{
    for (bool goes_on = true; goes_on;) {
        try {
            goes_on = step();
        } catch (std::exception const& problem) { // such as a lack of memory: it is tried again
            failing_ = true;
            failure_ = path_ + " can't be written: " + problem.what();
            note_problem();
        }
    }
}

/// Whether there is to be another.
bool sqlite_writer::step()
{
    if (failing_)
        wait_to_retry();
    else if (!has_work() && !has_garbage_)
        queue_.wait();
    bool const stopped = queue_.is_stopped();
    take();
    if (has_work() || failing_)
        write_some();
    else if (stopped)
        return false;
    else
        look_after_garbage();
    if (stopped && failing_) {
        refuse_all();
        return false;
    }
    return true;
}

void sqlite_writer::wait_to_retry()
{
    queue_.wait_after_failure(retry_);
    retry_ = std::min(2 * retry_, retry_max);
}

void sqlite_writer::take()
{
    queue_.take_urgent(urgent_);
    if (backlog_.empty()) {
        queue_.take(backlog_);
    } else if (failing_) { // who has to be told may be among what came since
        backlog more;
        queue_.take(more);
        backlog_.append(more);
    }
}

void sqlite_writer::write_some()
{
    // On a full disk, what was given up is for what is essential.
    if (!(failing_ && reserve_.is_short()) && write_group())
        return;
    write_essentials();
    refuse_once();
}

bool sqlite_writer::write_group()
{
    for (;;) {
        group const end = choose_group();
        bool const written = attempt([&] {
            if (failing_ && urgent_.empty())
                changes_->probe();
            apply_urgent();
            apply_group(end);
        });
        if (written) {
            note_success();
            tell_urgent();
            tell_group(end);
            return true;
        }
        if (!refuse_culprit())
            return false;
    }
}

void sqlite_writer::write_essentials()
{
    auto const failure = failure_;
    bool written = false;
    while (!urgent_.empty() && !(written = attempt([&] { apply_urgent(); })) && refuse_culprit()) {
    }
    if (written)
        tell_urgent();
    auto const light = light_changes();
    if (light.empty()) {
    } else if (attempt([&] {
                   for (auto* const change : light)
                       apply(*change);
               })) {
        for (auto* const change : light)
            finish(*change, true);
    } else {
        (void)refuse_culprit();
    }
    failure_ = failure;
}

/// Those before which nothing of the same batch waits.
std::vector<queued_change*> sqlite_writer::light_changes()
{
    std::vector<queued_change*> light;
    std::unordered_set<std::uint64_t> waiting;
    walk(
        {backlog_.changes.size(), backlog_.records.size()},
        [&](queued_change& change) {
            if (is_light(change) && !waiting.contains(change.sequence))
                light.push_back(&change);
            else
                waiting.insert(change.sequence);
        },
        [&](std::size_t begin, std::size_t end) {
            for (; begin != end; ++begin)
                waiting.insert(backlog_.targets[begin].sequence);
        });
    return light;
}

sqlite_writer::group sqlite_writer::choose_group() const
{
    group end{next_change_, next_record_};
    std::uint64_t bytes = 0;
    while (bytes < group_bytes_max && end.record - next_record_ < group_records_max) {
        if (end.change != backlog_.changes.size() &&
            backlog_.changes[end.change].place <= end.record)
            bytes += bytes_of(backlog_.changes[end.change++]);
        else if (end.record != backlog_.records.size())
            bytes += waiting_bytes(backlog_.records[end.record++]);
        else
            break;
    }
    return end;
}

void sqlite_writer::apply_urgent()
{
    for (auto& change : urgent_)
        if (!change.is_finished)
            apply(change);
}

void sqlite_writer::apply(queued_change& change)
{
    culprit_.change = &change;
    if (is_any_of<change::inputs, change::created>(change) &&
        refused_drafts_.contains(change.sequence))
        throw error(errc::store_failed, "some of the inputs could not be written");
    changes_->apply(change.sequence, change.what);
    culprit_ = {};
}

void sqlite_writer::apply_record(std::size_t place)
{
    auto const& target = backlog_.targets[place];
    if (target.listener == nullptr)
        return;
    culprit_.record = place;
    changes_->apply(target.sequence, backlog_.records[place]);
    culprit_ = {};
}

void sqlite_writer::apply_group(group end)
{
    walk(
        end, [&](queued_change& change) { apply(change); },
        [&](std::size_t begin, std::size_t stop) {
            for (; begin != stop; ++begin)
                apply_record(begin);
        });
}

bool sqlite_writer::attempt(std::function<void()> const& apply)
{
    culprit_ = {};
    try {
        database_.exec("BEGIN IMMEDIATE");
        apply();
        database_.exec("COMMIT");
        return true;
    } catch (std::exception const& problem) {
        failure_ = problem.what();
        if (!is_its_own_fault())
            culprit_ = {};
        if (!culprit_.is_known())
            note_failure();
    }
    roll_back();
    return false;
}

void sqlite_writer::roll_back() noexcept
{
    if (::sqlite3_get_autocommit(database_.getHandle()) == 0)
        (void)database_.tryExec("ROLLBACK");
}

/// With the exception in flight.
void sqlite_writer::note_failure()
{
    int const number = ::sqlite3_system_errno(database_.getHandle());
    bool is_full = false;
    try {
        throw;
    } catch (SQLite::Exception const& problem) {
        int const code = problem.getErrorCode();
        is_full =
            code == SQLITE_FULL || (code == SQLITE_IOERR && (number == ENOSPC || number == EDQUOT));
    } catch (...) {
    }
    failure_ = is_full ? "the disk is full: " + path_ : path_ + " can't be written: " + failure_;
    if (is_full)
        reserve_.give_up();
    failing_ = true;
    note_problem();
}

void sqlite_writer::note_problem()
{
    std::function<void(std::string const&)> told;
    {
        std::scoped_lock const lock(mutex_);
        if (problem_ != failure_)
            told = on_problem_;
        problem_ = failure_;
    }
    if (told)
        told(failure_);
}

void sqlite_writer::note_success()
{
    reserve_.restore();
    if (!std::exchange(failing_, false))
        return;
    retry_ = retry_min;
    std::scoped_lock const lock(mutex_);
    problem_.reset();
}

void sqlite_writer::look_after_garbage()
{
    bool more = false;
    bool const written = attempt([&] {
        for (auto const sequence : abandoned_drafts_)
            changes_->abandon_draft(sequence);
        more = changes_->collect_garbage();
    });
    if (!written)
        return;
    abandoned_drafts_.clear();
    has_garbage_ = more;
}

} // namespace belay
