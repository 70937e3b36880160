// A recorded batch on its way into the store.
#include <belay/engine.hpp>

#include "effective_options.hpp"
#include "engine_state.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <future>
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
    std::mutex mutex;
    std::uint64_t waiting_bytes = 0;            // guarded by mutex
    std::vector<std::function<void()>> waiters; // guarded by mutex

    void written(std::uint64_t bytes)
    {
        std::vector<std::function<void()>> woken;
        {
            std::scoped_lock const lock(mutex);
            waiting_bytes -= bytes;
            if (waiting_bytes <= waiting_bytes_max)
                woken = std::exchange(waiters, {});
        }
        for (auto const& wake : woken)
            wake();
    }
};

} // namespace

struct batch_draft::state {
    state(std::shared_ptr<detail::engine_state> engine, stored_batch batch,
          std::optional<belay::idempotency> idempotency)
        : engine(std::move(engine)), batch(std::move(batch)), idempotency(std::move(idempotency))
    {
    }
    state(state const&) = delete;
    state& operator=(state const&) = delete;
    ~state()
    {
        if (batch.sequence != 0)
            engine->store().commit(batch.sequence, change::forgotten{}, persistence::until_done,
                                   {});
    }

    void add(std::string_view input)
    {
        page.push_back(input);
        bytes += input.size();
        ++batch.total;
        if (bytes >= page_bytes || page.size() == page_inputs)
            hand_over();
    }

    void hand_over()
    {
        std::uint64_t const first = batch.total - page.size();
        std::uint64_t const size = std::exchange(bytes, 0) + 8 * page.size();
        {
            std::scoped_lock const lock(flow->mutex);
            flow->waiting_bytes += size;
        }
        engine->store().commit(batch.sequence, change::inputs{first, std::exchange(page, {})},
                               persistence::until_done,
                               [flow = flow, size](std::exception_ptr const&) {
                                   flow->written(size);
                               });
    }

    std::shared_ptr<detail::engine_state> engine;
    stored_batch batch; ///< its sequence is 0 once it is submitted
    std::optional<belay::idempotency> idempotency;
    byte_strings page;
    std::uint64_t bytes = 0; ///< in `page`
    std::shared_ptr<page_flow> flow = std::make_shared<page_flow>();
};

batch_draft::batch_draft(std::unique_ptr<state> state) noexcept : state_(std::move(state)) {}
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

std::uint64_t batch_draft::size() const noexcept { return state_->batch.total; }

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
    callback();
}

void batch_draft::set_idempotency(belay::idempotency value)
{
    state_->idempotency = std::move(value);
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

void batch_draft::submit(std::function<void(std::optional<recorded_batch>, std::exception_ptr)> done)
{
    auto const engine = state_->engine;
    std::uint64_t const total = size();
    detail::engine_state::held held;
    try {
        engine->reserve(total);
        try {
            if (!state_->page.empty())
                state_->hand_over();
            state_->batch.created_at = engine->time().now();
            held = engine->restore(state_->batch);
        } catch (...) {
            engine->give_up(total);
            throw;
        }
    } catch (...) {
        return done(std::nullopt, std::current_exception());
    }
    std::uint64_t const sequence = std::exchange(state_->batch.sequence, 0);
    engine->store().commit(
        sequence, change::created{held.record->batch, std::move(state_->idempotency)},
        persistence::once,
        [engine, held, done = std::move(done), sequence, total](std::exception_ptr const& failed) {
            if (failed) {
                engine->give_up(total);
                engine->store().commit(sequence, change::forgotten{}, persistence::until_done, {});
                return done(std::nullopt, failed);
            }
            engine->add(held);
            done(recorded_batch(held.batch, held.record), nullptr);
        });
}

batch_draft engine::draft(batch_spec spec)
{
    auto const type = state_->find_type(spec.type);
    stored_batch batch;
    batch.options = detail::effective(
        std::move(spec.options),
        {.concurrency = state_->concurrency_of(*type),
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
    batch_draft draft(std::make_unique<batch_draft::state>(state_, std::move(batch),
                                                           std::move(spec.idempotency)));
    for (std::uint64_t i = 0; i != spec.inputs.size(); ++i)
        draft.add(spec.inputs[i]);
    return draft;
}

} // namespace belay
