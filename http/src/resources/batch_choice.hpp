// The batches that a cancel of many is about.
#ifndef BELAY_HTTP_RESOURCES_BATCH_CHOICE_HPP
#define BELAY_HTTP_RESOURCES_BATCH_CHOICE_HPP

#include "message/api_error.hpp"
#include "message/fingerprint.hpp"
#include "resources/asked_batches.hpp"
#include "service/service.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace belay::http {

/// Finds them: those that are open of the ids, or those that the filter takes of all that are open.
/// Where they are held against what a dry run has shown, those that are open of what was shown.
///
/// Thread safety: none.
class batch_choice {
public:
    /// `key` says which batches may be seen; `shown` is null where there was no dry run.
    batch_choice(service& service, api_key const& key, asked_batches asked, batch_set shown);

    /// Looks at some more of those that are open, for about half a millisecond, without asking the
    /// store; whether there are more.
    [[nodiscard]] bool look();

    /// Whether there are ids that none of them has, and that the store has to be asked for.
    [[nodiscard]] bool has_strangers() const noexcept
    {
        return next_stranger_ != strangers_.size();
    }
    /// Asks for some of these, on the thread that may wait for a disk. 404 for one that leads to
    /// nothing.
    [[nodiscard]] std::optional<api_error> look_at_strangers();

    /// Their sequences, ascending once all have been looked at.
    [[nodiscard]] std::vector<std::uint64_t>& batches() noexcept { return batches_; }
    /// Of the jobs of these batches.
    [[nodiscard]] std::uint64_t pending_jobs() const noexcept { return pending_; }
    [[nodiscard]] std::uint64_t running_jobs() const noexcept { return running_; }
    /// How many of the ids have ended.
    [[nodiscard]] std::uint64_t ended() const noexcept { return ended_; }
    /// Whether one was found that was not shown.
    [[nodiscard]] bool has_unshown() const noexcept { return has_unshown_; }

    /// The same for the same batches, and for no others; once.
    [[nodiscard]] std::string make_tag();

    [[nodiscard]] cancel_request& cancel() noexcept { return asked_.cancel; }
    [[nodiscard]] std::string& filter_text() noexcept { return asked_.filter_text; }

private:
    [[nodiscard]] bool look_at_open();
    [[nodiscard]] bool look_at_ids();
    [[nodiscard]] bool may_be_seen(recorded_batch const& batch) const;
    void consider(recorded_batch const& batch, batch_status const& status, bool is_wanted);

    service& service_;
    api_key const& key_;
    asked_batches asked_;
    batch_set shown_;
    std::uint64_t last_ = 0; ///< the sequence up to which the open ones were looked at
    std::size_t next_ = 0;   ///< of the ids
    std::vector<std::string> strangers_;
    std::size_t next_stranger_ = 0;
    std::vector<std::uint64_t> batches_;
    fingerprint print_; ///< of them
    std::uint64_t pending_ = 0;
    std::uint64_t running_ = 0;
    std::uint64_t ended_ = 0;
    bool has_unshown_ = false;
};

} // namespace belay::http

#endif
