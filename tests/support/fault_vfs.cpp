#include "fault_vfs.hpp"

#include "eventually.hpp"

#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <random>
#include <system_error>
#include <utility>

namespace belay::test {

namespace {

std::string content_of(std::string const& path)
{
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

std::string next_name()
{
    static std::atomic<unsigned> last = 0;
    return "belay-fault-" + std::to_string(++last);
}

} // namespace

/// What SQLite takes for a file; the system's own lies behind it.
struct fault_file {
    sqlite3_file base;
    fault_vfs* owner;
    std::string* path;

    static fault_file& of(sqlite3_file* file) { return *reinterpret_cast<fault_file*>(file); }
    static sqlite3_file* real(sqlite3_file* file)
    {
        return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(fault_file));
    }

    static int close(sqlite3_file* file)
    {
        delete std::exchange(of(file).path, nullptr);
        int const answer = real(file)->pMethods->xClose(real(file));
        of(file).owner->closed();
        return answer;
    }
    static int read(sqlite3_file* file, void* to, int bytes, sqlite3_int64 offset)
    {
        return real(file)->pMethods->xRead(real(file), to, bytes, offset);
    }
    /// One that fails has written half.
    static int write(sqlite3_file* file, void const* from, int bytes, sqlite3_int64 offset)
    {
        auto& self = of(file);
        if (self.owner->is_dead())
            return SQLITE_IOERR_WRITE;
        if (!self.owner->has_room(*self.path, static_cast<std::uint64_t>(offset + bytes)))
            return SQLITE_FULL;
        bool survives = false;
        int const judged = self.owner->judge(fault_vfs::operation::write, survives);
        int const done = judged == SQLITE_OK ? bytes : bytes / 2;
        int const answer = real(file)->pMethods->xWrite(real(file), from, done, offset);
        if (answer != SQLITE_OK)
            return answer;
        self.owner->wrote(*self.path, {static_cast<std::uint64_t>(offset),
                                       std::string(static_cast<char const*>(from),
                                                   static_cast<std::size_t>(done))});
        return judged;
    }
    static int truncate(sqlite3_file* file, sqlite3_int64 size)
    {
        auto& self = of(file);
        if (self.owner->is_dead())
            return SQLITE_IOERR_TRUNCATE;
        bool survives = false;
        if (int const judged = self.owner->judge(fault_vfs::operation::truncate, survives))
            return judged;
        self.owner->wrote(*self.path, {static_cast<std::uint64_t>(size), {}, true});
        return real(file)->pMethods->xTruncate(real(file), size);
    }
    /// The disk below need not do it: `cut_power` puts back what was synced here.
    static int sync(sqlite3_file* file, int)
    {
        auto& self = of(file);
        if (self.owner->is_dead())
            return SQLITE_IOERR_FSYNC;
        bool survives = false;
        int const judged = self.owner->judge(fault_vfs::operation::sync, survives);
        if (judged == SQLITE_OK || survives)
            self.owner->synced(*self.path);
        return judged;
    }
    static int size(sqlite3_file* file, sqlite3_int64* size)
    {
        return real(file)->pMethods->xFileSize(real(file), size);
    }
    static int lock(sqlite3_file* file, int level)
    {
        return real(file)->pMethods->xLock(real(file), level);
    }
    static int unlock(sqlite3_file* file, int level)
    {
        return real(file)->pMethods->xUnlock(real(file), level);
    }
    static int check_lock(sqlite3_file* file, int* result)
    {
        return real(file)->pMethods->xCheckReservedLock(real(file), result);
    }
    static int control(sqlite3_file* file, int operation, void* argument)
    {
        return real(file)->pMethods->xFileControl(real(file), operation, argument);
    }
    static int sector_size(sqlite3_file* file)
    {
        return real(file)->pMethods->xSectorSize(real(file));
    }
    static int characteristics(sqlite3_file*) { return 0; }
    static int map(sqlite3_file* file, int page, int bytes, int extend, void volatile** memory)
    {
        return real(file)->pMethods->xShmMap(real(file), page, bytes, extend, memory);
    }
    static int map_lock(sqlite3_file* file, int offset, int count, int flags)
    {
        return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
    }
    static void barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
    static int unmap(sqlite3_file* file, int remove)
    {
        return real(file)->pMethods->xShmUnmap(real(file), remove);
    }

    static constexpr sqlite3_io_methods methods{
        2,      close,      read,    write,       truncate,        sync, size,     lock,
        unlock, check_lock, control, sector_size, characteristics, map,  map_lock, barrier,
        unmap,  nullptr,    nullptr};

    static fault_vfs& owner_of(sqlite3_vfs* vfs) { return *static_cast<fault_vfs*>(vfs->pAppData); }

