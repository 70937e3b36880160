// DELETE /v1/batches/{id}: an ended batch is forgotten.
#include "message/answers.hpp"
#include "resources/precondition.hpp"
#include "resources/resources.hpp"
#include "service/awaited.hpp"

#include <belay/error.hpp>

#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace belay::http {

namespace {

/// Waits until it is durable.
class deletion final : public operation {
public:
    explicit deletion(admitted&& request)
        : service_(request.service), batch_(std::move(*request.batch))
    {
    }

    [[nodiscard]] step proceed() override
    {
        if (forgotten_)
            return answer();
        forgotten_ = std::make_shared<awaited<std::exception_ptr>>();
        try {
            service_.batches().forget(
                batch_, [forgotten = forgotten_](auto failed) { forgotten->set(failed); });
        } catch (error const& refused) {
            if (refused.code() != errc::cancel_first)
                throw;
            return cancel_first(to_string(batch_.state()));
        }
        if (forgotten_->get())
            return answer();
        return forgotten_->wait(service_.options().request_time_max);
    }

private:
    step answer() const
    {
        auto const failed = forgotten_->get();
        if (!failed)
            return failure("the store has not answered in time", "unknown");
        if (!*failed)
            return succeeded(200, "Batch deleted", {{"batch_id", batch_.id()}});
        try {
            std::rethrow_exception(*failed);
        } catch (error const& fault) {
            if (fault.code() == errc::store_full)
                return unavailable("Failed to delete batch: " + std::string(fault.what()));
            return failure(fault.what(), "unknown");
        } catch (std::exception const& fault) {
            return failure(fault.what(), "unknown");
        }
    }

    api_error failure(std::string const& why, std::string_view outcome) const
    {
        return processing_error("Failed to delete batch: " + why,
                                {{"operation", "delete_batch"},
                                 {"batch_id", batch_.id()},
                                 {"outcome", outcome}});
    }

    service& service_;
    recorded_batch batch_;
    std::shared_ptr<awaited<std::exception_ptr>> forgotten_;
};

} // namespace

made_operation delete_batch(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    if (auto failed = check_if_match(request.head.if_match, {}, "the batch"))
        return std::move(*failed);
    return made_operation(std::make_unique<deletion>(std::move(request)));
}

} // namespace belay::http
