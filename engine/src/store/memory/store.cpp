// This folder: the store in memory. Base and the interface of stores come in.
#include "store/store.hpp"
#include "base/batch_id.hpp"
#include "store/record_table.hpp"

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <ranges>
#include <set>
#include <shared_mutex>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace belay {

namespace {

constexpr std::uint64_t page_inputs_max = 1024;

/// Of operations that have ended so many are kept, the newest.
constexpr std::size_t ended_operations_max = 1000;

/// A batch that is there, or the inputs of one that nobody sees yet.
struct kept_batch {
    std::map<std::uint64_t, byte_strings> pages; ///< by index of the first input
    std::uint64_t inputs = 0;
    std::uint64_t input_bytes = 0;
    std::optional<stored_batch> about; ///< from its creation on
    std::unique_ptr<record_table> records;
    std::map<std::uint64_t, std::shared_ptr<job_cancel_record const>> cancelled_jobs;
};

class memory_store final : public store {
public:
    explicit memory_store(std::shared_ptr<detail::memory_budget> budget)
        : budget_(std::move(budget))
    {
    }

    [[nodiscard]] bool is_durable() const noexcept override { return false; }
    [[nodiscard]] std::string const& id() const noexcept override { return id_; }
    [[nodiscard]] std::filesystem::path const& directory() const noexcept override
    {
        return no_directory_;
    }

    [[nodiscard]] std::uint64_t next_sequence() override { return ++last_sequence_; }

    void commit(std::uint64_t sequence, any_change what, persistence, completion done) override
    {
        std::exception_ptr problem;
        std::shared_ptr<kept_batch> gone; // destroyed after the lock
        try {
            std::scoped_lock const lock(mutex_);
            std::visit([&](auto& change) { apply(sequence, change, gone); }, what);
        } catch (...) {
            problem = std::current_exception();
        }
        if (done)
            done(problem);
    }

    [[nodiscard]] bool record(std::uint64_t sequence, job_record&& record, job_listener&) override
    {
        if (auto const batch = created(sequence))
            batch->records->put(std::move(record));
        return true;
    }

    [[nodiscard]] bool is_congested() const noexcept override { return false; }
    void when_uncongested(std::function<void()> callback) override { callback(); }

    [[nodiscard]] std::optional<stored_batch> find(std::string_view id) override
    {
        std::shared_lock const lock(mutex_);
        auto const found = ids_.find(std::string(id));
        if (found == ids_.end())
            return std::nullopt;
        return batches_.at(found->second)->about;
    }

    [[nodiscard]] std::vector<stored_batch> list(std::uint64_t before, std::size_t limit) override
    {
        std::shared_lock const lock(mutex_);
        std::vector<stored_batch> result;
        for (auto next = batches_.lower_bound(before);
             next != batches_.begin() && result.size() < limit;)
            if (auto const& about = (--next)->second->about)
                result.push_back(*about);
        return result;
    }

    [[nodiscard]] std::vector<stored_batch> open_batches() override
    {
        std::shared_lock const lock(mutex_);
        std::vector<stored_batch> result;
        for (auto const& [sequence, batch] : batches_)
            if (batch->about && !batch->about->end)
                result.push_back(*batch->about);
        return result;
    }

    [[nodiscard]] std::vector<job_record> jobs(std::uint64_t sequence, std::uint64_t first,
                                               std::uint64_t end) override
    {
        auto const batch = created(sequence);
        if (!batch)
            return {};
        auto records = batch->records->get(first, end);
        std::shared_lock const lock(mutex_);
        for (auto& record : records)
            record.cancel = cancel_of(*batch, record.index);
        return records;
    }

    void outcomes(std::uint64_t sequence, std::uint64_t first, std::uint64_t end,
                  std::function<void(job_record const&)> const& visit) override
    {
        auto const batch = created(sequence);
        if (!batch)
            return;
        batch->records->visit(first, end, [&](job_record record) {
            {
                std::shared_lock const lock(mutex_);
                record.cancel = cancel_of(*batch, record.index);
            }
            visit(record);
        });
    }

