#include "store/sqlite/writer.hpp"

#include "store/sqlite/failure.hpp"
#include "store/sqlite/statement.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <limits>
#include <new>
#include <system_error>
#include <utility>
#include <variant>

namespace belay {

namespace {

/// What is written in one transaction, by parts: it ends after the first one where something urgent
/// has come.
constexpr std::size_t group_records_max = 4096;
constexpr std::uint64_t group_bytes_max = 1024 * 1024;
constexpr std::size_t part_records_max = 256;
constexpr std::uint64_t part_bytes_max = 64 * 1024;

/// Pages of the log: after so many there is a checkpoint; from so many on it waits for readers, new
/// ones of which don't hold it up.
constexpr int checkpoint_pages = 1000;
constexpr int log_pages_max = 4000;
constexpr int readers_wait_ms = 100;

/// What states take at least, with what else a start writes.
constexpr std::uint64_t states_bytes_min = 512 * 1024;

/// How long it waits for another process that writes.
constexpr int lock_wait_ms = 1000;

/// For so many rows and pages that were written a bit of garbage is collected, which may be twice
/// as much; and what is owed at the most.
constexpr std::uint64_t page_bytes = 4096;
constexpr std::uint64_t debt_step = sqlite_changes::garbage_rows_max / 2;
constexpr std::uint64_t debt_max = 10 * debt_step;

/// About how many bytes it writes.
std::uint64_t bytes_of(queued_change const& change)
{
    std::uint64_t bytes = 500;
    if (auto const* const inputs = std::get_if<change::inputs>(&change.what))
        for (std::uint64_t index = 0; index != inputs->page.size(); ++index)
            bytes += inputs->page[index].size();
    if (auto const* const recovered = std::get_if<change::recovered>(&change.what))
        for (auto const& batch : recovered->batches)
            for (auto const& record : batch.records)
                bytes += waiting_bytes(record);
    if (auto const* const operation = std::get_if<change::operation_made>(&change.what))
        bytes += operation->operation->batches.size() * sizeof(std::uint64_t);
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

/// Changes that write a few rows, or make room.
bool is_light(queued_change const& change) noexcept
{
    return is_any_of<change::started, change::cancelled, change::recovered, change::ended,
                     change::forgotten, change::operation_ended, change::operations_expired>(
        change);
}

/// Of what is light so much is written at once; records that are larger come last.
constexpr std::uint64_t light_bytes_max = 256 * 1024;
/// How many cancels go into a transaction: so many others a cancel may have to wait for.
constexpr std::size_t urgent_max = 1000;

constexpr std::uint64_t light_record_bytes_max = 64 * 1024;

} // namespace

sqlite_writer::sqlite_writer(sqlite_schema::place const& place, std::uint64_t waiting_bytes_max,
                             disk_reserve& reserve)
try : path_(place.path.string()),
    // Without SQLite's locks: one thread at a time uses it.
    database_(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_NOMUTEX, lock_wait_ms, place.vfs),
    reserve_(reserve), queue_(waiting_bytes_max) {
    prepare();
    if (!reserve_.is_given_up()) // else the rest of the start is to have that room
        reserve_.restore();
    note_reserve();
    thread_ = std::thread([this] {
        run();
        if (last_ == nullptr)
            return;
        thread_.detach();
        last_(last_argument_); // nothing of this is used after it
    });
} catch (SQLite::Exception const& problem) {
    throw error(errc::store_unusable,
                place.path.string() + " can't be written: " + why_not_opened(problem, place.path));
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
    recovered_ =
        static_cast<std::uint64_t>(database_.execAndGet("SELECT recovered FROM store").getInt64());
    // The states of open batches want room (docs/format.md), and so does what is opened after this.
    auto const states = database_.execAndGet("SELECT coalesce(sum(total + total / 64 + 128), 0) "
                                             "FROM batch WHERE state IS NULL");
    reserve_.make_room(static_cast<std::uint64_t>(states.getInt64()) + states_bytes_min);
    SQLite::Statement cancelled(database_, "SELECT sequence FROM batch WHERE state IS NULL "
                                           "AND cancel_requested_at IS NOT NULL");
    while (cancelled.executeStep())
        cancelled_.insert(static_cast<std::uint64_t>(cancelled.getColumn(0).getInt64()));
    changes_.emplace(database_);
    next_checkpoint_ = checkpoint_pages;
    ::sqlite3_wal_hook(
        database_.getHandle(),
        [](void* self, sqlite3*, char const*, int pages) {
            static_cast<sqlite_writer*>(self)->note_log(pages);
            return SQLITE_OK;
        },
        this);
}

sqlite_writer::~sqlite_writer()
{
    if (!close())
        refuse_all();
}

bool sqlite_writer::close()
{
    queue_.stop();
    if (thread_.joinable())
        thread_.join();
    take();
    (void)queue_.take_urgent(urgent_, std::numeric_limits<std::size_t>::max());
    return !has_work();
}

void sqlite_writer::close_by_itself(void (*last)(void*) noexcept, void* argument) noexcept
{
    last_ = last;
    last_argument_ = argument;
    queue_.stop();
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
            try {
                failure_ = {errc::store_failed, path_ + " can't be written: " + problem.what()};
                note_problem();
            } catch (std::exception const&) { // there is no memory to say so, either
            }
        }
    }
}

