#ifndef BELAY_ENGINE_HPP
#define BELAY_ENGINE_HPP

#include <belay/batch.hpp>
#include <belay/cancel_operation.hpp>
#include <belay/clock.hpp>
#include <belay/executor.hpp>
#include <belay/export.hpp>
#include <belay/job_type.hpp>
#include <belay/news.hpp>
#include <belay/store.hpp>
#include <belay/upload.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace belay {

/// Something that an engine can't do, or could not do once.
struct problem {
    std::string kind;    ///< a word for those of its kind, such as `store` or `callback`
    std::string message; ///< what happened, and to what
};

/// How an engine is to work. The defaults are good for most programs.
struct engine_options {
    /// Threads that run bodies, at most 4,096; 0 means one a processor. Made at the first submit.
    /// Not with `runners`. Programs and coroutines hold none, and are started by others: as many,
    /// but 4 to 16, made at the first submit of such a batch.
    std::size_t workers = 0;

    /// How long bodies may go on after a cancel, 0 … `grace_max`, where type and batch say nothing.
    std::chrono::milliseconds grace{2000};

    /// How many threads are replaced at a time whose bodies were abandoned; beyond that there are
    /// fewer workers until such a body returns.
    std::size_t abandoned_max = 16;

    /// How long a batch of weight 10 keeps a worker before others have their turn, 50 µs … 1 s;
    /// less while many wait.
    std::chrono::microseconds quantum{1000};

    /// Where recorded batches are kept; in memory unless set. Batches that had not ended when an
    /// earlier engine did are taken up again: those of a type once that is defined.
    std::shared_ptr<belay::store> store = {};

    /// What recorded batches may hold in memory, in bytes; 0 means a quarter of the machine's
    /// memory, or of what its cgroups leave this process. With a store that is what belongs to open
    /// batches, as reckoned when each is made: a byte or two a job, and what runs. Without one it
    /// is also the inputs, results and messages of all that are kept, and to make room those that
    /// ended first are forgotten. Where that is not enough `submit` throws `memory_exhausted`, and
    /// a job whose result does not fit fails.
    std::uint64_t memory_bytes_max = 0;

    /// How long an ended recorded batch is kept where it does not say itself, 0 or more; unless set
    /// for ever, without a store as far as `memory_bytes_max` allows.
    std::optional<std::chrono::milliseconds> keep = std::nullopt;

    /// How many cancels of many batches may be under way at a time, 1 … 1,000.
    std::size_t operations_max = 64;

    /// The most bytes that a job of a recorded batch may return, 1 … 1,000,000,000, whatever kind
    /// of job it is; an attempt that returns more has failed (`failed`). Outputs are not meant.
    std::uint64_t result_bytes_max = 64 * 1024 * 1024;

    /// This process is a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER), and whatever child comes
    /// to it that way may be reaped. So what a job's program leaves behind is found at once.
    bool is_subreaper = false;

    /// Told of each new line of `problems()`, on whatever thread found it, under no lock: it should
    /// not wait. What it throws is dropped.
    std::function<void(problem const&)> on_problem = {};

    /// Called before anything else on each thread of the engine's own that runs bodies, or starts
    /// programs and coroutines. What it throws is one of `problems()`.
    std::function<void()> on_worker_start = {};

    /// The time; `system_clock()` unless set.
    std::shared_ptr<clock> time = {};

    /// Where bodies run, save coroutines; threads of the engine's own unless set.
    std::shared_ptr<executor> runners = {};
};

/// What an engine has counted since it was made. The first is 0 unless belay is broken.
struct engine_counters {
    std::uint64_t jobs_started_after_cancel = 0; ///< G1, from the ledger's own records
    std::uint64_t late_writes_refused = 0;       ///< ends of abandoned bodies (G4)
    std::uint64_t jobs_abandoned = 0;
    std::uint64_t threads_abandoned = 0; ///< whose bodies are still running
    std::uint64_t processes_killed = 0;  ///< at the start: what an earlier run's jobs had left
};

/// How busy an engine is.
struct engine_load {
    std::size_t workers = 0; ///< bodies that may run at the same time
    std::size_t open_batches = 0;
    std::size_t runners_waiting = 0; ///< for a worker: each of a batch that has jobs for it
    std::uint64_t memory_bytes = 0;  ///< of `memory_bytes_max`: what recorded batches hold
    std::uint64_t memory_bytes_max = 0;
};

