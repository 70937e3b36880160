// POST /v1/batches: a new batch.
#include "../answers.hpp"
#include "../batch_body.hpp"
#include "../batch_options.hpp"
#include "../text.hpp"
#include "../views.hpp"
#include "resource.hpp"

#include <belay/error.hpp>

#include <boost/json/parse.hpp>

#include <string>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

/// Reads the body, checks the inputs one by one, and submits the batch.
class batch_creation final : public operation {
public:
    batch_creation(service& service, api_key const& key)
        : service_(service), owner_(key.owner), parser_(inputs_max)
    {
    }

    [[nodiscard]] std::uint64_t body_bytes_max() const noexcept override
    {
        return service_.options().body_bytes_max;
    }

    [[nodiscard]] std::optional<api_error> take(std::string_view piece) override
    {
        return parser_.write(piece);
    }

    [[nodiscard]] step proceed() override
    {
        if (type_ == nullptr)
            if (auto error = begin())
                return std::move(*error);
        time_slice const slice;
        while (spec_.inputs.size() != given_.size()) {
            if (auto error = check_next())
                return std::move(*error);
            if (spec_.inputs.size() % 64 == 0 && slice.is_over())
                return more_to_do{};
        }
        return submit();
    }

private:
    static constexpr std::uint64_t inputs_max = 8'000'000;

    std::optional<api_error> begin()
    {
        if (auto error = parser_.finish())
            return error;
        batch_body body = parser_.release();
        if (!body.type)
            return invalid_request("type", "type is missing; the job types are " +
                                               service_.type_names());
        type_ = service_.find_type(*body.type);
        if (type_ == nullptr)
            return invalid_request("type", "There is no job type " + quoted(*body.type) +
                                               "; the job types are " + service_.type_names());
        auto const options =
            parse_batch_options(body.options, type_->type, service_.batches().grace());
        if (!options)
            return options.error();
        spec_.type = *body.type;
        spec_.options = *options;
        spec_.name = body.batch_name.value_or("");
        spec_.collection = body.collection_id.value_or("");
        spec_.owner = owner_;
        given_ = std::move(body.inputs);
        return std::nullopt;
    }

    std::optional<api_error> check_next()
    {
        std::uint64_t const index = spec_.inputs.size();
        auto const checked = type_->check(json::parse(given_[index]));
        if (checked) {
            spec_.inputs.push_back(*checked);
            return std::nullopt;
        }
        std::string field = "inputs[" + std::to_string(index) + "]";
        if (!checked.error().field.empty())
            field += '.' + checked.error().field;
        return invalid_request(field, checked.error().message);
    }

    step submit()
    {
        try {
            auto const batch = service_.batches().submit(std::move(spec_));
            auto const status = batch.status();
            response answer = succeeded(202, "Batch created",
                                        {{"batch_id", batch.id()},
                                         {"status", to_string(status.state)},
                                         {"total", batch.size()}});
            answer.fields.emplace_back("Location", path_of(batch));
            return answer;
        } catch (error const& refused) {
            return unavailable(refused.what());
        }
    }

    service& service_;
    std::string owner_;
    batch_body_parser parser_;
    byte_strings given_;
    offered_type const* type_ = nullptr;
    batch_spec spec_;
};

} // namespace

made_operation create_batch(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    return made_operation(std::make_unique<batch_creation>(request.service, *request.key));
}

} // namespace belay::http