    [[nodiscard]] input_page inputs(std::uint64_t sequence, std::uint64_t index) override
    {
        auto const batch = created(sequence); // whose pages don't change any more
        if (!batch || index >= batch->inputs)
            throw error(errc::store_failed, "batch " + std::to_string(sequence) + " has no input " +
                                                std::to_string(index));
        auto const& [first, page] = *std::prev(batch->pages.upper_bound(index));
        std::uint64_t const begin = (index - first) / page_inputs_max * page_inputs_max;
        input_page result{.first = first + begin, .inputs = {}};
        for (std::uint64_t i = begin; i != std::min(page.size(), begin + page_inputs_max); ++i)
            result.inputs.push_back(page[i]);
        return result;
    }

    [[nodiscard]] std::vector<std::uint64_t> cancelled_jobs(std::uint64_t sequence) override
    {
        std::shared_lock const lock(mutex_);
        std::vector<std::uint64_t> result;
        if (auto const found = batches_.find(sequence);
            found != batches_.end() && found->second->about && !found->second->about->end)
            std::ranges::copy_if(
                std::views::keys(found->second->cancelled_jobs), std::back_inserter(result),
                [&](std::uint64_t index) { return !found->second->records->has_end(index); });
        return result;
    }

    [[nodiscard]] std::optional<idempotent_batch>
    find_idempotent(std::string_view owner, std::string_view key, time_point now) override
    {
        std::shared_lock const lock(mutex_);
        auto const found = idempotent_.find(request(owner, key));
        if (found == idempotent_.end() || found->second.created_at <= now - idempotency_age_max)
            return std::nullopt;
        return found->second;
    }

    [[nodiscard]] std::uint64_t upload_bytes(std::string_view owner) override
    {
        std::shared_lock const lock(mutex_);
        std::uint64_t bytes = 0;
        for (auto const& [sequence, batch] : batches_)
            if (batch->about && batch->about->owner == owner)
                bytes += batch->about->upload_bytes;
        return bytes;
    }

    [[nodiscard]] std::vector<std::uint64_t> expired(time_point now, std::size_t limit) override
    {
        std::shared_lock const lock(mutex_);
        std::vector<std::uint64_t> result;
        for (auto const& [at, sequence] : expiries_) {
            if (at > now || result.size() == limit)
                break;
            result.push_back(sequence);
        }
        return result;
    }

    [[nodiscard]] std::optional<time_point> next_expiry() override
    {
        std::shared_lock const lock(mutex_);
        return expiries_.empty() ? std::nullopt : std::optional(expiries_.begin()->first);
    }

    [[nodiscard]] std::optional<stored_operation> find_operation(std::string_view id) override
    {
        std::shared_lock const lock(mutex_);
        for (auto const& [sequence, kept] : operations_)
            if (kept.about.id == id)
                return kept.about;
        return std::nullopt;
    }

    [[nodiscard]] std::vector<stored_operation> list_operations(std::uint64_t before,
                                                                std::size_t limit) override
    {
        std::shared_lock const lock(mutex_);
        std::vector<stored_operation> result;
        for (auto next = operations_.lower_bound(before);
             next != operations_.begin() && result.size() < limit;)
            result.push_back((--next)->second.about);
        return result;
    }

    [[nodiscard]] std::vector<open_operation> open_operations() override
    {
        std::shared_lock const lock(mutex_);
        std::vector<open_operation> result;
        for (auto const& [sequence, kept] : operations_)
            if (!kept.about.end)
                result.push_back(kept);
        return result;
    }

    [[nodiscard]] std::vector<std::uint64_t> operation_batches(std::uint64_t sequence) override
    {
        std::shared_lock const lock(mutex_);
        auto const found = operations_.find(sequence);
        return found == operations_.end() ? std::vector<std::uint64_t>() : found->second.batches;
    }

