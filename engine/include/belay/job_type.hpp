#ifndef BELAY_JOB_TYPE_HPP
#define BELAY_JOB_TYPE_HPP

#include <belay/batch.hpp>
#include <belay/detail/asynchronous.hpp>
#include <belay/export.hpp>
#include <belay/job.hpp>
#include <belay/job_file.hpp>
#include <belay/origin.hpp>
#include <belay/process.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace belay {

/// A list of byte strings, such as the inputs of a recorded batch. It grows by blocks: adding to a
/// long list never copies it.
class byte_strings {
public:
    byte_strings() = default;

    /// Copies of these. Throws std::bad_alloc.
    byte_strings(std::initializer_list<std::string_view> strings)
    {
        for (auto const string : strings)
            push_back(string);
    }

    /// Copies of the elements of a range. Throws std::bad_alloc.
    template <std::ranges::input_range Range>
        requires(!std::same_as<std::remove_cvref_t<Range>, byte_strings> &&
                 std::convertible_to<std::ranges::range_reference_t<Range>, std::string_view>)
    byte_strings(Range&& strings)
    {
        for (auto&& string : strings)
            push_back(string);
    }

    /// Adds a copy of `bytes` at the end. Throws std::bad_alloc.
    void push_back(std::string_view bytes)
    {
        if (size_ % block_size == 0)
            blocks_.emplace_back();
        blocks_.back().bytes.append(bytes);
        blocks_.back().ends.push_back(blocks_.back().bytes.size());
        ++size_;
    }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::string_view operator[](std::uint64_t index) const noexcept
    {
        block const& found = blocks_[index / block_size];
        std::uint64_t const place = index % block_size;
        std::size_t const begin = place == 0 ? 0 : found.ends[place - 1];
        return std::string_view(found.bytes).substr(begin, found.ends[place] - begin);
    }

private:
    static constexpr std::uint64_t block_size = 1024;

    struct block {
        std::string bytes;
        std::vector<std::size_t> ends;
    };

    std::deque<block> blocks_;
    std::uint64_t size_ = 0;
};

/// A kind of job that has a name; its inputs and outputs are bytes.
struct job_type {
    /// 1 … 64 characters out of a-z, 0-9, `-` and `_`.
    std::string name;

    /// The body: gets the input, returns what the job comes to. Called on several threads at once.
    std::function<std::string(std::string_view input, job& job)> body = {};

    /// A coroutine that each job runs, in place of a body: what `belay::coroutine` of
    /// <belay/asio.hpp> gives. While it waits it holds no thread.
    std::shared_ptr<detail::coroutine_body const> coroutine = {};

    /// A program that each job runs, in place of a body. While it runs it holds no worker.
    std::optional<process_type> process = std::nullopt;

    /// How long a body may go on after a cancel, 0 … `grace_max`; the engine's unless set.
    std::optional<std::chrono::milliseconds> grace = std::nullopt;

    /// How long an attempt may take, 1 ms or more; a batch may only make it shorter.
    std::optional<std::chrono::milliseconds> timeout = std::nullopt;

    /// The most attempts that a batch may ask for, 1 … `attempts_max`.
    unsigned max_attempts = attempts_max;

    /// How many jobs of one batch may run at the same time, from 1. Unless set as many as there are
    /// workers, which is also the most; of programs as many as there are processors, and at most
    /// what the limit on descriptors has room for; of coroutines `coroutine_concurrency`, and at
    /// most `coroutine_concurrency_max`.
    std::optional<std::size_t> concurrency = std::nullopt;
};

/// Who asked for a batch in a way that may be repeated, and with what.
struct idempotency {
    std::string key;
    std::string digest; ///< of all that was asked for
};

/// What was made under an idempotency key.
struct idempotent_batch {
    std::string digest;
    std::string batch_id;
    time_point created_at;
};

/// What a recorded batch is made of.
struct batch_spec {
    std::string type;             ///< the name of a defined type
    byte_strings inputs = {};     ///< one a job
    batch_options options = {};
    std::string name = {};        ///< for people
    std::string owner = {};       ///< whose it is
    std::string collection = {};  ///< a label of the caller's
    std::string created_by = {};  ///< who asked for it
    std::string from = {};        ///< the id of the batch whose jobs it takes up, if it does
    origin_ptr origin = {};       ///< with what request
    /// What it is found by for 24 hours: see `engine::submit`.
    std::optional<belay::idempotency> idempotency = std::nullopt;
};

