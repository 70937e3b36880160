#include "store/files/state_map.hpp"

#include "base/file_failure.hpp"


#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include <sys/mman.h>

namespace belay {

using detail::job_byte;

// docs/format.md
static_assert(static_cast<int>(job_byte::pending) == 0 &&
              static_cast<int>(job_byte::withheld) == 11);
static_assert(sizeof(std::atomic<job_byte>) == 1 && std::atomic<job_byte>::is_always_lock_free);

namespace {

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) noexcept
{
    return (bytes + unit - 1) / unit * unit;
}

bool punch(file const& file, std::uint64_t offset, std::uint64_t bytes) noexcept
{
    return bytes == 0 || ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                     static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0;
}

/// Allocates the blocks: a hole would be a SIGBUS once the disk is full.
void allocate(file const& file, std::filesystem::path const& path, std::uint64_t offset,
              std::uint64_t bytes)
{
    if (bytes == 0)
        return;
    int const problem =
        ::posix_fallocate(file.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes));
    if (problem == 0)
        return;
    (void)punch(file, offset, bytes); // some of it may have been had
    throw file_error(failure_of(problem), path, "can't grow by " + std::to_string(bytes) + " bytes",
                     problem);
}

/// A part of the file, mapped while an array in it is owned.
struct segment {
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;
    char* memory = nullptr;
    std::uint64_t used = state_file::segment_header_bytes; ///< from here on nothing was written
    std::uint64_t live = 0;                                ///< regions with an owner

    [[nodiscard]] state_file::region_header& region(std::uint64_t place) const noexcept
    {
        return *reinterpret_cast<state_file::region_header*>(memory + place);
    }
};

} // namespace

/// Shared with the arrays. Regions are taken one after the other from the current segment; freed
/// ones are kept by size for batches of the very same size. A segment that has no owner left is
/// emptied, unless it is the current one.
class state_map::contents {
public:
    contents(std::filesystem::path path, std::uint64_t segment_bytes)
        : path_(std::move(path)), segment_bytes_(segment_bytes)
    {
    }
    ~contents()
    {
        for (auto const& [offset, segment] : segments_)
            ::munmap(segment.memory, segment.bytes);
    }
    contents(contents const&) = delete;
    contents& operator=(contents const&) = delete;

    void remove_unless_owned()
    {
        std::scoped_lock const lock(mutex_);
        if (file_.is_open() && owned_ == 0 && !left_behind_)
            ::unlink(path_.c_str());
    }

    void leave_behind()
    {
        std::scoped_lock const lock(mutex_);
        left_behind_ = true;
    }

    /// An array, and the place of its region in the file.
    std::pair<std::atomic<job_byte>*, std::uint64_t> take(std::uint64_t sequence,
                                                          std::uint64_t total)
    {
        auto const bytes =
            round_up(state_file::region_header_bytes + total, state_file::region_unit);
        std::unique_lock lock(mutex_);
        auto const [segment, place] = find_room_or_tell(bytes, lock);
        auto& header = segment->region(place);
        header.bytes = bytes;
        header.total = total;
        header.sequence = sequence;
        header.check = state_file::region_check(salt_, segment->offset + place, bytes);
        ++segment->live;
        ++owned_;
        return {reinterpret_cast<std::atomic<job_byte>*>(segment->memory + place +
                                                         state_file::region_header_bytes),
                segment->offset + place};
    }

    std::optional<std::string> problem()
    {
        std::scoped_lock const lock(mutex_);
        if (!problem_)
            return std::nullopt;
        try {
            open();
            make_room(lacking_);
            problem_.reset();
        } catch (error const& fault) {
            problem_ = fault.what();
        } catch (std::bad_alloc const&) { // it is as it was
        }
        return problem_;
    }

    void on_problem(std::function<void(std::string const&)> told)
    {
        std::scoped_lock const lock(mutex_);
        on_problem_ = std::move(told);
    }

    void give_back(std::uint64_t offset) noexcept
    {
        std::scoped_lock const lock(mutex_);
        if (left_behind_)
            return;
        auto const found = std::prev(segments_.upper_bound(offset));
        segment& segment = found->second;
        std::uint64_t const place = offset - segment.offset;
        segment.region(place).sequence = 0;
        --segment.live;
        --owned_;
        if (segment.live != 0)
            keep_region(segment.region(place).bytes, offset);
        else if (segment.offset != current_)
            empty(found);
        else
            restart(segment);
    }

private:
    using segments = std::map<std::uint64_t, segment>;

    /// Of the usual segment, what one has at the least where the disk is full.
    static constexpr std::uint64_t smallest_part = 64;