    [[nodiscard]] std::optional<time_point> next_operation_expiry() override
    {
        std::shared_lock const lock(mutex_);
        std::optional<time_point> first;
        for (auto const& [sequence, kept] : operations_)
            if (kept.about.end && kept.about.end->expires &&
                (!first || *kept.about.end->expires < *first))
                first = kept.about.end->expires;
        return first;
    }

    /// They keep the batch: whoever has a handle of it when it is forgotten can go on reading.
    [[nodiscard]] detail::state_array states(std::uint64_t sequence, std::uint64_t total) override
    {
        using bytes = decltype(detail::zeroed_array<std::atomic<detail::job_byte>>(0));
        struct owner {
            batch_pointer batch;
            bytes states;
        };
        auto made = std::make_shared<owner>();
        made->states = detail::zeroed_array<std::atomic<detail::job_byte>>(total);
        std::shared_lock const lock(mutex_);
        if (auto const found = batches_.find(sequence); found != batches_.end())
            made->batch = found->second;
        auto* const first = made->states.get();
        return detail::state_array(std::move(made), first);
    }
    [[nodiscard]] std::vector<begun_job> begun(std::uint64_t) override { return {}; }
    void recovered(std::vector<batch_records>) override {}
    [[nodiscard]] std::optional<std::string> problem() const override { return std::nullopt; }

    [[nodiscard]] std::uint64_t held_bytes(std::uint64_t sequence) const noexcept override
    {
        std::shared_lock const lock(mutex_);
        auto const found = batches_.find(sequence);
        if (found == batches_.end() || !found->second->about)
            return 0;
        return found->second->input_bytes + found->second->records->bytes();
    }

private:
    using request = std::pair<std::string, std::string>;
    using batch_pointer = std::shared_ptr<kept_batch>;

    /// Under the mutex.
    [[nodiscard]] static std::shared_ptr<job_cancel_record const> cancel_of(kept_batch const& batch,
                                                                            std::uint64_t index)
    {
        auto const found = batch.cancelled_jobs.find(index);
        return found == batch.cancelled_jobs.end() ? nullptr : found->second;
    }

    /// What one more request, and what was made for it, takes: a digest and an id are short.
    static std::uint64_t held_bytes(request const& key) noexcept
    {
        constexpr std::uint64_t rest = 512;
        return rest + 2 * (key.first.size() + key.second.size());
    }

    std::shared_ptr<detail::memory_budget> const budget_;
    std::string const id_ = make_batch_id().substr(std::string_view("batch-").size());
    std::filesystem::path const no_directory_;

    /// Null if it isn't there, and nobody has a handle of it.
    [[nodiscard]] batch_pointer created(std::uint64_t sequence) const
    {
        std::shared_lock const lock(mutex_);
        auto const found = batches_.find(sequence);
        if (found != batches_.end())
            return found->second->about ? found->second : nullptr;
        auto const forgotten = forgotten_.find(sequence);
        return forgotten != forgotten_.end() ? forgotten->second.lock() : nullptr;
    }

    // All that follow are called with the lock held.

    kept_batch& existing(std::uint64_t sequence)
    {
        auto const found = batches_.find(sequence);
        if (found == batches_.end() || !found->second->about)
            throw error(errc::store_failed,
                        "there is no batch with sequence " + std::to_string(sequence));
        return *found->second;
    }

    kept_batch& draft(std::uint64_t sequence)
    {
        auto& batch = batches_[sequence];
        if (!batch)
            batch = std::make_shared<kept_batch>();
        if (batch->about)
            throw error(errc::store_failed,
                        "batch " + std::to_string(sequence) + " has been created already");
        return *batch;
    }

