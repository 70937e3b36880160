#ifndef BELAY_ENGINE_STATE_HPP
#define BELAY_ENGINE_STATE_HPP

#include "batch_core.hpp"
#include "control.hpp"
#include "host.hpp"
#include "idempotency_claims.hpp"
#include "problem_board.hpp"
#include "process/process_host.hpp"
#include "recorded.hpp"
#include "store.hpp"
#include "worker_pool.hpp"

#include <belay/engine.hpp>

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
    [[nodiscard]] process_host& processes() noexcept override { return processes_; }
    void sealed(batch_core& batch) noexcept override;

    /// Takes a batch in and lets it run. Throws `error` (`shutting_down`).
    void add(std::shared_ptr<batch_core> const& batch);

    struct held {
        std::shared_ptr<batch_core> batch;
        std::shared_ptr<recorded> record;
    };

    /// Makes room for a recorded batch, which is to be taken in or given up. Throws `error`
    /// (`shutting_down`, `too_many_jobs`).
    void reserve(std::uint64_t jobs);
    void give_up(std::uint64_t jobs) noexcept;
    /// Takes in a recorded batch that room was made for; lets it run if its type is known.
    void add(held const& batch);

    [[nodiscard]] std::optional<held> find(std::string_view id);
    [[nodiscard]] std::vector<held> list(std::uint64_t before, std::size_t limit);
    void forget(std::uint64_t sequence, std::function<void(std::exception_ptr)> done);

    [[nodiscard]] belay::store& store() noexcept { return *store_; }
    [[nodiscard]] std::shared_ptr<belay::store> const& shared_store() noexcept { return store_; }

    [[nodiscard]] idempotency_claims& claims() noexcept { return claims_; }

    /// Takes up what an earlier process left. Throws `error` (`store_failed`).
    void recover();

    /// A batch of the store's, its jobs not restored yet.
    [[nodiscard]] held restore(stored_batch const& batch);

    void define(job_type type);
    [[nodiscard]] std::shared_ptr<job_type const> find_type(std::string_view name) const;

    /// The most jobs of a batch of this type that run at the same time.
    [[nodiscard]] std::size_t concurrency_of(job_type const& type) const noexcept;

    [[nodiscard]] std::size_t open_batches() const;
    [[nodiscard]] std::vector<std::shared_ptr<batch_core>> open() const;
    [[nodiscard]] std::vector<std::string> problems() const;
    [[nodiscard]] engine_options const& options() const noexcept { return options_; }

    /// Stops every open batch, or lets go of it where the store is durable, waits until that is done,
    /// and joins the threads.
    void shut_down();

private:
    [[nodiscard]] std::vector<held> make_room(std::uint64_t jobs);
    void insert(held const& batch, std::uint64_t forgotten);
    [[nodiscard]] std::optional<held> extract(std::uint64_t sequence);
    void let_go(std::vector<held> batches);
    void recover(stored_batch const& batch);
    void look_for_expired();
    void arm_expiry(time_point at);

    engine_options const options_;
    std::shared_ptr<clock> const time_;
    problem_board board_;
    std::shared_ptr<executor> const runners_;
    std::shared_ptr<belay::store> const store_;

    process_host processes_;
    idempotency_claims claims_;

    mutable std::mutex mutex_; // guards what follows
    std::condition_variable all_ended_;
    std::unordered_map<batch_core*, std::shared_ptr<batch_core>> open_;
    std::map<std::uint64_t, held> records_; // by sequence: the open ones, and some that have ended
    std::unordered_map<std::string, std::uint64_t> sequences_;
    std::set<std::uint64_t> forgetting_; // sequences, until the store has forgotten them
    std::uint64_t forgotten_ = 0;        // how often it has
    std::map<std::string, std::shared_ptr<job_type const>, std::less<>> types_;
    std::map<std::string, std::vector<held>, std::less<>> untyped_; // what waits for its type
    std::uint64_t recorded_jobs_ = 0; // in records_, or with room made for them
    time_point expiry_armed_ = time_point::max();
    bool shutting_down_ = false;

    control control_;
};

} // namespace belay::detail

#endif
