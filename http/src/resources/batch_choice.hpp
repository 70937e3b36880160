// The batches that a cancel of many is about.
#ifndef BELAY_HTTP_RESOURCES_BATCH_CHOICE_HPP
#define BELAY_HTTP_RESOURCES_BATCH_CHOICE_HPP

#include "message/api_error.hpp"
#include "resources/batch_filter.hpp"
#include "service/service.hpp"

#include <belay/cancel.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace belay::http {

/// What the body of a cancel of many batches asks for.
struct asked_batches {
    cancel_request cancel;
    batch_filter filter;          ///< without an owner
    std::string filter_text;      ///< as JSON, for those who look at the operation later
    std::vector<std::string> ids; ///< in place of a filter, where there are any
};

/// Reads it. 400 for what is none.
[[nodiscard]] result<asked_batches> parse_asked_batches(std::string_view body);

/// Finds them: those that are open of the ids, or those that the filter takes of all that are open.
///
/// Thread safety: none; the engine may be used on the thread that reads for answers.
class batch_choice {
public:
    /// `key` says which batches may be seen.
    batch_choice(service& service, api_key const& key, asked_batches const& asked);

    /// Looks at some more, for about half a millisecond and the time of the disk; whether there are
    /// more to look at. 404 for an id that leads to nothing.
    [[nodiscard]] result<bool> look();

    /// Their sequences, ascending once all have been looked at.
    [[nodiscard]] std::vector<std::uint64_t>& batches() noexcept { return batches_; }
    /// Of the jobs of these batches.
    [[nodiscard]] std::uint64_t pending_jobs() const noexcept { return pending_; }
    [[nodiscard]] std::uint64_t running_jobs() const noexcept { return running_; }
    /// How many of the ids have ended.
    [[nodiscard]] std::uint64_t ended() const noexcept { return ended_; }

private:
    void take(recorded_batch const& batch, batch_status const& status);
    [[nodiscard]] bool look_at_open();
    [[nodiscard]] result<bool> look_at_ids();

    service& service_;
    api_key const& key_;
    asked_batches const& asked_;
    batch_filter filter_;
    std::uint64_t last_ = 0; ///< the sequence up to which the open ones were looked at
    std::size_t next_ = 0;   ///< of the ids
    std::vector<std::uint64_t> batches_;
    std::uint64_t pending_ = 0;
    std::uint64_t running_ = 0;
    std::uint64_t ended_ = 0;
};

} // namespace belay::http

#endif