namespace detail {
class engine_state;

/// What a body gives, and the `work` that runs it. <belay/asio.hpp> says that of coroutines.
template <class Body, class Input>
struct body_traits;
template <class Body, class Input>
    requires std::invocable<Body const&, Input, job&>
struct body_traits<Body, Input> {
    using result = std::decay_t<std::invoke_result_t<Body const&, Input, job&>>;
    template <class Inputs>
    using work = body_work<result, Inputs, Body>;
};
template <class Body, class Input>
    requires(!std::invocable<Body const&, Input, job&> && std::invocable<Body const&, Input>)
struct body_traits<Body, Input> {
    using result = std::decay_t<std::invoke_result_t<Body const&, Input>>;
    template <class Inputs>
    using work = body_work<result, Inputs, Body>;
};

/// Something that can be called, const, with an input and maybe a `job&`.
template <class Body, class Input>
concept body_for = requires { typename body_traits<Body, Input>::result; };

/// What the inputs of a batch may be.
template <class Range>
concept inputs_range =
    std::ranges::random_access_range<Range const> && std::ranges::sized_range<Range const>;

struct index_input {
    std::uint64_t operator()(std::uint64_t index) const noexcept { return index; }
};

template <class Range>
struct range_input {
    Range range;
    decltype(auto) operator()(std::uint64_t index) const
    {
        return std::ranges::begin(range)[static_cast<std::ranges::range_difference_t<Range>>(
            index)];
    }
};
} // namespace detail

/// A recorded batch on its way: its inputs go to the store as they come, and nobody sees it before
/// `submit`. Dropped without that, nothing is kept of it.
///
/// Lifetime: moved, not copied. It may outlive the engine; `submit` then throws `shutting_down`.
/// Thread safety: none.
class BELAY_EXPORT batch_draft {
public:
    batch_draft(batch_draft&&) noexcept;
    batch_draft& operator=(batch_draft&&) noexcept;
    ~batch_draft();

    /// Adds the input of one more job. Throws `error` (`store_failed`, `store_full`) if earlier
    /// ones could not be written, `memory_exhausted` where those that wait for the disk, or are kept
    /// in memory, do not fit, std::bad_alloc; then it can only be dropped.
    void add(std::string_view input);

    /// How many there are.
    [[nodiscard]] std::uint64_t size() const noexcept;

    /// Whether so many of them wait to be written that no more should come.
    [[nodiscard]] bool is_full() const noexcept;

    /// Calls `callback` once it is not full any more, on any thread, maybe inside this call.
    void when_not_full(std::function<void()> callback) const;

    /// Says what the batch is to be found by, if `batch_spec::idempotency` could not.
    void set_idempotency(idempotency value);

    /// Gives its jobs a file each: the first has the first one. `submit` then waits for the disk to
    /// have them. Throws `error` (`invalid_argument`) if it is of another engine. Once.
    void attach(upload files);

    /// Starts the batch once all of it is durable; as to its idempotency key see `engine::submit`.
    /// Throws `error` (`store_failed`, `store_full`, `resources_exhausted`, `memory_exhausted`,
    /// `idempotency_conflict`, `shutting_down`), and nothing is kept; or (`outcome_unknown`) if the
    /// engine ends before the store has answered. Once.
    recorded_batch submit();

    /// The same, without waiting for the store, but for the disk if files were attached: `done` is
    /// called once, on any thread, maybe inside
    /// this call, with a batch or with why there is none.
    void submit(std::function<void(std::optional<recorded_batch>, std::exception_ptr)> done);

private:
    friend class engine;
    struct state;
    explicit batch_draft(std::shared_ptr<state> state) noexcept;
    std::shared_ptr<state> state_;
};

/// Runs batches of jobs, and stops them.
///
/// Lifetime: neither copied nor moved. The destructor stops what is open (cause `shutdown`) and is
/// back when every batch has ended, at the latest its grace and a second later, also if the store
/// never answers (who waits for it is told `outcome_unknown`); threads of abandoned bodies go on
/// until those return. With a store on disk that is no cancel: what ran is pending again, and goes
/// on with the next engine that has the store. Meanwhile bodies may use the engine,
/// but `submit` throws `shutting_down`. Not to be destroyed inside a body or a callback of its own.
/// No thread is made before the first submit, unless the store has something to take up.
/// Thread safety: every member may be called from any thread.
class BELAY_EXPORT engine {
public:
    /// Throws `error` (`invalid_argument`) for an option out of range.
    explicit engine(engine_options options = {});
    ~engine();
    engine(engine const&) = delete;
    engine& operator=(engine const&) = delete;