/// What the program of a job has written on one of its streams, as far as that is kept.
struct job_log {
    unsigned attempt; ///< whose it is
    bool is_over;     ///< that attempt has ended: nothing comes after this
    bool is_cut;      ///< more was written than is kept
    job_file bytes;   ///< what there was when this was asked for
};

/// How often jobs of a batch failed in one way.
struct error_count {
    failure code;
    std::string message;
    std::uint64_t count;
    bool operator==(error_count const&) const = default;
};

/// What a job returned that succeeded.
struct recorded_result {
    std::uint64_t index;
    std::string value;
};

/// A job that failed, and why.
struct recorded_failure {
    std::uint64_t index;
    failure code;
    std::string message;
};

/// A batch of a named type, held by the engine under an id.
class BELAY_EXPORT recorded_batch : public any_batch {
public:
    /// An empty handle.
    recorded_batch() noexcept = default;

    /// `batch-` and 26 characters of Crockford's base32, lower case; unguessable.
    [[nodiscard]] std::string const& id() const;

    /// Its place in the order of creation, from 1.
    [[nodiscard]] std::uint64_t sequence() const;

    /// As in its `batch_spec`.
    [[nodiscard]] std::string const& type() const;
    [[nodiscard]] std::string const& name() const;
    [[nodiscard]] std::string const& owner() const;
    [[nodiscard]] std::string const& collection() const;
    [[nodiscard]] std::string const& created_by() const;
    [[nodiscard]] std::string const& from() const;
    [[nodiscard]] origin_ptr const& origin() const;

    /// What the files hold of the disk that were uploaded for its jobs (`upload::stored_bytes`); 0
    /// if none were.
    [[nodiscard]] std::uint64_t upload_bytes() const;

    /// The input of a job. Throws `error` (`no_such_job`, `store_failed`).
    [[nodiscard]] std::string input(std::uint64_t index) const;

    /// What a job returned; nothing if it has not succeeded. Throws `error`
    /// (`no_such_job`; `no_value` if the batch was forgotten; `store_failed`).
    [[nodiscard]] std::optional<std::string> output(std::uint64_t index) const;

    /// The output that a job has left; nothing if it has left none, or has not succeeded. Throws
    /// `error` (`no_such_job`, `store_failed`).
    [[nodiscard]] std::optional<job_file> open_output(std::uint64_t index) const;

    /// What the program of a job writes, also while it runs: of the last attempt that has begun, or
    /// of the one that is said, as long as that is kept, which it is until another but one has
    /// begun. Nothing if none has begun, or the job's type runs no programs. It is no result: not
    /// all of it may be there after a crash. Throws `error` (`no_such_job`, `store_failed`,
    /// `resources_exhausted`).
    [[nodiscard]] std::optional<job_log> open_log(std::uint64_t index, job_stream stream,
                                                  std::optional<unsigned> attempt = {}) const;

    /// Shows to `visit` how long the last attempt of each job from `first` to below `end` took that
    /// was begun and has ended, by index. `visit` must not use the batch. Throws `error`
    /// (`store_failed`).
    void durations(
        std::uint64_t first, std::uint64_t end,
        std::function<void(std::uint64_t index, std::chrono::nanoseconds)> const& visit) const;

    /// What has succeeded so far, by index, as `batch<R>::results`.
    [[nodiscard]] auto results() const
    {
        return detail::ended_jobs<recorded_batch, job_state::succeeded>(*this);
    }

    /// What has failed so far, likewise: a forward range of `recorded_failure`.
    [[nodiscard]] auto failures() const
    {
        return detail::ended_jobs<recorded_batch, job_state::failed>(*this);
    }

    /// Why its jobs failed, the most frequent first, at most `most`. After 1,000 different messages
    /// new ones are not counted, nor those that would make them longer than 1 MiB in all.
    [[nodiscard]] std::vector<error_count> errors(std::size_t most) const;

private:
    friend class engine;
    friend class batch_draft;
    template <class Batch, job_state State>
    friend class detail::ended_jobs;
    recorded_batch(std::shared_ptr<detail::batch_core> core,
                   std::shared_ptr<class recorded> recorded) noexcept
        : any_batch(std::move(core)), recorded_(std::move(recorded))
    {
    }
    template <job_state State>
    [[nodiscard]] auto ended(std::uint64_t index) const
    {
        if constexpr (State == job_state::failed) {
            auto status = job(index);
            return recorded_failure{index, status.failure.value_or(failure::failed),
                                    std::move(status.message)};
        } else {
            return recorded_result{index, *output(index)};
        }
    }
    [[nodiscard]] class recorded& record() const;

    std::shared_ptr<class recorded> recorded_;
};

} // namespace belay

#endif
