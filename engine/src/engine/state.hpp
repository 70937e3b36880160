// This folder: the engine: which batches there are, who is told of time, what an earlier process
// has left. Everything but api comes in.
#ifndef BELAY_ENGINE_STATE_HPP
#define BELAY_ENGINE_STATE_HPP

#include "backend/process/host.hpp"
#include "backend/threads/worker_pool.hpp"
#include "base/memory_budget.hpp"
#include "base/problem_board.hpp"
#include "batch/core.hpp"
#include "batch/host.hpp"
#include "batch/news_queue.hpp"
#include "batch/suspects.hpp"
#include "engine/control.hpp"
#include "engine/held_batches.hpp"
#include "engine/idempotency_claims.hpp"
#include "engine/operations.hpp"
#include "recorded/coroutines.hpp"
#include "recorded/programs.hpp"
#include "recorded/recorded.hpp"
#include "recorded/threads.hpp"
#include "store/store.hpp"

#include <belay/engine.hpp>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace belay::detail {

/// All that an engine is. Shared with its batches, so that what was abandoned finds it.
class engine_state final : public host, public std::enable_shared_from_this<engine_state> {
public:
    explicit engine_state(engine_options options);

    // host
    [[nodiscard]] clock& time() noexcept override { return *time_; }
    [[nodiscard]] executor& runners() noexcept override { return *runners_; }
    [[nodiscard]] executor& launchers() noexcept override { return launchers_; }
    [[nodiscard]] std::chrono::nanoseconds quantum(unsigned weight) const noexcept override;
    void call_at(void const* owner, time_point at, std::function<void()> action) override
    {
        control_.call_at(owner, at, std::move(action));
    }
    [[nodiscard]] visit turn_begins(std::shared_ptr<batch_core> batch) override
    {
        return control_.turn_begins(std::move(batch));
    }
    void turn_ended(visit visit) noexcept override { control_.turn_ended(visit); }
    [[nodiscard]] problem_board& board() noexcept override { return board_; }
    [[nodiscard]] news_queue& news() noexcept override { return news_; }
    [[nodiscard]] suspects& crash_suspects() noexcept override { return suspects_; }
    [[nodiscard]] std::unique_ptr<output_draft> make_output() override
    {
        return std::make_unique<output_draft>(processes_.make_output());
    }
    /// Throws std::system_error.
    [[nodiscard]] job_outputs& outputs() { return processes_.made_outputs(); }
    void drop(upload_draft draft) { processes_.drop(std::move(draft)); }
    [[nodiscard]] bool take_memory(std::uint64_t bytes) override;
    void give_memory(std::uint64_t bytes) noexcept override { memory_->give(bytes); }
    void sealed(batch_core& batch) noexcept override;

    /// Takes a batch in and lets it run. Throws `error` (`shutting_down`).
    void add(std::shared_ptr<batch_core> const& batch);

    using held = held_batch;

    /// Takes memory for a recorded batch, which is to be taken in or given up; how many bytes.
    /// Throws `error` (`shutting_down`, `memory_exhausted`).
    [[nodiscard]] std::uint64_t reserve(stored_batch const& batch);
    /// Takes in a recorded batch for which `bytes` were taken; lets it run if its type is known.
    /// Throws std::bad_alloc, std::system_error; then they are to be given back.
    void add(held const& batch, std::uint64_t bytes);

    /// What recorded batches hold.
    [[nodiscard]] std::shared_ptr<memory_budget> const& memory() const noexcept { return memory_; }
    /// That `what` does not fit: for whoever throws.
    [[nodiscard]] error memory_exhausted(std::string const& what, std::uint64_t bytes) const;
    /// Has the store take a new batch, and tells `done` once why not, if not. If the engine ends
    /// before the store has answered it is not known: `error` (`outcome_unknown`). Throws what the
    /// store does; `done` is not called after that.
    void create(std::uint64_t sequence, change::created what,
                std::function<void(std::exception_ptr const&)> done);

    [[nodiscard]] std::optional<held> find(std::string_view id);
    [[nodiscard]] std::vector<held> list(std::uint64_t before, std::size_t limit);
    /// The one of that sequence.
    [[nodiscard]] std::optional<held> find(std::uint64_t sequence);
    void forget(std::uint64_t sequence, persistence how,
                std::function<void(std::exception_ptr)> done);
    /// The one of that id, if it is open; asks no store.
    [[nodiscard]] std::optional<held> find_open(std::string_view id) const;
    /// At most `limit` of the recorded batches that are open and whose sequence is above `after`,
    /// lowest first.
    [[nodiscard]] std::vector<held> list_open(std::uint64_t after, std::size_t limit) const;