/// Whether there is to be another.
bool sqlite_writer::step()
{
    bool const goes_on = std::exchange(has_more_, false);
    if (failing_ && !goes_on)
        wait_to_retry();
    else if (!has_work() && !has_garbage_)
        wait_for_work();
    bool const stopped = queue_.is_stopped();
    take();
    if (has_work() || failing_)
        write_some();
    else if (stopped)
        return false;
    else
        look_after_garbage();
    look_after_log();
    note_reserve();
    return !(stopped && failing_ && !has_more_);
}

void sqlite_writer::wait_for_work()
{
    if (reserve_.left() == reserve_.size())
        return queue_.wait();
    queue_.wait(reserve_pause);
    reserve_.restore();
}

void sqlite_writer::wait_to_retry()
{
    queue_.wait_after_failure(retry_);
    retry_ = std::min(2 * retry_, retry_max);
}

void sqlite_writer::take()
{
    // What is urgent last: the cancel of a job was handed over before its end.
    if (backlog_.empty() || failing_) // who has to be told may be among what came since
        queue_.take(backlog_);
    take_urgent();
}

void sqlite_writer::take_urgent() noexcept
{
    has_all_urgent_ =
        queue_.take_urgent(urgent_, urgent_max - std::min(urgent_max, urgent_.size()));
}

/// Of what goes into one transaction.
std::list<queued_change>::iterator sqlite_writer::urgent_end() noexcept
{
    return std::next(urgent_.begin(),
                     static_cast<std::ptrdiff_t>(std::min(urgent_max, urgent_.size())));
}

void sqlite_writer::write_some()
{
    if (is_short()) {
        failure_ = {errc::store_full, "the disk is full: " + path_};
        failing_ = true;
        note_problem();
    } else if (write_group()) {
        return collect_while_busy();
    }
    write_essentials();
    refuse_once();
    if (failure_.code == errc::store_full) {
        look_after_garbage();
        begin_log_anew();
    }
}

/// Whether the room that there is was kept back for what is essential, and is not for the rest.
bool sqlite_writer::is_short()
{
    if (!reserve_.is_given_up() || queue_.is_stopped())
        return false;
    reserve_.restore();
    return reserve_.is_given_up() && !has_free_pages();
}

/// Whether much can be written without the file growing.
bool sqlite_writer::has_free_pages()
{
    auto const pages = database_.execAndGet("PRAGMA freelist_count").getInt64();
    return static_cast<std::uint64_t>(pages) * page_bytes >= reserve_.size() / 4;
}

