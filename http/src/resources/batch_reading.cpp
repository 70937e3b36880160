#include "resource.hpp"

#include <belay/error.hpp>

#include <string>
#include <utility>

namespace belay::http {

namespace {

class batch_reading final : public body_source {
public:
    batch_reading(admitted const& request, std::unique_ptr<body_source> reads)
        : service_(request.service), batch_(*request.batch), reads_(std::move(reads))
    {
    }

    bool next(std::string& out) override
    {
        try {
            return reads_->next(out);
        } catch (error const&) {
            if (!service_.batches().find(batch_.id()))
                throw batch_not_found(batch_.id());
            throw;
        }
    }

private:
    http::service& service_;
    recorded_batch batch_;
    std::unique_ptr<body_source> reads_;
};

} // namespace

std::unique_ptr<body_source> read_of_batch(admitted const& request,
                                           std::unique_ptr<body_source> reads)
{
    return std::make_unique<batch_reading>(request, std::move(reads));
}

} // namespace belay::http
