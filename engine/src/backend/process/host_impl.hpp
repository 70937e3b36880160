// What a host and its programs share. Not for others.
#ifndef BELAY_BACKEND_PROCESS_HOST_IMPL_HPP
#define BELAY_BACKEND_PROCESS_HOST_IMPL_HPP

#include "backend/process/caller_threads.hpp"
#include "backend/process/cgroup.hpp"
#include "backend/process/descriptors.hpp"
#include "backend/process/host.hpp"
#include "backend/process/log_writer.hpp"
#include "backend/process/records.hpp"
#include "backend/process/spawn.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

namespace belay::detail {

class program_run;

/// Also what a program has made unreadable. Gives what kept something from going.
std::error_code remove_tree(std::filesystem::path const& path);

class process_host::impl {
public:
    /// Programs are moved from list to list, so that none of this needs memory.
    using programs = std::list<std::shared_ptr<program_run>>;
    using place_of_program = programs::iterator;

    explicit impl(process_host::setup setup);
    ~impl();

    std::uint64_t recover();
    /// Made when it is asked for, if it is to be one of its own.
    [[nodiscard]] std::filesystem::path const& directory();
    [[nodiscard]] job_outputs* known_outputs();
    [[nodiscard]] job_logs* known_logs();
    [[nodiscard]] std::filesystem::path make_scratch();
    void remove_scratch(std::filesystem::path directory);
    void try_to_forget(std::uint64_t sequence);
    /// Makes its threads, if they are not there. Throws std::system_error.
    void run();
    /// Has `action` called on a thread for what may wait for a disk.
    void on_files(std::function<void()> action);
    /// The same after a short while, unless the host ends before.
    void on_files_later(std::function<void()> action);
    void stop();
    [[nodiscard]] std::size_t at_most(std::size_t wanted) const noexcept;

    /// Has each program do what it is time for, soon: what was to see to that could not be had.
    void look_again() noexcept;

    /// Notes the exception in flight, which `what` let out.
    void report(std::string_view what) const noexcept;

    // What follows is its thread's own.

    /// One that is to be started, until it is over: `only` is the list that it lies in.
    void line_up(programs& only);
    void has_started(place_of_program place) noexcept;
    void remove(place_of_program place, bool was_started) noexcept;

    [[nodiscard]] spawned spawn(spawn_request const& request);
    /// Why a program had to be put off: the exception in flight.
    void put_off() noexcept;
    /// One that nothing is in; nothing where there are none.
    [[nodiscard]] std::optional<cgroup> take_cgroup();
    void give_back(cgroup empty);
    /// What `look` gives, which may take the descriptors that are kept back if there are no others.
    template <class Look>
    auto with_descriptors(Look const& look) -> decltype(look())
    {
        try {
            return look();
        } catch (std::system_error const&) {
            auto const lent = reserve_.lend();
            return look();
        }
    }
    void kill(cgroup const& group) noexcept;
    /// Something else waits for the children of this process, or nothing does any more.
    void ends_are_taken(bool taken) noexcept;
    /// Whether there may be descendants that have left their group.
    [[nodiscard]] bool has_strays();
    /// Looks for what is left of it until there is nothing.
    void sweep(std::shared_ptr<program_run> program);
    void reap_strays();

    process_host::setup const options;
    bool const remembers_ends; ///< those too that something else has waited for
    boost::asio::io_context context;
    std::optional<process_records> records;
    std::optional<job_outputs> outputs;
    std::shared_ptr<job_logs> logs;     ///< there as soon as `outputs` is
    std::array<char, 64 * 1024> buffer; ///< what is read from a pipe
    caller_threads callers;
    log_writer log_pieces; ///< what programs have said, until it is in their logs

private:
    void use_directory(std::filesystem::path const& path);
    void prepare();
    [[nodiscard]] bool is_prepared();
    void can_prepare() noexcept;
    void run_programs();
    [[nodiscard]] bool look_at_all() noexcept;
    void run_files();
    void make_files_thread(); // with mutex_ held
    void start_files_thread();
    void put_in_later();
    void try_to_remove(std::filesystem::path const& directory);
    void start_waiting();
    void sweep_now();
    void drop_idle_cgroups();
    void drop_first_cgroup();

    std::mutex mutex_;
    std::filesystem::path directory_;          // guarded by mutex_
    bool is_own_directory_ = false;            // likewise: it goes with this
    bool stopped_ = false;                     // likewise
    bool files_stopped_ = false;               // likewise
    std::vector<std::function<void()>> later_; // likewise: to be put into files_
    std::thread thread_;                       // likewise
    std::thread files_thread_;                 // likewise
    std::atomic<std::uint64_t> next_scratch_{0};
    using work_guard = boost::asio::executor_work_guard<boost::asio::io_context::executor_type>;
    std::optional<work_guard> work_;
    boost::asio::io_context files_;
    std::optional<work_guard> files_work_;
    std::optional<spawner> spawner_;
    std::optional<cgroup> cgroup_;
    struct idle_cgroup {
        cgroup group;
        std::chrono::steady_clock::time_point since;
    };
    // Making and removing them takes longer than a short program. Those used last are behind.
    std::deque<idle_cgroup> idle_cgroups_;
    boost::asio::steady_timer idle_timer_;
    std::uint64_t next_cgroup_ = 0;
    programs waiting_; // to be started
    programs running_;
    std::size_t started_ = 0; // those whose descriptors are in use
    std::atomic<bool> looks_again_{false};
    boost::asio::steady_timer waiting_timer_;
    std::chrono::milliseconds waiting_pause_{0};
    bool is_prepared_ = false;
    bool is_put_off_ = false; // the notice board says why
    bool cannot_prepare_ = false; // likewise, as a problem
    bool ends_are_taken_ = false;
    mutable std::atomic<std::uint64_t> noticed_limit_{0}; // what the notice board may tell of
    descriptor_reserve reserve_;
    std::vector<std::shared_ptr<program_run>> sweeping_;
    boost::asio::steady_timer sweep_timer_;
    std::chrono::milliseconds sweep_pause_{0};
};

} // namespace belay::detail

#endif