    void open()
    {
        if (file_.is_open())
            return;
        file fresh(path_, O_RDWR | O_CREAT | O_EXCL);
        if (!fresh.is_open())
            throw file_error(failure_of(errno), path_, "can't be made", errno);
        try {
            begin(fresh);
        } catch (...) {
            ::unlink(path_.c_str());
            throw;
        }
        file_ = std::move(fresh);
        end_ = state_file::file_header_bytes;
    }

    void begin(file const& fresh)
    {
        allocate(fresh, path_, 0, state_file::file_header_bytes);
        std::random_device random;
        state_file::file_header header{};
        std::memcpy(header.magic, state_file::magic, sizeof header.magic);
        header.salt = (std::uint64_t{random()} << 32) + random();
        if (::pwrite(fresh.get(), &header, sizeof header, 0) != sizeof header)
            throw file_error(failure_of(errno), path_, "can't be written", errno);
        salt_ = header.salt;
    }

    /// What it throws is a problem from then on.
    std::pair<segment*, std::uint64_t> find_room_or_tell(std::uint64_t bytes,
                                                         std::unique_lock<std::mutex>& lock)
    {
        try {
            open();
            auto const found = find_room(bytes);
            problem_.reset();
            return found;
        } catch (error const& fault) {
            lacking_ = bytes;
            auto const told = problem_ ? nullptr : on_problem_;
            problem_ = fault.what();
            lock.unlock();
            if (told)
                told(fault.what());
            throw;
        }
    }

    /// A region whose job bytes are zero.
    std::pair<segment*, std::uint64_t> find_room(std::uint64_t bytes)
    {
        if (auto const found = free_regions_.find(bytes); found != free_regions_.end()) {
            segment& segment = std::prev(segments_.upper_bound(found->second))->second;
            std::uint64_t const place = found->second - segment.offset;
            make_zero(segment, place + state_file::region_header_bytes,
                      bytes - state_file::region_header_bytes);
            free_regions_.erase(found);
            return {&segment, place};
        }
        if (wants_own_segment(bytes))
            return {&add_own_segment(bytes), state_file::segment_header_bytes};
        segment* segment = current_ == 0 ? nullptr : &segments_.at(current_);
        if (segment == nullptr || segment->bytes - segment->used < bytes)
            segment = &begin_segment(bytes);
        std::uint64_t const place = segment->used;
        segment->used += bytes;
        return {segment, place};
    }

    /// Sees to it that `find_room` finds as much.
    void make_room(std::uint64_t bytes)
    {
        if (free_regions_.contains(bytes))
            return;
        if (wants_own_segment(bytes))
            return empty(segments_.find(add_own_segment(bytes).offset));
        segment const* const current = current_ == 0 ? nullptr : &segments_.at(current_);
        if (current == nullptr || current->bytes - current->used < bytes)
            begin_segment(bytes);
    }

    [[nodiscard]] bool wants_own_segment(std::uint64_t bytes) const noexcept
    {
        return bytes > segment_bytes_ / 4;
    }

    segment& add_own_segment(std::uint64_t bytes)
    {
        return add_segment(
            round_up(bytes + state_file::segment_header_bytes, state_file::segment_unit));
    }

    /// A new current segment with room for `bytes`; where the disk is full it is smaller than
    /// usual.
    segment& begin_segment(std::uint64_t bytes)
    {
        auto const least =
            std::max(segment_bytes_ / smallest_part,
                     round_up(bytes + state_file::segment_header_bytes, state_file::segment_unit));
        for (std::uint64_t size = segment_bytes_;; size = std::max(size / 4, least)) {
            try {
                segment& fresh = add_segment(round_up(size, state_file::segment_unit));
                leave_current();
                current_ = fresh.offset;
                return fresh;
            } catch (error const& fault) {
                if (fault.code() != errc::store_full || size <= least)
                    throw;
            }
        }
    }

    segment& add_segment(std::uint64_t bytes)
    {
        auto reused = free_segments_.lower_bound(bytes);
        if (reused != free_segments_.end() && reused->first > 2 * bytes)
            reused = free_segments_.end();
        segment fresh{.offset = reused == free_segments_.end() ? end_ : reused->second,
                      .bytes = reused == free_segments_.end() ? bytes : reused->first};
        // The header of one that is used again stays, come what may: others are found behind it.
        auto const kept = reused == free_segments_.end() ? 0 : state_file::segment_unit;
        allocate(file_, path_, fresh.offset + kept, fresh.bytes - kept);
        void* const memory = ::mmap(nullptr, fresh.bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                                    file_.get(), static_cast<off_t>(fresh.offset));
        if (memory == MAP_FAILED)
            throw std::bad_alloc();
        fresh.memory = static_cast<char*>(memory);
        new (memory)
            state_file::segment_header{state_file::segment_check(salt_, fresh.offset), fresh.bytes};
        if (reused != free_segments_.end())
            free_segments_.erase(reused);
        else
            end_ += bytes;
        return segments_.emplace(fresh.offset, fresh).first->second;
    }

