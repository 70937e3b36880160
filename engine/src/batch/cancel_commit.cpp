#include "batch/cancel_commit.hpp"

#include "base/exception_message.hpp"

#include <exception>
#include <utility>

namespace belay::detail {

namespace {

using shared_commit = std::shared_ptr<cancel_commit const>;

any_change change_of(cancel_commit const& cancel)
{
    return std::visit([](auto const& what) { return any_change(what); }, cancel.cancel);
}

any_change withdrawal_of(cancel_commit const& cancel)
{
    if (auto const* const job = std::get_if<change::job_cancelled>(&cancel.cancel))
        return change::job_withdrawn{job->index};
    if (std::holds_alternative<change::operation_made>(cancel.cancel))
        return change::operation_withdrawn{};
    return change::withdrawn{};
}

void try_again(shared_commit const& cancel, store& store)
{
    store.commit(cancel->sequence, change_of(*cancel), persistence::until_done,
                 [cancel](std::exception_ptr const& failed) {
                     if (!failed)
                         cancel->told(cancel_outcome::recorded, {});
                 });
}

void withdraw(shared_commit const& cancel, std::string const& problem)
{
    auto const store = cancel->store.lock();
    if (!store)
        return cancel->told(cancel_outcome::unknown, problem);
    store->commit(cancel->sequence, withdrawal_of(*cancel), persistence::once,
                  [cancel, problem](std::exception_ptr const& failed) {
                      if (!failed)
                          return cancel->told(cancel_outcome::not_cancelled, problem);
                      cancel->told(cancel_outcome::unknown, problem);
                      if (auto const store = cancel->store.lock())
                          try_again(cancel, *store);
                  });
}

} // namespace

void commit(shared_commit const& cancel)
{
    auto const store = cancel->store.lock();
    if (!store)
        return;
    any_change what = change::withdrawn{}; // which takes no memory
    store::completion done;
    try {
        what = change_of(*cancel);
        done = [cancel](std::exception_ptr const& failed) {
            if (failed)
                withdraw(cancel, message_of(failed));
            else
                cancel->told(cancel_outcome::recorded, {});
        };
    } catch (std::exception const& problem) { // no memory
        return cancel->told(cancel_outcome::not_cancelled, problem.what());
    }
    store->commit(cancel->sequence, std::move(what), cancel->how, std::move(done));
}

} // namespace belay::detail
