#include "resources/batch_reading.hpp"
#include "service/resource.hpp"

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
            bool const more = reads_->next(out);
            if (!more)
                require_there(); // else something may have been left out
            return more;
        } catch (error const&) {
            require_there();
            throw;
        }
    }

private:
    void require_there() const
    {
        if (!service_.batches().find(batch_.id()))
            throw batch_not_found(batch_.id());
    }

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