    /// A batch that can be cancelled; or how it has ended, or nothing for one that is not there.
    struct to_cancel {
        std::shared_ptr<batch_core> batch = {};
        std::optional<batch_state> end = {};
        bool is_coming = false; ///< it is there, and about to be at hand
    };
    /// Throws `error` (`store_failed`, `resources_exhausted`).
    [[nodiscard]] to_cancel find_to_cancel(std::uint64_t sequence);

    [[nodiscard]] operations& operations_at_work() noexcept { return operations_; }

    /// Removes what is kept of its jobs beside the store, later.
    void forget_files(std::uint64_t sequence);

    [[nodiscard]] belay::store& store() noexcept { return *store_; }
    [[nodiscard]] std::shared_ptr<belay::store> const& shared_store() noexcept { return store_; }

    [[nodiscard]] idempotency_claims& claims() noexcept { return claims_; }

    /// Has `engine_options::on_problem` told of the store's problems, too.
    void watch_store();

    /// Takes up what an earlier process left. Throws `error` (`store_failed`).
    void recover();

    /// A batch of the store's, its jobs not restored yet.
    [[nodiscard]] held restore(stored_batch const& batch);

    void define(job_type type);
    [[nodiscard]] std::shared_ptr<job_type const> find_type(std::string_view name) const;

    /// The most jobs of a batch of this type that run at the same time.
    [[nodiscard]] std::size_t concurrency_of(job_type const& type) const noexcept
    {
        return backend_of(type).concurrency(type);
    }

    [[nodiscard]] std::size_t open_batches() const;
    [[nodiscard]] std::vector<std::shared_ptr<batch_core>> open() const;
    [[nodiscard]] std::vector<std::string> problems() const;
    [[nodiscard]] std::vector<std::string> notices() const;
    [[nodiscard]] engine_options const& options() const noexcept { return options_; }

    /// Has what has expired at that time forgotten.
    void arm_expiry(time_point at);

    /// Stops every open batch, or lets go of it where the store is durable, waits until that is
    /// done, and joins the threads. No store holds it up for longer than the longest grace and a
    /// second.
    void shut_down();

private:
    [[nodiscard]] backend& backend_of(job_type const& type) const noexcept;
    [[nodiscard]] worker_pool::setup pool_setup(char const* name, std::size_t threads);
    void insert(stored_batch const& about, held const& batch, std::uint64_t forgotten);
    [[nodiscard]] std::optional<held> find(stored_batch const& stored);
    void drop(held_batches::list gone);
    void let_go(held_batches::list gone) noexcept;
    void stored(std::uint64_t sequence, std::exception_ptr const& failed);
    void give_up_creations();
    void count_crash(std::vector<stored_batch> const& batches);
    void recover(stored_batch const& batch);
    void cancel_as_recorded(std::vector<open_operation> const& operations,
                            std::vector<stored_batch>& batches);
    void record_cancels(std::vector<stored_batch const*> const& batches);
    void look_for_expired();
    void look_for_expired_operations();

    engine_options const options_;
    std::shared_ptr<clock> const time_;
    problem_board board_;
    suspects suspects_;
    news_queue news_;
    std::shared_ptr<executor> const runners_;
    worker_pool launchers_; ///< start programs and coroutines
    std::shared_ptr<memory_budget> const memory_;
    std::shared_ptr<belay::store> const store_;

    process_host processes_;
    thread_backend threads_;
    coroutine_backend coroutines_;
    program_backend programs_;
    std::array<backend*, 3> const backends_{&threads_, &coroutines_, &programs_};
    idempotency_claims claims_;

    mutable std::mutex mutex_; // guards what follows
    std::condition_variable all_ended_;
    std::unordered_map<batch_core*, std::shared_ptr<batch_core>> open_;
    // By sequence, who waits for the store to take it.
    std::unordered_map<std::uint64_t, std::function<void(std::exception_ptr const&)>> creations_;
    held_batches batches_; // the recorded ones that are open, and some that have ended
    std::set<std::uint64_t> forgetting_; // sequences, until the store has forgotten them
    std::uint64_t forgotten_ = 0;        // how often it has
    std::map<std::string, std::shared_ptr<job_type const>, std::less<>> types_;
    std::unordered_map<batch_core*, held> untyped_; // what waits for its type
    time_point expiry_armed_ = time_point::max();
    bool shutting_down_ = false;

    control control_;
    operations operations_{*this};
};

} // namespace belay::detail

#endif