    void apply(std::uint64_t sequence, change::inputs& change, batch_pointer&)
    {
        kept_batch& batch = draft(sequence);
        if (change.first != batch.inputs)
            throw error(errc::store_failed, "inputs from " + std::to_string(change.first) +
                                                " were given, not from " +
                                                std::to_string(batch.inputs));
        if (change.page.empty())
            return;
        batch.inputs += change.page.size();
        batch.input_bytes += belay::held_bytes(change.page);
        batch.pages.emplace(change.first, std::move(change.page));
    }

    void apply(std::uint64_t sequence, change::created& change, batch_pointer&)
    {
        kept_batch& batch = draft(sequence);
        stored_batch& made = *change.batch;
        if (batch.inputs != made.total || ids_.contains(made.id))
            throw error(errc::store_failed, "batch " + made.id + " has " +
                                                std::to_string(batch.inputs) + " inputs for " +
                                                std::to_string(made.total) +
                                                " jobs, or is there already");
        batch.records = std::make_unique<record_table>(made.total, *budget_);
        ids_.emplace(made.id, sequence);
        if (change.idempotency)
            remember(made, std::move(*change.idempotency));
        made.sequence = sequence;
        made.options.stop_token = {};
        batch.about = std::move(made);
        end(batch, std::exchange(batch.about->end, std::nullopt));
    }

    void remember(stored_batch const& batch, idempotency&& what)
    {
        while (!requests_.empty() &&
               requests_.front().first <= batch.created_at - idempotency_age_max) {
            auto const found = idempotent_.find(requests_.front().second);
            if (found != idempotent_.end() && found->second.created_at == requests_.front().first)
                idempotent_.erase(found);
            budget_->give(held_bytes(requests_.front().second));
            requests_.pop_front();
        }
        request key(batch.owner, std::move(what.key));
        budget_->take_anyway(held_bytes(key));
        requests_.emplace_back(batch.created_at, key);
        idempotent_[std::move(key)] = {std::move(what.digest), batch.id, batch.created_at};
    }

    void apply(std::uint64_t sequence, change::started& change, batch_pointer&)
    {
        existing(sequence).about->started_at = change.at;
    }

    void apply(std::uint64_t sequence, change::cancelled& change, batch_pointer&)
    {
        kept_batch& batch = existing(sequence);
        auto const& known = batch.about->cancel;
        if (!change.is_escalation() || !known || !known->deadline_at ||
            *change.cancel.deadline_at < *known->deadline_at)
            batch.about->cancel = std::move(change.cancel);
        end(batch, std::move(change.end));
    }

    void apply(std::uint64_t sequence, change::withdrawn&, batch_pointer&)
    {
        kept_batch& batch = existing(sequence);
        batch.about->cancel.reset();
        if (batch.about->end && batch.about->end->expires)
            expiries_.erase({*batch.about->end->expires, sequence});
        batch.about->end.reset();
    }

    void apply(std::uint64_t sequence, change::job_cancelled& change, batch_pointer&)
    {
        kept_batch& batch = existing(sequence);
        batch.cancelled_jobs[change.index] =
            std::make_shared<job_cancel_record const>(std::move(change.cancel));
        if (change.record)
            batch.records->put(std::move(*change.record));
    }

    void apply(std::uint64_t sequence, change::job_withdrawn& change, batch_pointer&)
    {
        kept_batch& batch = existing(sequence);
        batch.cancelled_jobs.erase(change.index);
        batch.records->erase_not_started(change.index);
    }

    void apply(std::uint64_t, change::recovered& change, batch_pointer&)
    {
        for (auto& [sequence, records] : change.batches) {
            kept_batch& batch = existing(sequence);
            for (auto& record : records)
                batch.records->put(std::move(record));
        }
    }

    void apply(std::uint64_t sequence, change::ended& change, batch_pointer&)
    {
        end(existing(sequence), std::move(change.end));
    }

