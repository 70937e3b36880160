#include "service/cancel_history.hpp"

#include "message/log_line.hpp"
#include "service/views.hpp"

#include <belay/batch.hpp>

#include <algorithm>
#include <ranges>
#include <string>
#include <utility>

namespace belay::http {

void cancel_history::watch(recorded_batch const& batch)
{
    batch.on_end([self = shared_from_this(), batch] { self->note(batch); });
}

void cancel_history::watch(cancel_operation const& operation)
{
    operation.on_end([self = shared_from_this(), operation] {
        if (self->write_ && operation.finished_at())
            self->write_(log_line("operation " + operation.id() + " is finished",
                                  operation_view(operation)));
    });
}

void cancel_history::note(recorded_batch const& batch)
{
    auto const status = batch.status();
    if (!is_terminal(status.state) || !status.cancel)
        return; // the server goes before it has ended, or the cancel has come to nothing
    auto const view = cancelled_view(batch, status);
    {
        std::scoped_lock const lock(mutex_);
        if (std::ranges::find(last_, view.at("batch_id"),
                              [](auto const& each) { return each.at("batch_id"); }) != last_.end())
            return; // several requests did not know what came of it
        if (last_.size() == kept_max)
            last_.pop_front();
        last_.push_back(view);
    }
    if (write_)
        write_(
            log_line("batch " + batch.id() + " is " + std::string(to_string(status.state)), view));
}

boost::json::array cancel_history::view() const
{
    boost::json::array all;
    std::scoped_lock const lock(mutex_);
    for (auto const& each : last_ | std::views::reverse)
        all.push_back(each);
    return all;
}

} // namespace belay::http