    /// Runs `body(index, job)` or `body(index)` for every index below `count`. The body is called,
    /// const, on several threads at once; what it refers to must outlive it, also if it is
    /// abandoned: capture by value. Throws `error` (`invalid_argument`, `shutting_down`),
    /// std::bad_alloc.
    template <class Body>
    auto submit(std::uint64_t count, Body body, batch_options const& options = {})
    {
        static_assert(detail::body_for<Body, std::uint64_t>,
                      "a body is called, const, as body(index) or body(index, job), with "
                      "std::uint64_t and belay::job&");
        return submit_typed<std::uint64_t>(count, detail::index_input{}, std::move(body), options);
    }

    /// The same for every element of a range, as `body(element, job)` or `body(element)`. The
    /// range, one of random access that knows its size, is kept by value: containers that are not
    /// moved in are copied, views are not.
    template <class Range, class Body>
        requires(!std::convertible_to<Range, std::uint64_t>)
    auto submit(Range&& inputs, Body body, batch_options const& options = {})
    {
        using range = std::decay_t<Range>;
        if constexpr (!detail::inputs_range<range>) {
            static_assert(detail::inputs_range<range>,
                          "inputs are a number of jobs or a random-access range that knows its "
                          "size and can be read while it is const, such as std::vector");
        } else {
            using element = std::ranges::range_reference_t<range const>;
            static_assert(detail::body_for<Body, element>,
                          "a body is called, const, as body(element) or body(element, job), with "
                          "what the range, const, gives and belay::job&");
            auto const total = static_cast<std::uint64_t>(std::ranges::size(inputs));
            return submit_typed<element>(total,
                                         detail::range_input<range>{std::forward<Range>(inputs)},
                                         std::move(body), options);
        }
    }

    /// Makes a type known. Throws `error` (`already_defined`, `invalid_argument`).
    void define(job_type type);

    /// Starts a batch of a named type. With an idempotency key that its owner has used in the last
    /// 24 hours none is started: where the digest is the same this gives the batch that was made
    /// first, and where it is another, or that batch was forgotten, it throws `error`
    /// (`idempotency_conflict`). Throws `error` (`unknown_type`, `invalid_argument`,
    /// `memory_exhausted`, `store_failed`, `store_full`, `resources_exhausted`, `shutting_down`;
    /// `outcome_unknown` if the engine ends before the store has answered), std::bad_alloc.
    recorded_batch submit(batch_spec spec);

    /// A batch of a named type whose inputs come one by one; those of `spec` are the first. Throws
    /// as `submit`.
    [[nodiscard]] batch_draft draft(batch_spec spec);

    /// Files for a draft of this engine. Throws `error` (`store_full`, `resources_exhausted`,
    /// `store_failed`).
    [[nodiscard]] upload make_upload();

    /// The same, of files that the jobs of another batch have; they stay where they are, also when
    /// that one is forgotten. Throws `error` (`invalid_argument`) if it has none, too.
    [[nodiscard]] upload make_upload(recorded_batch const& from);

    /// What the batches of an owner hold of the disk with what was uploaded for them, as
    /// `recorded_batch::upload_bytes`. Throws `error` (`store_failed`, `resources_exhausted`).
    [[nodiscard]] std::uint64_t upload_bytes(std::string_view owner) const;

    /// The recorded batch of that id, if there is one. Throws `error` (`store_failed`,
    /// `resources_exhausted`).
    [[nodiscard]] std::optional<recorded_batch> find(std::string_view id) const;

    /// What `owner` made under an idempotency key in the last 24 hours. Throws `error`
    /// (`store_failed`, `resources_exhausted`).
    [[nodiscard]] std::optional<idempotent_batch> find_idempotent(std::string_view owner,
                                                                  std::string_view key) const;

    /// Forgets an ended batch, and calls `done` once that is durable, on any thread, maybe inside
    /// this call; or with `error` (`store_failed`: it may be gone after the next start;
    /// `store_full`, where also the room that the store keeps back is used up). Throws `error`
    /// (`cancel_first`) if it has not ended.
    void forget(recorded_batch const& batch, std::function<void(std::exception_ptr)> done);

    /// The recorded batch of that sequence, likewise.
    [[nodiscard]] std::optional<recorded_batch> find(std::uint64_t sequence) const;

    /// Recorded batches, newest first: at most `limit` of those created before the one whose
    /// sequence is `before`.
    [[nodiscard]] std::vector<recorded_batch> list(std::uint64_t before, std::size_t limit) const;

    /// The recorded batch of that id, if it is open. Asks no store.
    [[nodiscard]] std::optional<recorded_batch> find_open(std::string_view id) const;

    /// Open recorded batches, the oldest first: at most `limit` of those whose sequence is above
    /// `after`. Some of them may just have ended. Asks no store.
    [[nodiscard]] std::vector<recorded_batch> list_open(std::uint64_t after,
                                                        std::size_t limit) const;