    static int open(sqlite3_vfs* vfs, char const* name, sqlite3_file* file, int flags, int* out)
    {
        auto& owner = owner_of(vfs);
        auto* const self = new (file) fault_file{};
        bool survives = false;
        if (owner.is_dead())
            return SQLITE_CANTOPEN;
        if (int const judged = owner.judge(fault_vfs::operation::open, survives))
            return judged == SQLITE_FULL ? SQLITE_CANTOPEN_FULLPATH : SQLITE_CANTOPEN;
        std::string const path = name == nullptr ? "" : name;
        owner.opened(path);
        int const answer = owner.real_->xOpen(owner.real_, name, real(file), flags, out);
        if (answer != SQLITE_OK)
            return answer;
        self->base.pMethods = &methods;
        self->owner = &owner;
        self->path = new std::string(path);
        owner.opened();
        return SQLITE_OK;
    }
    static int remove(sqlite3_vfs* vfs, char const* name, int sync_directory)
    {
        auto& owner = owner_of(vfs);
        if (owner.is_dead())
            return SQLITE_IOERR_DELETE;
        owner.removed(name);
        return owner.real_->xDelete(owner.real_, name, sync_directory);
    }
};

fault_vfs::fault_vfs()
    : real_(::sqlite3_vfs_find(nullptr)),
      name_(next_name()),
      vfs_(std::make_unique<sqlite3_vfs>(*real_))
{
    vfs_->pNext = nullptr;
    vfs_->zName = name_.c_str();
    vfs_->pAppData = this;
    vfs_->szOsFile = static_cast<int>(sizeof(fault_file)) + real_->szOsFile;
    vfs_->xOpen = fault_file::open;
    vfs_->xDelete = fault_file::remove;
    ::sqlite3_vfs_register(vfs_.get(), 0);
}

fault_vfs::~fault_vfs()
{
    // A store whose last owner was its own thread is destroyed on another one.
    std::unique_lock lock(mutex_);
    all_closed_.wait_for(lock, patience, [&] { return open_ == 0; });
    lock.unlock();
    ::sqlite3_vfs_unregister(vfs_.get());
}

void fault_vfs::arm(fault fault)
{
    std::scoped_lock const lock(mutex_);
    fault_ = fault;
    count_ = 0;
    failed_ = false;
}

void fault_vfs::disarm()
{
    std::scoped_lock const lock(mutex_);
    fault_.reset();
}

bool fault_vfs::has_failed() const
{
    std::scoped_lock const lock(mutex_);
    return failed_;
}

unsigned fault_vfs::count() const
{
    std::scoped_lock const lock(mutex_);
    return count_;
}

void fault_vfs::set_capacity(std::filesystem::path const& directory, std::uint64_t bytes)
{
    std::scoped_lock const lock(mutex_);
    directory_ = directory;
    capacity_ = bytes;
}

void fault_vfs::remove_capacity()
{
    std::scoped_lock const lock(mutex_);
    capacity_.reset();
}

std::uint64_t fault_vfs::used(std::filesystem::path const& directory)
{
    std::uint64_t bytes = 0;
    for (auto const* const name : {"belay.db", "belay.db-wal", "belay.reserve"}) {
        std::error_code problem;
        auto const size = std::filesystem::file_size(directory / name, problem);
        bytes += problem ? 0 : size;
    }
    return bytes;
}

bool fault_vfs::has_room(std::string const& path, std::uint64_t bytes) const
{
    std::scoped_lock const lock(mutex_);
    if (!capacity_)
        return true;
    std::error_code problem;
    auto const size = std::filesystem::file_size(path, problem);
    std::uint64_t const there = problem ? 0 : size;
    return bytes <= there || used(directory_) + (bytes - there) <= *capacity_;
}

void fault_vfs::die()
{
    std::scoped_lock const lock(mutex_);
    dead_ = true;
}

bool fault_vfs::is_dead() const
{
    std::scoped_lock const lock(mutex_);
    return dead_;
}

int fault_vfs::judge(operation operation, bool& survives)
{
    std::scoped_lock const lock(mutex_);
    if (!fault_ || fault_->of != operation)
        return SQLITE_OK;
    ++count_;
    if (count_ < fault_->nth || (fault_->times != 0 && count_ >= fault_->nth + fault_->times))
        return SQLITE_OK;
    failed_ = true;
    survives = fault_->survives;
    return fault_->code;
}

void fault_vfs::opened(std::string const& path)
{
    std::scoped_lock const lock(mutex_);
    if (!path.empty() && !files_.contains(path))
        files_[path].synced = content_of(path);
}

void fault_vfs::opened()
{
    std::scoped_lock const lock(mutex_);
    ++open_;
}

void fault_vfs::closed()
{
    std::scoped_lock const lock(mutex_); // also while it notifies: then this may go
    --open_;
    all_closed_.notify_all();
}

void fault_vfs::removed(std::string const& path)
{
    std::scoped_lock const lock(mutex_);
    files_.erase(path);
}

void fault_vfs::wrote(std::string const& path, write write)
{
    std::scoped_lock const lock(mutex_);
    files_[path].unsynced.push_back(std::move(write));
}

void fault_vfs::synced(std::string const& path)
{
    std::scoped_lock const lock(mutex_);
    auto& file = files_[path];
    for (auto const& write : std::exchange(file.unsynced, {}))
        apply(write, file.synced);
}

void fault_vfs::apply(write const& write, std::string& content)
{
    if (write.is_truncate) {
        content.resize(write.offset);
        return;
    }
    if (content.size() < write.offset + write.bytes.size())
        content.resize(write.offset + write.bytes.size());
    content.replace(write.offset, write.bytes.size(), write.bytes);
}

void fault_vfs::cut_power(std::optional<std::uint32_t> seed)
{
    std::scoped_lock const lock(mutex_);
    std::mt19937 random(seed.value_or(0));
    for (auto& [path, file] : files_) {
        if (path.empty() || !std::filesystem::exists(path))
            continue;
        for (auto const& write : file.unsynced)
            if (seed && random() % 2 == 0)
                apply(write, file.synced);
        std::ofstream(path, std::ios::binary | std::ios::trunc) << file.synced;
        if (path.ends_with("-wal"))
            std::filesystem::remove(path.substr(0, path.size() - 3) + "shm");
    }
}

} // namespace belay::test
