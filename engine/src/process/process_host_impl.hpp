// What a host and its programs share. Not for others.
#ifndef BELAY_PROCESS_PROCESS_HOST_IMPL_HPP
#define BELAY_PROCESS_PROCESS_HOST_IMPL_HPP

#include "cgroup.hpp"
#include "process_host.hpp"
#include "process_records.hpp"
#include "spawn.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

namespace belay::detail {

class program_run;

class process_host::impl {
public:
    explicit impl(process_host::setup setup);
    ~impl();

    std::uint64_t recover();
    /// Made when it is asked for, if it is to be one of its own.
    [[nodiscard]] std::filesystem::path const& directory();
    [[nodiscard]] job_outputs* known_outputs();
    [[nodiscard]] std::filesystem::path make_scratch();
    void remove_scratch(std::filesystem::path directory);
    /// Makes the thread, if it is not there.
    void run();
    /// Has `action` called on a thread for what may wait for a disk.
    void on_files(std::function<void()> action);
    void stop();

    // What follows is its thread's own.

    /// One that was started, until it is over.
    void add(std::shared_ptr<program_run> program) { running_.insert(std::move(program)); }
    void remove(std::shared_ptr<program_run> const& program) { running_.erase(program); }

    [[nodiscard]] spawned spawn(spawn_request const& request);
    /// One that nothing is in; nothing where there are none.
    [[nodiscard]] std::optional<cgroup> take_cgroup();
    void give_back(cgroup empty) { free_cgroups_.push_back(std::move(empty)); }
    /// Whether there may be descendants that have left their group.
    [[nodiscard]] bool has_strays();
    /// Looks for what is left of it until there is nothing.
    void sweep(std::shared_ptr<program_run> program);
    void reap_strays();

    process_host::setup const options;
    boost::asio::io_context context;
    std::optional<process_records> records;
    std::optional<job_outputs> outputs;
    std::array<char, 64 * 1024> buffer; ///< what is read from a pipe

private:
    void prepare();
    void sweep_now();

    std::mutex mutex_;
    std::filesystem::path directory_;         // guarded by mutex_
    bool is_own_directory_ = false;           // likewise: it goes with this
    bool stopped_ = false;                    // likewise
    bool files_stopped_ = false;              // likewise
    std::thread thread_;                      // likewise
    std::thread files_thread_;                // likewise
    std::atomic<std::uint64_t> next_scratch_{0};
    using work_guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;
    std::optional<work_guard> work_;
    boost::asio::io_context files_;
    std::optional<work_guard> files_work_;
    std::optional<spawner> spawner_;
    std::optional<cgroup> cgroup_;
    std::vector<cgroup> free_cgroups_; // making and removing them takes longer than a short program
    std::uint64_t next_cgroup_ = 0;
    std::unordered_set<std::shared_ptr<program_run>> running_;
    std::vector<std::shared_ptr<program_run>> sweeping_;
    boost::asio::steady_timer sweep_timer_;
    std::chrono::milliseconds sweep_pause_{0};
};

} // namespace belay::detail

#endif
