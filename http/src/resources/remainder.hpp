// What an ended batch has left, for a new one to take up.
#ifndef BELAY_HTTP_RESOURCES_REMAINDER_HPP
#define BELAY_HTTP_RESOURCES_REMAINDER_HPP

#include "message/api_error.hpp"

#include <belay/job_type.hpp>
#include <belay/upload.hpp>

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace belay::http {

/// The inputs of those jobs of a batch that came to what was selected, and the files that were
/// uploaded for them.
///
/// Thread safety: none; read on one thread, and then taken on another.
class remainder {
public:
    struct input {
        std::uint64_t job;
        std::string text;
    };

    /// `words` are `not_succeeded`, which is meant where there are none, `failed`, `cancelled`, and
    /// dispositions. 400 for another one; 409 for a batch that has not ended.
    [[nodiscard]] static result<remainder> of(recorded_batch batch,
                                              std::vector<std::string> const& words);

    /// How the files of a batch are taken up, where there are some.
    void take_files_with(std::function<upload(recorded_batch const&)> make)
    {
        make_files_ = std::move(make);
    }

    /// Reads some more of them, for about half a millisecond and the time of the disk.
    void read() noexcept;
    /// Why it could not be read, if so.
    [[nodiscard]] std::exception_ptr const& failed() const noexcept { return failed_; }

    /// Those that were read and not taken.
    [[nodiscard]] std::deque<input>& found() noexcept { return found_; }

    /// Whether all has been read.
    [[nodiscard]] bool is_read() const noexcept { return next_ == batch_.size(); }

    /// Those of all jobs that were read; nothing if there are none.
    [[nodiscard]] std::optional<upload>& files() noexcept { return files_; }

    [[nodiscard]] recorded_batch const& batch() const noexcept { return batch_; }

private:
    /// What a job comes to that is selected.
    struct selection {
        bool failed = false;
        std::set<disposition> dispositions = {}; ///< of one that is cancelled

        [[nodiscard]] bool add(std::string_view word);
        [[nodiscard]] bool takes(job_mark const& job) const noexcept;
    };

    remainder(recorded_batch batch, selection selection)
        : batch_(std::move(batch)), selection_(std::move(selection))
    {
    }

    recorded_batch batch_;
    selection selection_;
    std::uint64_t next_ = 0;
    std::deque<input> found_;
    std::function<upload(recorded_batch const&)> make_files_;
    std::optional<upload> files_;
    std::exception_ptr failed_;
};

} // namespace belay::http

#endif
