// A disk for SQLite that fails when it is told to, and forgets what was not synced.
#ifndef BELAY_TESTS_SUPPORT_FAULT_VFS_HPP
#define BELAY_TESTS_SUPPORT_FAULT_VFS_HPP

#include <sqlite3.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace belay::test {

/// A SQLite VFS over the system's own, registered as long as it lives. Its end waits until all files
/// are closed.
/// Thread safety: full.
class fault_vfs {
public:
    enum class operation { open, write, sync, truncate };

    struct fault {
        operation of;
        unsigned nth = 1;      ///< which one fails, from 1
        int code = 0;          ///< what it answers
        unsigned times = 1;    ///< how many fail, from that one on; 0: all
        bool survives = false; ///< a sync that fails has done its work all the same
    };

    fault_vfs();
    ~fault_vfs();
    fault_vfs(fault_vfs const&) = delete;
    fault_vfs& operator=(fault_vfs const&) = delete;

    [[nodiscard]] std::string const& name() const noexcept { return name_; }

    /// From now on counts operations, and lets some fail.
    void arm(fault fault);
    void disarm();
    /// Whether any has failed since `arm`.
    [[nodiscard]] bool has_failed() const;
    /// How many operations of that kind there were since `arm`.
    [[nodiscard]] unsigned count() const;

    /// From now on the disk is full when the files in `directory`, save those that are mapped, have
    /// so many bytes in all.
    void set_capacity(std::filesystem::path const& directory, std::uint64_t bytes);
    void remove_capacity();
    /// How many they have.
    [[nodiscard]] static std::uint64_t used(std::filesystem::path const& directory);

    /// The process ends here: from now on nothing reaches the disk.
    void die();
    /// After `die`, and once all files are closed: the power was cut, too. What was not synced is
    /// gone; with a seed, some of it is there all the same.
    void cut_power(std::optional<std::uint32_t> seed);

private:
    friend struct fault_file;

    struct write {
        std::uint64_t offset;
        std::string bytes;
        bool is_truncate = false; ///< to `offset`
    };
    struct recorded_file {
        std::string synced;
        std::vector<write> unsynced;
    };

    /// SQLITE_OK, or what the operation is to answer.
    [[nodiscard]] int judge(operation operation, bool& survives);
    [[nodiscard]] bool is_dead() const;
    /// Whether a file may have so many bytes.
    [[nodiscard]] bool has_room(std::string const& path, std::uint64_t bytes) const;
    void opened(std::string const& path);
    void opened();
    void closed();
    void removed(std::string const& path);
    void wrote(std::string const& path, write write);
    void synced(std::string const& path);
    static void apply(write const& write, std::string& content);

    sqlite3_vfs* const real_;
    std::string const name_;
    std::unique_ptr<sqlite3_vfs> vfs_;

    mutable std::mutex mutex_; ///< guards what follows
    std::optional<fault> fault_;
    unsigned count_ = 0;
    bool failed_ = false;
    bool dead_ = false;
    std::filesystem::path directory_;
    std::optional<std::uint64_t> capacity_; ///< of `directory_`
    std::map<std::string, recorded_file> files_;
    std::size_t open_ = 0;
    std::condition_variable all_closed_;
};

} // namespace belay::test

#endif
