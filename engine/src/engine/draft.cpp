// A recorded batch on its way into the store.
#include <belay/engine.hpp>

#include "base/batch_id.hpp"
#include "engine/effective_options.hpp"
#include "engine/state.hpp"
#include "engine/upload_state.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
#include <optional>
#include <string>
#include <utility>

namespace belay {

namespace {

/// A page is handed to the store when it has grown to this.
constexpr std::uint64_t page_bytes = 64 * 1024;
constexpr std::uint64_t page_inputs = 1024;

/// How much of one draft may wait to be written.
constexpr std::uint64_t waiting_bytes_max = 4 * 1024 * 1024;

/// What the pages of a draft wait for; shared with the store.
struct page_flow {
    explicit page_flow(detail::engine_state& engine)
        : memory(engine.memory()), keeps(!engine.store().is_durable())
    {
    }

    std::shared_ptr<detail::memory_budget> const memory;
    bool const keeps; // what is written stays in memory
    std::mutex mutex;
    std::uint64_t waiting_bytes = 0;            // guarded by mutex
    std::uint64_t kept_bytes = 0;               // guarded by mutex
    std::exception_ptr failed;                  // guarded by mutex; why the first page was refused
    std::vector<std::function<void()>> waiters; // guarded by mutex

    void written(std::uint64_t bytes, std::exception_ptr const& problem,
                 std::weak_ptr<detail::engine_state> const& engine)
    {
        if (!keeps || problem)
            memory->give(bytes);
        std::vector<std::function<void()>> woken;
        {
            std::scoped_lock const lock(mutex);
            if (!failed)
                failed = problem;
            waiting_bytes -= bytes;
            kept_bytes += keeps && !problem ? bytes : 0;
            if (waiting_bytes <= waiting_bytes_max)
                woken = std::exchange(waiters, {});
        }
        for (auto const& wake : woken)
            detail::call_back(engine, "a callback of when_not_full", wake);
    }
};

} // namespace

struct batch_draft::state : std::enable_shared_from_this<state> {
    using done = std::function<void(std::optional<recorded_batch>, std::exception_ptr)>;

    state(std::shared_ptr<detail::engine_state> engine, stored_batch batch,
          std::optional<belay::idempotency> idempotency)
        : engine(std::move(engine)),
          batch(std::move(batch)),
          idempotency(std::move(idempotency)),
          flow(std::make_shared<page_flow>(*this->engine))
    {
    }
    state(state const&) = delete;
    state& operator=(state const&) = delete;
    ~state()
    {
        if (batch.sequence != 0)
            forget(*engine, batch.sequence, *flow, {});
    }

    /// Nobody will see it; `done` once that is sure.
    static void forget(detail::engine_state& engine, std::uint64_t sequence, page_flow& flow,
                       belay::store::completion done)
    {
        engine.store().commit(sequence, change::forgotten{}, persistence::until_done,
                              std::move(done));
        std::scoped_lock const lock(flow.mutex);
        engine.give_memory(std::exchange(flow.kept_bytes, 0));
    }

    void add(std::string_view input)
    {
        if (page.empty())
            throw_if_failed();
        page.push_back(input);
        bytes += input.size();
        ++batch.total;
        if (bytes >= page_bytes || page.size() == page_inputs)
            hand_over();
    }

    void hand_over()
    {
        std::uint64_t const first = batch.total - page.size();
        std::uint64_t const size = held_bytes(page);
        if (!engine->take_memory(size))
            throw engine->memory_exhausted("a page of its inputs", size);
        bytes = 0;
        {
            std::scoped_lock const lock(flow->mutex);
            flow->waiting_bytes += size;
        }
        engine->store().commit(
            batch.sequence, change::inputs{first, std::exchange(page, {})}, persistence::until_done,
            [flow = flow, size, engine = std::weak_ptr(engine)](std::exception_ptr const& failed) {
                flow->written(size, failed, engine);
            });
    }

    void throw_if_failed() const
    {
        std::scoped_lock const lock(flow->mutex);
        if (flow->failed)
            std::rethrow_exception(flow->failed);
    }

