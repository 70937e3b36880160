#ifndef BELAY_BATCH_DETACHED_JOBS_HPP
#define BELAY_BATCH_DETACHED_JOBS_HPP

#include "batch/host.hpp"

#include <belay/detail/asynchronous.hpp>
#include <belay/detail/slot.hpp>
#include <belay/detail/work.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

namespace belay::detail {

class batch_core;

struct detached_job {
    std::shared_ptr<batch_core> core;
    std::shared_ptr<work> jobs;
    slot* place;
    std::uint64_t index;
    std::int64_t started;
    host::visit visit;
};

/// The jobs of a batch that run without a thread, and the threads that are about to start some.
///
/// Thread safety: none.
class detached_jobs {
public:
    struct entry {
        slot* place;
        std::shared_ptr<asynchronous_body> body = nullptr; ///< once it is there
        bool killed = false;
    };

    [[nodiscard]] bool empty() const noexcept { return jobs_.empty(); }
    /// Null if there is none.
    [[nodiscard]] entry* find(std::uint64_t index) noexcept
    {
        auto const found = jobs_.find(index);
        return found == jobs_.end() ? nullptr : &found->second;
    }
    [[nodiscard]] auto& all() noexcept { return jobs_; }

    /// A job that `place` is for goes on without a thread, which `thread` starts.
    void add(std::uint64_t index, slot& place, std::shared_ptr<carrier> thread)
    {
        launches_.reserve(launches_.size() + 1); // it is added in whole or not at all
        jobs_.insert_or_assign(index, entry{&place});
        add_launch(place, std::move(thread));
    }

    /// It is in the hands of a thread again, or was abandoned: what it was.
    [[nodiscard]] std::shared_ptr<asynchronous_body> take(std::uint64_t index) noexcept
    {
        auto node = jobs_.extract(index);
        return node ? std::move(node.mapped().body) : nullptr;
    }

    /// A thread starts what is in `place`, once more.
    void add_launch(slot& place, std::shared_ptr<carrier> thread)
    {
        launches_.push_back({std::move(thread), &place});
    }

    /// The thread has started it.
    void end_launch(std::shared_ptr<carrier> const& thread) noexcept
    {
        // The innermost, where a start waits for others.
        auto const found = std::find_if(launches_.rbegin(), launches_.rend(),
                                        [&](launch const& one) { return one.thread == thread; });
        if (found != launches_.rend())
            launches_.erase(std::next(found).base());
    }

    /// The thread that starts the job in `place`, and does so no more as far as the batch is
    /// concerned; null if there is none.
    [[nodiscard]] std::shared_ptr<carrier> give_up_launch(slot const& place) noexcept
    {
        auto const found = std::ranges::find(launches_, &place, &launch::place);
        if (found == launches_.end())
            return nullptr;
        found->place = nullptr;
        return found->thread;
    }

private:
    struct launch {
        std::shared_ptr<carrier> thread;
        slot const* place; ///< null once that has ended, or was abandoned
    };

    std::unordered_map<std::uint64_t, entry> jobs_; ///< by index
    std::vector<launch> launches_;
};

} // namespace belay::detail

#endif
