// One program of a job: how it is started, stopped, killed, and what it leaves.
#ifndef BELAY_BACKEND_PROCESS_PROGRAM_HPP
#define BELAY_BACKEND_PROCESS_PROGRAM_HPP

#include "backend/process/cgroup.hpp"
#include "backend/process/host.hpp"
#include "backend/process/host_impl.hpp"
#include "backend/process/spawn.hpp"
#include "backend/process/tree.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace belay::detail {

/// Lifetime: the host holds it from its start to its end.
/// Thread safety: `start`, `stop` and `kill` may be called from any thread; the rest is the host's
/// thread's own.
class program_run final : public process_host::program,
                          public std::enable_shared_from_this<program_run> {
public:
    program_run(process_host::impl& host, program_setup setup);

    void start() override;
    void stop() noexcept override;
    void kill() noexcept override;

    /// Has been put among those that wait, as `place` says.
    void lined_up(process_host::impl::place_of_program place);
    /// Whether it waits no longer for a start, since it was stopped.
    [[nodiscard]] bool is_stopped() const noexcept { return is_stopped_; }
    /// Starts it; false if that has to be put off.
    [[nodiscard]] bool begin();
    /// Does what it is time for, of which something may not have happened for want of memory; false
    /// if it is so again.
    [[nodiscard]] bool go_on() noexcept;

    // The search for what has left its group, where there is no cgroup.
    [[nodiscard]] tree_root root() const { return {is_gone_ ? 0 : pid_, started_, setup_.marker}; }
    /// A look at all processes found some of it, or not; true if it is over with that.
    [[nodiscard]] bool looked(bool found_any);

    /// The host ends, whatever this is doing.
    void give_up() noexcept;

private:
    /// A pipe that the program writes into.
    struct pipe {
        pipe(boost::asio::io_context& context, job_stream which)
            : descriptor(context), stream(which)
        {
        }
        boost::asio::posix::stream_descriptor descriptor;
        std::uint64_t bytes = 0; ///< read so far
        std::string line = {};   ///< the begin of one that has not ended
        job_stream stream;
        log_writer::log_ptr log = {}; ///< if it was begun
        std::uint64_t logged = 0;     ///< bytes of it that were handed on to that
        bool log_is_over = false;     ///< nothing is added to it any more
    };

    /// The most that is read from a pipe before others have their turn, and once its program has
    /// ended.
    static constexpr std::size_t read_bytes_max = 1024 * 1024;

    void heed();
    void launch();
    [[nodiscard]] spawn_request request() const;
    [[nodiscard]] file open_input() const;
    void take_up(spawned child, file output, file error);
    void note_start(std::uint64_t not_before);
    void watch_leader();
    void guarded(std::function<void()> const& step);
    void broke_down();
    void look_for_end();
    void after(std::chrono::milliseconds pause, std::function<void()> step);
    void watch(pipe& from);
    [[nodiscard]] bool can_take(pipe const& from);
    /// Reads what is there, at most `most` bytes; false once there will be no more.
    [[nodiscard]] bool read(pipe& from, std::size_t most);
    void take(pipe& from, std::string_view bytes);
    void begin_log() noexcept;
    void log(pipe& from, std::string_view bytes) noexcept;
    [[nodiscard]] bool waits_for_logs();
    void look_for_progress(pipe& from, std::string_view bytes);
    void fail(std::exception_ptr problem);
    [[nodiscard]] int pidfd() noexcept;
    [[nodiscard]] bool has_ended() noexcept;
    void signal_group(int number) noexcept;
    void kill_tree();
    void leader_ended();
    void wait_for_cgroup();
    void reap();
    [[nodiscard]] bool learn_end();
    void finish();
    void go_on_with_end();
    void hand_to_files();
    void collect() noexcept;
    void tell();
    void leave() noexcept;
    void report() const noexcept;

    enum class order : std::uint8_t { none, stop, kill };
    void give(order order) noexcept;

    /// Who has `end_` and `draft_`: this, or the thread for files until it has kept the output, or
    /// found that it can't at the moment.
    enum class keeping : std::uint8_t { not_begun, under_way, put_off, over };

    process_host::impl& host_;
    program_setup setup_;
    std::shared_ptr<program_end> const end_ = std::make_shared<program_end>();
    process_host::impl::place_of_program place_; ///< with the host, from when it was lined up
    std::atomic<order> ordered_{order::none};
    order heeded_ = order::none; ///< of what was ordered
    std::atomic<keeping> keeping_{keeping::not_begun};
    std::atomic<bool> is_stopped_{false}; ///< told to stop, or killed for whatever reason
    bool is_waiting_ = false;
    bool is_over_ = false;     ///< its leader has ended
    bool is_finished_ = false; ///< and nothing is left, or it was never started
    bool is_told_ = false;
    bool is_gone_ = false; ///< and something else has waited for it: its number may be another's
    int looks_at_end_ = 0;
    int clean_looks_ = 0;
    pid_t pid_ = 0;
    std::uint64_t started_ = 0; ///< clock ticks since the system's start
    std::size_t record_ = 0;
    std::optional<cgroup> cgroup_;
    file leader_; ///< a pidfd, until it is watched
    boost::asio::posix::stream_descriptor pidfd_;
    pipe output_;
    pipe error_;
    boost::asio::steady_timer timer_;
    std::chrono::milliseconds pause_{1};
    std::optional<std::chrono::steady_clock::time_point> logs_since_; ///< it waits for them
    std::optional<output_draft> draft_; ///< what came on its standard output
};

} // namespace belay::detail

#endif