    /// Cancels many recorded batches: records that in one step, and calls `done` with the
    /// operation, or with why there is none, once, on any thread, maybe inside this call; it must
    /// be short. From then on each of the batches will be cancelled, whatever happens to this
    /// engine: they are, one after the other, as by `cancel` with that request, some hundred at a
    /// time, so that no other cancel waits for more than these. One that has ended by then stays as
    /// it is. `done` gets `error` (`not_cancelled`) if it can't be recorded, and nothing is
    /// stopped; (`outcome_unknown`) where that is not known. Throws `error` (`invalid_argument` for
    /// no batch, a sequence that none can have, an `only_if`, or what `cancel` refuses; `too_many`,
    /// `shutting_down`), std::system_error, std::bad_alloc.
    void cancel(cancel_operation_spec spec,
                std::function<void(cancel_operation, std::exception_ptr)> done);

    /// The same, and waits until it is recorded. Throws what `done` would get. Not inside a
    /// callback of the engine's.
    cancel_operation cancel(cancel_operation_spec spec);

    /// The operation of that id, if there is one. One that has finished is kept as long as
    /// `engine_options::keep` says; without a store on disk the last 1,000 of them are. Throws
    /// `error` (`store_failed`, `resources_exhausted`).
    [[nodiscard]] cancel_operation find_operation(std::string_view id) const;

    /// Operations, newest first, as `list`.
    [[nodiscard]] std::vector<cancel_operation> list_operations(std::uint64_t before,
                                                                std::size_t limit) const;

    /// How many bodies may run at the same time.
    [[nodiscard]] std::size_t workers() const noexcept;

    /// The most jobs of a batch of this type that run at the same time.
    [[nodiscard]] std::size_t concurrency_of(job_type const& type) const noexcept;

    /// How long bodies may go on after a cancel, where nothing else is said.
    [[nodiscard]] std::chrono::milliseconds grace() const noexcept;

    /// Batches that have not ended.
    [[nodiscard]] std::size_t open_batches() const;

    /// Waits until every batch has ended that is open now, those too that wait for their type to be
    /// defined. Not inside a body, whose own batch is one of them: it throws `error`
    /// (`would_deadlock`).
    void wait() const;

    /// The same, or until `duration` has passed; whether they have ended.
    [[nodiscard]] bool wait_for(std::chrono::nanoseconds duration) const;

    /// From here on `take_news` gives what becomes of recorded batches, and `told` is called when
    /// there is something: once until all of that was taken, on any thread, under no lock; it
    /// should not wait. There is one who follows: whoever followed before is called no more, but
    /// for a call that is under way. With `none` what is there is dropped.
    void follow_news(news_level level, std::function<void()> told);

    /// The first of what there is, at most `most`. Something of a batch that was forgotten
    /// meanwhile is left out. Throws `error` (`store_failed`, `resources_exhausted`),
    /// std::bad_alloc; then they are dropped, and what comes next says so.
    [[nodiscard]] news take_news(std::size_t most);

    /// Why it can't do all that it should at the moment, a line each; empty if it can. What went wrong
    /// once is shown for a minute.
    [[nodiscard]] std::vector<std::string> problems() const;

    /// What is worth knowing and no problem, a line each: job types that batches wait for, workers
    /// that are missing, a number of programs that was lowered, programs that wait to be started,
    /// what is missing of a store's reserve.
    [[nodiscard]] std::vector<std::string> notices() const;

    /// How busy it is at the moment.
    [[nodiscard]] engine_load load() const;

    /// What it has counted so far.
    [[nodiscard]] engine_counters counters() const noexcept;

private:
    template <class Input, class Inputs, class Body>
    auto submit_typed(std::uint64_t total, Inputs inputs, Body body, batch_options const& options)
    {
        using traits = detail::body_traits<Body, Input>;
        using result = typename traits::result;
        static_assert(std::is_void_v<result> || std::is_move_constructible_v<result>,
                      "what a body returns is kept, so it must be possible to move it");
        auto states = make_states(total);
        auto outcomes = std::make_shared<detail::typed_outcomes<result>>(states, total);
        auto work = std::make_unique<typename traits::template work<Inputs>>(
            std::move(inputs), std::move(body), outcomes);
        return batch<result>(start(total, std::move(states), std::move(work), options),
                             std::move(outcomes));
    }

    [[nodiscard]] static detail::state_array make_states(std::uint64_t total);
    std::shared_ptr<detail::batch_core> start(std::uint64_t total, detail::state_array states,
                                              std::unique_ptr<detail::work> work,
                                              batch_options options);

    std::shared_ptr<detail::engine_state> state_;
};

} // namespace belay

#endif