    void submit(done const& done);
    void find_or_create(done const& done);
    void create(done const& done);
    void keep_files();
    void give_up(std::uint64_t sequence, std::uint64_t bytes);
    void created(detail::engine_state::held const& held, done const& done);
    void not_created(std::exception_ptr failed, done const& done);
    void replay(detail::idempotency_claims::made const& made, done const& done) const;
    [[nodiscard]] detail::idempotency_claims::key key() const
    {
        return {batch.owner, idempotency->key};
    }

    std::shared_ptr<detail::engine_state> engine;
    stored_batch batch; ///< its sequence is 0 once it is submitted
    std::optional<belay::idempotency> idempotency;
    byte_strings page;
    std::uint64_t bytes = 0; ///< in `page`
    std::optional<upload> files;
    std::shared_ptr<page_flow> flow;
    std::atomic<bool> is_answered = false; ///< by the store, about the creation
};

batch_draft::batch_draft(std::shared_ptr<state> state) noexcept : state_(std::move(state)) {}
batch_draft::batch_draft(batch_draft&&) noexcept = default;
batch_draft& batch_draft::operator=(batch_draft&&) noexcept = default;
batch_draft::~batch_draft() = default;

void batch_draft::add(std::string_view input)
{
    detail::require(size() != detail::jobs_max, "a batch of more than " +
                                                    std::to_string(detail::jobs_max) +
                                                    " jobs is not possible");
    state_->add(input);
}

std::uint64_t batch_draft::size() const noexcept
{
    return state_->batch.total;
}

bool batch_draft::is_full() const noexcept
{
    std::scoped_lock const lock(state_->flow->mutex);
    return state_->flow->waiting_bytes > waiting_bytes_max;
}

void batch_draft::when_not_full(std::function<void()> callback) const
{
    {
        std::scoped_lock const lock(state_->flow->mutex);
        if (state_->flow->waiting_bytes > waiting_bytes_max)
            return state_->flow->waiters.push_back(std::move(callback));
    }
    state_->engine->board().attempt("callback", "a callback of when_not_full", callback);
}

void batch_draft::set_idempotency(belay::idempotency value)
{
    state_->idempotency = std::move(value);
}

void batch_draft::attach(upload files)
{
    detail::require(files.state_ && files.state_->engine == state_->engine,
                    "the files are not of an upload of this engine");
    detail::require(!state_->files, "the draft has files already");
    state_->batch.upload_bytes = files.stored_bytes();
    state_->files = std::move(files);
}

recorded_batch batch_draft::submit()
{
    std::promise<recorded_batch> made;
    submit([&made](std::optional<recorded_batch> batch, std::exception_ptr const& failed) {
        if (failed)
            made.set_exception(failed);
        else
            made.set_value(std::move(*batch));
    });
    return made.get_future().get();
}

void batch_draft::submit(
    std::function<void(std::optional<recorded_batch>, std::exception_ptr)> done)
{
    state_->submit([engine = state_->engine,
                    done = std::move(done)](std::optional<recorded_batch> const& batch,
                                            std::exception_ptr const& failed) {
        engine->board().attempt("callback", "what submit tells", done, batch, failed);
    });
}

void batch_draft::state::submit(done const& done)
{
    if (!idempotency)
        return create(done);
    bool is_taken = false;
    try {
        is_taken = engine->claims().take(
            key(), [self = shared_from_this(), done](detail::idempotency_claims::made const* made) {
                made == nullptr ? self->create(done) : self->replay(*made, done);
            });
    } catch (...) {
        return done(std::nullopt, std::current_exception());
    }
    // Looked for once the key is taken: so no other can be made in between.
    if (is_taken)
        find_or_create(done);
}

void batch_draft::state::find_or_create(done const& done)
{
    detail::idempotency_claims::made made;
    try {
        auto const earlier =
            engine->store().find_idempotent(batch.owner, idempotency->key, engine->time().now());
        if (!earlier)
            return create(done);
        made.digest = earlier->digest;
        made.batch_id = earlier->batch_id;
        if (auto const found = engine->find(earlier->batch_id))
            made.batch = recorded_batch(found->batch, found->record);
    } catch (...) {
        return not_created(std::current_exception(), done);
    }
    engine->claims().give_back(key(), &made);
    replay(made, done);
}

void batch_draft::state::create(done const& done)
{
    detail::engine_state::held held;
    std::uint64_t bytes = 0;
    try {
        bytes = engine->reserve(batch);
        try {
            if (!page.empty())
                hand_over();
            batch.created_at = engine->time().now();
            held = engine->restore(batch);
            keep_files(); // last: what fails before has nothing to undo
        } catch (...) {
            engine->give_memory(bytes);
            throw;
        }
    } catch (...) {
        return not_created(std::current_exception(), done);
    }
    std::uint64_t const sequence = std::exchange(batch.sequence, 0);
    try {
        engine->create(
            sequence, change::created{held.record->batch, idempotency},
            [self = shared_from_this(), held, done, sequence, bytes](std::exception_ptr failed) {
                self->is_answered = true;
                try {
                    if (!failed)
                        self->engine->add(held, bytes);
                } catch (...) {
                    failed = std::current_exception();
                }
                if (!failed)
                    return self->created(held, done);
                self->give_up(sequence, bytes);
                self->not_created(std::move(failed), done);
            });
    } catch (...) {
        if (is_answered)
            throw;
        auto const failed = std::current_exception();
        try {
            give_up(sequence, bytes);
        } catch (...) { // the next start finds that nobody has created it
        }
        not_created(failed, done);
    }
}

void batch_draft::state::give_up(std::uint64_t sequence, std::uint64_t bytes)
{
    engine->give_memory(bytes);
    // Its files go once it is sure that the next engine does not find it.
    forget(*engine, sequence, *flow,
           [engine = std::weak_ptr(engine), sequence,
            has_files = batch.upload_bytes != 0](std::exception_ptr const& problem) {
               if (auto const state = engine.lock(); state && has_files && !problem)
                   state->forget_files(sequence);
           });
}

void batch_draft::state::keep_files()
{
    if (!files)
        return;
    detail::require(files->files() == batch.total,
                    "the batch has " + std::to_string(batch.total) + " jobs and " +
                        std::to_string(files->files()) + " files; each has one");
    detail::with_upload_errors(
        *engine, [&] { engine->outputs().keep(files->state_->draft, batch.sequence); });
}

void batch_draft::state::created(detail::engine_state::held const& held, done const& done)
{
    recorded_batch const batch(held.batch, held.record);
    if (idempotency) {
        detail::idempotency_claims::made const made{idempotency->digest, batch.id(), batch};
        engine->claims().give_back(key(), &made);
    }
    done(batch, nullptr);
}

void batch_draft::state::not_created(std::exception_ptr failed, done const& done)
{
    if (idempotency)
        engine->claims().give_back(key(), nullptr);
    done(std::nullopt, std::move(failed));
}

void batch_draft::state::replay(detail::idempotency_claims::made const& made,
                                done const& done) const
{
    std::string const what =
        "the idempotency key '" + idempotency->key + "' stands for batch " + made.batch_id;
    if (made.digest != idempotency->digest)
        return done(std::nullopt,
                    std::make_exception_ptr(error(errc::idempotency_conflict,
                                                  what + ", which was made from another request")));
    if (!made.batch)
        return done(std::nullopt,
                    std::make_exception_ptr(
                        error(errc::idempotency_conflict, what + ", which is not kept any more")));
    done(made.batch, nullptr);
}

batch_draft engine::draft(batch_spec spec)
{
    auto const type = state_->find_type(spec.type);
    stored_batch batch;
    batch.options =
        detail::effective(std::move(spec.options), {.concurrency = state_->concurrency_of(*type),
                                                    .grace = type->grace.value_or(grace()),
                                                    .timeout = type->timeout,
                                                    .max_attempts = type->max_attempts});
    if (!batch.options.keep)
        batch.options.keep = state_->options().keep;
    batch.sequence = state_->store().next_sequence();
    batch.id = make_batch_id();
    batch.type = std::move(spec.type);
    batch.name = std::move(spec.name);
    batch.owner = std::move(spec.owner);
    batch.collection = std::move(spec.collection);
    batch.created_by = std::move(spec.created_by);
    batch.from = std::move(spec.from);
    batch.origin = std::move(spec.origin);
    batch_draft draft(std::make_shared<batch_draft::state>(state_, std::move(batch),
                                                           std::move(spec.idempotency)));
    for (std::uint64_t i = 0; i != spec.inputs.size(); ++i)
        draft.add(spec.inputs[i]);
    return draft;
}

} // namespace belay