bool sqlite_writer::write_group()
{
    for (;;) {
        bool const is_all_urgent = has_all_urgent_ && urgent_end() == urgent_.end();
        position end = begin_of_group();
        bool const written = attempt([&] {
            if (failing_ && urgent_.empty())
                changes_->probe();
            apply_urgent();
            if (is_all_urgent)
                end = apply_group();
        });
        if (written) {
            has_more_ = !is_all_urgent;
            if (is_all_urgent)
                note_success();
            debt_ +=
                (end.record - next_record_) + (end.change - next_change_) + end.bytes / page_bytes;
            tell_urgent();
            tell_group(end);
            return true;
        }
        if (!refuse_culprit() && !give_room_to_log())
            return false;
    }
}

/// Where the file itself has free pages, what is in want of room is only the log: that is worth a
/// part of what is kept back, too.
bool sqlite_writer::give_room_to_log()
{
    if (failure_.code != errc::store_full || failure_.is_file_limit || !reserve_.has_half())
        return false;
    return has_free_pages() && reserve_.give_up_some();
}

void sqlite_writer::write_essentials()
{
    auto const failure = failure_;
    while (!urgent_.empty()) {
        if (attempt_from_reserve([&] { apply_urgent(); })) {
            tell_urgent();
            take_urgent();
        } else if (!refuse_culprit()) {
            // Whoever is to be told may be among what waits.
            (void)queue_.take_urgent(urgent_, std::numeric_limits<std::size_t>::max());
            break;
        }
    }
    while (!queue_.has_urgent() && write_light(light_record_bytes_max))
        retry_ = retry_min;
    // What can't fit is not to use up what is kept back: it lies in the log first, then in the
    // file.
    bool const is_full = failure.code == errc::store_full;
    auto const fits = [&] { return is_full ? reserve_.left() / 4 : ~std::uint64_t{0}; };
    while (!queue_.has_urgent() && write_light(fits()))
        retry_ = retry_min;
    failure_ = failure;
}

/// Some of what is light; whether there may be more.
bool sqlite_writer::write_light(std::uint64_t record_bytes_max)
{
    auto const some = choose_light(record_bytes_max);
    if (some.empty())
        return false;
    bool const written = attempt_from_reserve([&] {
        for (auto const& one : some)
            one.change != nullptr ? apply(*one.change) : apply_record(one.record);
    });
    if (!written)
        return refuse_culprit();
    for (auto const& one : some)
        one.change != nullptr ? finish(*one.change, true) : tell_record(one.record);
    return true;
}

std::vector<sqlite_writer::light> sqlite_writer::choose_light(std::uint64_t record_bytes_max)
{
    std::vector<light> chosen;
    std::uint64_t bytes = 0;
    std::unordered_set<std::uint64_t> changes_wait; // batches of which some do
    std::unordered_set<std::uint64_t> records_wait;
    walk(
        begin_of_group(), end_of_backlog(),
        [&](queued_change& change) {
            auto const batch = change.sequence;
            if (bytes < light_bytes_max && belay::is_light(change) &&
                !changes_wait.contains(batch) && !records_wait.contains(batch) &&
                !refused_drafts_.contains(batch)) {
                chosen.push_back({&change, 0});
                bytes += bytes_of(change);
            } else {
                changes_wait.insert(batch);
            }
        },
        [&](std::size_t begin, std::size_t end) {
            for (; begin != end; ++begin) {
                auto const& target = backlog_.targets[begin];
                auto const size = waiting_bytes(backlog_.records[begin]);
                if (target.listener == nullptr)
                    continue;
                if (bytes < light_bytes_max && size <= record_bytes_max && is_light(begin) &&
                    !changes_wait.contains(target.sequence)) {
                    chosen.push_back({nullptr, begin});
                    bytes += size;
                } else {
                    records_wait.insert(target.sequence);
                }
            }
        });
    return chosen;
}

/// Whether a cancel waits for it.
bool sqlite_writer::is_light(std::size_t record) const
{
    auto const sequence = backlog_.targets[record].sequence;
    return cancelled_.contains(sequence) ||
           cancelled_jobs_.contains({sequence, backlog_.records[record].index});
}