    void apply(std::uint64_t sequence, change::forgotten&, batch_pointer& gone)
    {
        auto const found = batches_.find(sequence);
        if (found == batches_.end())
            return;
        gone = std::move(found->second);
        batches_.erase(found);
        if (!gone->about)
            return;
        std::erase_if(forgotten_, [](auto const& entry) { return entry.second.expired(); });
        forgotten_.emplace(sequence, gone);
        ids_.erase(gone->about->id);
        if (gone->about->end && gone->about->end->expires)
            expiries_.erase({*gone->about->end->expires, sequence});
    }

    static std::uint64_t held_bytes(open_operation const& operation) noexcept
    {
        constexpr std::uint64_t rest = 1024;
        return rest + operation.about.filter.size() + operation.about.request.reason.size() +
               operation.batches.size() * sizeof(std::uint64_t);
    }

    void apply(std::uint64_t sequence, change::operation_made& change, batch_pointer&)
    {
        operations_.emplace(sequence, *change.operation);
        budget_->take_anyway(held_bytes(*change.operation));
    }

    void apply(std::uint64_t sequence, change::operation_withdrawn&, batch_pointer&)
    {
        if (auto const found = operations_.find(sequence); found != operations_.end())
            drop(found);
    }

    void apply(std::uint64_t sequence, change::operation_ended& change, batch_pointer&)
    {
        auto const found = operations_.find(sequence);
        if (found == operations_.end())
            throw error(errc::store_failed,
                        "there is no operation with sequence " + std::to_string(sequence));
        found->second.about.end = change.end;
        ended_operations_.push_back(sequence);
        if (ended_operations_.size() > ended_operations_max)
            drop(operations_.find(ended_operations_.front()));
    }

    void apply(std::uint64_t, change::operations_expired& change, batch_pointer&)
    {
        for (auto next = operations_.begin(); next != operations_.end();) {
            auto const at = next++;
            auto const& end = at->second.about.end;
            if (end && end->expires && *end->expires <= change.now)
                drop(at);
        }
    }

    void drop(std::map<std::uint64_t, open_operation>::iterator gone)
    {
        budget_->give(held_bytes(gone->second));
        std::erase(ended_operations_, gone->first);
        operations_.erase(gone);
    }

    void end(kept_batch& batch, std::optional<batch_end>&& end)
    {
        if (!end)
            return;
        batch.about->end = std::move(end);
        if (batch.about->cancel)
            batch.about->cancel->finished_at = batch.about->end->at;
        if (batch.about->end->expires)
            expiries_.emplace(*batch.about->end->expires, batch.about->sequence);
    }

    std::atomic<std::uint64_t> last_sequence_{0};

    mutable std::shared_mutex mutex_; ///< guards what follows, but for the record tables
    std::map<std::uint64_t, batch_pointer> batches_; ///< by sequence, drafts among them
    std::map<std::uint64_t, std::weak_ptr<kept_batch>> forgotten_;
    std::unordered_map<std::string, std::uint64_t> ids_;
    std::set<std::pair<time_point, std::uint64_t>> expiries_;
    std::map<request, idempotent_batch> idempotent_;
    std::deque<std::pair<time_point, request>> requests_; ///< in the order of creation
    std::map<std::uint64_t, open_operation> operations_;  ///< by sequence
    std::deque<std::uint64_t> ended_operations_;          ///< of them, in the order of their ends
};

} // namespace

std::uint64_t held_bytes(byte_strings const& page) noexcept
{
    std::uint64_t bytes = sizeof(std::size_t) * page.size();
    for (std::uint64_t i = 0; i != page.size(); ++i)
        bytes += page[i].size();
    return bytes;
}

std::shared_ptr<store> memory_store(std::shared_ptr<detail::memory_budget> budget)
{
    return std::make_shared<class memory_store>(std::move(budget));
}

std::shared_ptr<store> memory_store()
{
    return std::make_shared<class memory_store>(std::make_shared<detail::memory_budget>());
}

} // namespace belay
