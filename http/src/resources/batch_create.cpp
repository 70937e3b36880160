// POST /v1/batches: a new batch, as one JSON document.
#include "message/batch_body.hpp"
#include "message/batch_options.hpp"
#include "message/media_type.hpp"
#include "resources/creation.hpp"

#include <boost/json/parse.hpp>

#include <string>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

/// Reads the body, and then checks the inputs one by one.
class json_creation final : public creation {
public:
    json_creation(admitted const& request, std::optional<repeatable> repeat)
        : creation(request, std::move(repeat)),
          parser_(service_.options().inputs_max, service_.options().line_bytes_max)
    {
    }

    [[nodiscard]] std::uint64_t body_bytes_max() const noexcept override
    {
        return service_.options().body_bytes_max;
    }

    [[nodiscard]] std::uint64_t bytes_held() const override { return parser_.bytes_held(); }

private:
    std::optional<api_error> read(std::string_view piece) override { return parser_.write(piece); }

    std::optional<pause> fill(bool body_ended) override
    {
        if (!body_ended)
            return std::nullopt;
        if (!draft_)
            if (auto error = begin())
                return std::move(*error);
        constexpr std::size_t bytes_of_short_input = 64;
        time_slice const slice;
        std::size_t bytes = 0;
        while (draft_->size() != given_.size()) {
            bytes += given_[draft_->size()].size() + bytes_of_short_input;
            if (auto error = check_next())
                return std::move(*error);
            if (bytes < bytes_at_once)
                continue;
            bytes = 0;
            if (auto next = make_way(slice))
                return next;
        }
        return std::nullopt;
    }

    std::optional<api_error> begin()
    {
        if (auto error = parser_.finish())
            return error;
        batch_body body = parser_.release();
        if (!body.type)
            return invalid_request("type", "type is missing; the job types are " +
                                               service_.type_names());
        auto const type = find_type(*body.type);
        if (!type)
            return type.error();
        type_ = *type;
        auto const options =
            parse_batch_options(body.options, type_->type, service_.batches().grace());
        if (!options)
            return options.error();
        given_ = std::move(body.inputs);
        return open_draft({.type = *body.type,
                           .options = *options,
                           .name = body.batch_name.value_or(""),
                           .collection = body.collection_id.value_or("")});
    }

    std::optional<api_error> check_next()
    {
        std::uint64_t const index = draft_->size();
        auto const checked = type_->check(json::parse(given_[index]));
        if (checked) {
            draft_->add(*checked);
            return std::nullopt;
        }
        std::string field = "inputs[" + std::to_string(index) + "]";
        if (!checked.error().field.empty())
            field += '.' + checked.error().field;
        return invalid_request(field, checked.error().message);
    }

    batch_body_parser parser_;
    byte_strings given_;
    offered_type const* type_ = nullptr;
};

} // namespace

made_operation create_from_json(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    auto repeat = begin_repeatable(request, "json");
    if (!repeat)
        return repeat.error();
    return made_operation(std::make_unique<json_creation>(request, std::move(*repeat)));
}

made_operation create_batch(admitted request)
{
    if (request.service.is_short_of_memory())
        return out_of_memory();
    return is_json_lines(request.head.content_type) ? create_from_lines(std::move(request))
                                                    : create_from_json(std::move(request));
}

} // namespace belay::http