    /// The current segment is full.
    void leave_current()
    {
        auto const found = segments_.find(std::exchange(current_, 0));
        if (found != segments_.end() && found->second.live == 0)
            empty(found);
    }

    /// Gives the blocks of a segment back, but for the first one, with the header.
    void empty(segments::iterator found) noexcept
    {
        segment const segment = found->second;
        forget_regions(segment);
        segments_.erase(found);
        std::memset(segment.memory + state_file::segment_header_bytes, 0,
                    state_file::segment_unit - state_file::segment_header_bytes);
        ::munmap(segment.memory, segment.bytes);
        // What can't be made zero is not used again.
        if (punch(file_, segment.offset + state_file::segment_unit,
                  segment.bytes - state_file::segment_unit))
            free_segments_.emplace(segment.bytes, segment.offset);
    }

    /// Makes the current segment, which has no owner left, as good as new.
    void restart(segment& segment) noexcept
    {
        forget_regions(segment);
        make_zero(segment, state_file::segment_header_bytes,
                  segment.used - state_file::segment_header_bytes);
        segment.used = state_file::segment_header_bytes;
    }

    void keep_region(std::uint64_t bytes, std::uint64_t offset) noexcept
    {
        try {
            free_regions_.emplace(bytes, offset);
        } catch (std::bad_alloc const&) { // it comes back with its segment
        }
    }

    void forget_regions(segment const& segment) noexcept
    {
        std::erase_if(free_regions_, [&](auto const& region) {
            return region.second >= segment.offset &&
                   region.second < segment.offset + segment.bytes;
        });
    }

    /// Whole pages without making them resident, where there are some.
    void make_zero(segment& segment, std::uint64_t place, std::uint64_t bytes) noexcept
    {
        std::uint64_t const end = place + bytes;
        std::uint64_t const first = round_up(place, state_file::segment_unit);
        std::uint64_t const last = end / state_file::segment_unit * state_file::segment_unit;
        constexpr std::uint64_t few = 16 * state_file::segment_unit;
        if (last < first + few || ::fallocate(file_.get(), FALLOC_FL_ZERO_RANGE,
                                              static_cast<off_t>(segment.offset + first),
                                              static_cast<off_t>(last - first)) != 0) {
            std::memset(segment.memory + place, 0, bytes);
            return;
        }
        std::memset(segment.memory + place, 0, first - place);
        std::memset(segment.memory + last, 0, end - last);
    }

    std::filesystem::path path_;
    std::uint64_t const segment_bytes_;

    std::mutex mutex_; ///< guards what follows
    file file_;
    std::uint64_t salt_ = 0;
    std::uint64_t end_ = 0;     ///< of the file
    std::uint64_t current_ = 0; ///< offset of the segment that regions are taken from; 0: none
    std::uint64_t owned_ = 0;
    bool left_behind_ = false;
    std::optional<std::string> problem_; ///< why it could not grow when it was last to
    std::uint64_t lacking_ = 0;          ///< by so much, then
    std::function<void(std::string const&)> on_problem_;
    segments segments_;                                         ///< mapped ones, by offset
    std::multimap<std::uint64_t, std::uint64_t> free_segments_; ///< bytes, offset; all zero
    std::unordered_multimap<std::uint64_t, std::uint64_t> free_regions_; ///< bytes, offset
};

state_map::state_map(std::filesystem::path directory, std::uint64_t generation,
                     std::uint64_t segment_bytes)
    : contents_(std::make_shared<contents>(state_file::path(directory, generation), segment_bytes))
{
}

state_map::~state_map()
{
    contents_->remove_unless_owned();
}

void state_map::leave_behind()
{
    contents_->leave_behind();
}

std::optional<std::string> state_map::problem() const
{
    return contents_->problem();
}

void state_map::on_problem(std::function<void(std::string const&)> told)
{
    contents_->on_problem(std::move(told));
}

detail::state_array state_map::make(std::uint64_t sequence, std::uint64_t total)
{
    auto const [array, offset] = contents_->take(sequence, total);
    return {array, [contents = contents_, offset](std::atomic<job_byte>*) noexcept {
                contents->give_back(offset);
            }};
}

} // namespace belay
