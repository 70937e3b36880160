#ifndef BELAY_ENGINE_STATE_HPP
#define BELAY_ENGINE_STATE_HPP

#include "batch_core.hpp"
#include "control.hpp"
#include "host.hpp"
#include "recorded.hpp"
#include "worker_pool.hpp"

#include <belay/engine.hpp>

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
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
    void sealed(batch_core& batch) noexcept override;

    /// Takes a batch in and lets it run. Throws `error` (`shutting_down`).
    void add(std::shared_ptr<batch_core> const& batch);

    /// The same for a recorded one, which gets its sequence and is held until it is forgotten.
    /// Throws `error` (`shutting_down`, `too_many_jobs`).
    void add(std::shared_ptr<batch_core> const& batch, std::shared_ptr<recorded> const& record);

    struct held {
        std::shared_ptr<batch_core> batch;
        std::shared_ptr<recorded> record;
        time_point expires = time_point::max(); ///< when it is forgotten, once that is known
    };
    [[nodiscard]] std::optional<held> find(std::string_view id) const;
    [[nodiscard]] std::vector<held> list(std::uint64_t before, std::size_t limit) const;

    void define(job_type type);
    [[nodiscard]] std::shared_ptr<job_type const> find_type(std::string_view name) const;

    [[nodiscard]] std::size_t open_batches() const;
    [[nodiscard]] engine_options const& options() const noexcept { return options_; }

    /// Stops every open batch, waits until all have ended, and joins the threads.
    void shut_down();

private:
    /// What is left of batches that were forgotten, to be destroyed without the lock.
    using garbage = std::vector<std::shared_ptr<recorded>>;

    /// Forgets the batches that ended first until `jobs` more can be held.
    [[nodiscard]] garbage make_room(std::uint64_t jobs);
    [[nodiscard]] std::shared_ptr<recorded> forget(std::uint64_t sequence);
    void forget_expired();
    void arm_expiry();
    void dispose(garbage what);

    engine_options const options_;
    std::shared_ptr<clock> const time_;
    std::shared_ptr<executor> const runners_;

    mutable std::mutex mutex_; // guards what follows
    std::condition_variable all_ended_;
    struct opened {
        std::shared_ptr<batch_core> batch;
        std::uint64_t sequence = 0; ///< of a recorded one
    };
    std::unordered_map<batch_core*, opened> open_;
    std::map<std::uint64_t, held> records_; // by sequence
    std::set<std::pair<time_point, std::uint64_t>> expiries_; // when to forget which sequence
    std::unordered_map<std::string, std::uint64_t> sequences_;
    std::map<std::string, std::shared_ptr<job_type const>, std::less<>> types_;
    std::uint64_t next_sequence_ = 1;
    std::uint64_t recorded_jobs_ = 0;
    time_point expiry_armed_ = time_point::max();
    bool shutting_down_ = false;

    control control_;
};

} // namespace belay::detail

#endif