sqlite_writer::position sqlite_writer::part_after(position begin) const
{
    position end = begin;
    std::uint64_t& bytes = end.bytes;
    while (bytes - begin.bytes < part_bytes_max && end.record - begin.record < part_records_max) {
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
    std::for_each(urgent_.begin(), urgent_end(), [&](queued_change& change) {
        if (!change.is_finished)
            apply(change);
    });
}

void sqlite_writer::apply(queued_change& change)
{
    culprit_.change = &change;
    if (is_any_of<change::inputs, change::created>(change))
        if (auto const found = refused_drafts_.find(change.sequence);
            found != refused_drafts_.end())
            throw error(found->second.code,
                        "some of the inputs could not be written: " + found->second.message);
    if (has_end(change) && outdated_ends_.contains(change.sequence))
        throw error(errc::store_failed, "the record of a job was refused after this end was made");
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

/// Where the group ends.
sqlite_writer::position sqlite_writer::apply_group()
{
    position end = begin_of_group();
    do {
        position const begin = std::exchange(end, part_after(end));
        walk(
            begin, end, [&](queued_change& change) { apply(change); },
            [&](std::size_t record, std::size_t stop) {
                for (; record != stop; ++record)
                    apply_record(record);
            });
    } while (!reaches_end(end) && end.bytes < group_bytes_max &&
             end.record - next_record_ < group_records_max && !queue_.has_urgent());
    return end;
}

bool sqlite_writer::attempt(std::function<void()> const& apply)
{
    culprit_ = {};
    errno = 0;
    try {
        database_.exec("BEGIN IMMEDIATE");
        apply();
        database_.exec("COMMIT");
        return true;
    } catch (std::exception const& problem) {
        int const number = errno;
        auto const* const own = dynamic_cast<error const*>(&problem);
        failure_ = {own == nullptr ? errc::store_failed : static_cast<errc>(own->code().value()),
                    problem.what()};
        if (!is_its_own_fault())
            culprit_ = {};
        if (!culprit_.is_known())
            note_failure(number);
    }
    roll_back();
    return false;
}

/// On a full disk, makes as much room as it needs.
bool sqlite_writer::attempt_from_reserve(std::function<void()> const& apply)
{
    while (!attempt(apply))
        if (culprit_.is_known() || failure_.code != errc::store_full || !make_room())
            return false;
    return true;
}

/// Takes some of what is kept back, or, where the disk has room and only the file may not grow,
/// begins the log anew.
bool sqlite_writer::make_room()
{
    if (failure_.is_file_limit)
        return log_pages_ != 0 && checkpoint(true) == SQLITE_OK;
    return reserve_.give_up_some();
}

void sqlite_writer::roll_back() noexcept
{
    if (::sqlite3_get_autocommit(database_.getHandle()) == 0)
        (void)database_.tryExec("ROLLBACK");
}

/// With the exception in flight, and the errno that belongs to it.
void sqlite_writer::note_failure(int number)
{
    try {
        throw;
    } catch (SQLite::Exception const& problem) {
        failure_ = failure_of(problem.getExtendedErrorCode(), number, problem.what());
    } catch (std::bad_alloc const& problem) {
        failure_ = {errc::resources_exhausted, path_ + " can't be written: " + problem.what()};
    } catch (...) {
        failure_ = {errc::store_failed, path_ + " can't be written: " + failure_.message};
    }
    failing_ = true;
    note_problem();
}

/// `number` is the errno that was left: `sqlite3_system_errno` knows none of a commit.
sqlite_writer::failure sqlite_writer::failure_of(int result, int number,
                                                 std::string const& message) const
{
    errc const code = belay::failure_of({result}, number);
    if (code != errc::store_full)
        return {code, path_ + " can't be written: " + message};
    if ((result & 0xFF) == SQLITE_IOERR && number == EFBIG)
        return {code, path_ + " or its log can't grow: the limit on the size of files is reached",
                true};
    return {code, "the disk is full: " + path_};
}

void sqlite_writer::note_problem()
{
    std::function<void(std::string const&)> told;
    {
        std::scoped_lock const lock(mutex_);
        if (problem_ != failure_.message)
            told = on_problem_;
        problem_ = failure_.message;
    }
    if (told)
        told(failure_.message);
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

/// What `notice` tells of.
void sqlite_writer::note_reserve() noexcept
{
    reserve_missing_.store(reserve_.size() - reserve_.left(), std::memory_order_relaxed);
}

std::optional<std::string> sqlite_writer::notice() const
{
    auto const missing = reserve_missing_.load(std::memory_order_relaxed);
    if (missing == 0)
        return std::nullopt;
    return std::to_string(missing) + " of the " + std::to_string(reserve_.size()) +
           " bytes that are to be kept back on the disk are missing: " + reserve_.path().string();
}

void sqlite_writer::look_after_garbage()
{
    // On a full disk this makes room, and it is worth a part of what is kept back for cancels.
    while (has_garbage_ && !collect() && failure_.code == errc::store_full &&
           (failure_.is_file_limit || reserve_.has_half()) && make_room()) {
    }
}

/// A store that is never idle has garbage, too: for what is written up to twice as much goes.
void sqlite_writer::collect_while_busy()
{
    debt_ = has_garbage_ ? std::min(debt_, debt_max) : 0;
    while (debt_ >= debt_step && has_garbage_ && !queue_.has_urgent()) {
        debt_ -= debt_step;
        if (!collect())
            return;
    }
}

/// Starts the log anew now and then. SQLite would do that as well, but before anybody is told of
/// the commit, and only if it found a moment without readers.
void sqlite_writer::look_after_log()
{
    bool const waits = log_pages_ >= log_pages_max;
    if (log_pages_ < next_checkpoint_ || (!waits && queue_.has_urgent()))
        return;
    next_checkpoint_ = log_pages_ + (waits ? log_pages_max : checkpoint_pages);
    (void)checkpoint(waits); // where it can't be done now there is a next time
}

/// Where the log lies there is room, too. To have it, the file may take all that it lacks out of
/// what is kept back: the log has as much for cancels afterwards.
void sqlite_writer::begin_log_anew()
{
    while (log_pages_ != 0 && is_full(checkpoint(true)) && !failure_.is_file_limit &&
           (has_garbage_ || has_free_pages()) && bytes_to_grow() <= reserve_.left() &&
           reserve_.give_up_some()) {
    }
}

/// By how much the log makes the file longer.
std::uint64_t sqlite_writer::bytes_to_grow()
{
    auto const pages = database_.execAndGet("PRAGMA page_count").getInt64();
    auto const bytes = static_cast<std::uint64_t>(pages) * page_bytes;
    return bytes - std::min(bytes, static_cast<std::uint64_t>(std::filesystem::file_size(path_)));
}

/// Moves what is in the log into the file; with `waits` the log begins anew after it.
int sqlite_writer::checkpoint(bool waits)
{
    auto* const database = database_.getHandle();
    ::sqlite3_busy_timeout(database, waits ? readers_wait_ms : 0);
    errno = 0;
    int const result = ::sqlite3_wal_checkpoint_v2(
        database, nullptr, waits ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE, nullptr,
        nullptr);
    ::sqlite3_busy_timeout(database, lock_wait_ms);
    if (waits && result == SQLITE_OK)
        note_log(0);
    return result;
}

/// Of a checkpoint.
bool sqlite_writer::is_full(int result)
{
    return belay::failure_of({result}, errno) == errc::store_full;
}

void sqlite_writer::note_log(int pages) noexcept
{
    if (pages < log_pages_) // it has begun anew, or will
        next_checkpoint_ = checkpoint_pages;
    log_pages_ = pages;
}

/// A bit of it, if there is any; false if that can't be written.
bool sqlite_writer::collect()
{
    bool more = false;
    bool const written = attempt([&] {
        for (auto const sequence : abandoned_drafts_)
            changes_->abandon_draft(sequence);
        more = changes_->collect_garbage();
    });
    if (!written)
        return false;
    abandoned_drafts_.clear();
    has_garbage_ = more;
    retry_ = retry_min;
    return true;
}

} // namespace belay
