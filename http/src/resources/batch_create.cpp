// POST /v1/batches: a new batch, as one JSON document.
#include "message/batch_body.hpp"
#include "message/batch_options.hpp"
#include "message/media_type.hpp"
#include "message/multipart.hpp"
#include "message/text.hpp"
#include "resources/creation.hpp"
#include "resources/remainder.hpp"

#include <boost/json/parse.hpp>

#include <exception>
#include <memory>
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
        return rest_ ? fill_from_rest() : fill_from_body();
    }

    std::optional<pause> fill_from_body()
    {
        constexpr std::size_t bytes_of_short_input = 64;
        time_slice const slice;
        std::size_t bytes = 0;
        while (draft_->size() != given_.size()) {
            bytes += given_[draft_->size()].size() + bytes_of_short_input;
            std::uint64_t const index = draft_->size();
            if (auto error =
                    add(json::parse(given_[index]), "inputs[" + std::to_string(index) + ']'))
                return std::move(*error);
            if (bytes < bytes_at_once)
                continue;
            bytes = 0;
            if (auto next = make_way(slice))
                return next;
        }
        return std::nullopt;
    }

    std::optional<pause> fill_from_rest()
    {
        time_slice const slice;
        for (auto& found = rest_->found(); !found.empty();) {
            remainder::input const next = std::move(found.front());
            found.pop_front();
            if (draft_->size() == service_.options().inputs_max)
                return invalid_request("select", "The jobs that are selected are more than " +
                                                     std::to_string(draft_->size()) + " inputs");
            boost::system::error_code none;
            auto const input = json::parse(next.text, none);
            if (none)
                return invalid_request("from", "The input of job " + std::to_string(next.job) +
                                                   " of batch " + rest_->batch().id() +
                                                   " is not JSON");
            if (auto error = add(input, "from"))
                return std::move(*error);
            if (auto wait = make_way(slice))
                return wait;
        }
        if (rest_->failed()) {
            if (auto const gone = find_batch(rest_->batch().id()); !gone)
                return gone.error();
            std::rethrow_exception(rest_->failed());
        }
        if (!rest_->is_read())
            return reading{[rest = rest_] { rest->read(); }};
        if (draft_->size() == 0)
            return invalid_request("select", "No job of batch " + rest_->batch().id() +
                                                 " has come to what is selected");
        if (auto& files = rest_->files())
            attach(std::move(*files));
        return std::nullopt;
    }

    std::optional<api_error> begin()
    {
        if (auto error = parser_.finish())
            return error;
        batch_body body = parser_.release();
        if (body.from)
            if (auto error = take_up(body))
                return error;
        if (!body.type)
            return invalid_request("type", "type is missing; the job types are " +
                                               service_.type_names());
        auto const type = find_type(*body.type);
        if (!type)
            return type.error();
        type_ = *type;
        auto const options =
            parse_batch_options(body.options, type_->type, service_.batches().grace(),
                                rest_ ? rest_->batch().options() : batch_options());
        if (!options)
            return options.error();
        given_ = std::move(body.inputs);
        return open_draft({.type = *body.type,
                           .options = *options,
                           .name = body.batch_name.value_or(""),
                           .collection = body.collection_id.value_or(""),
                           .from = body.from.value_or("")});
    }

    /// What the batch is like whose jobs are taken up; what the body says goes before it.
    std::optional<api_error> take_up(batch_body& body)
    {
        auto const from = find_batch(*body.from);
        if (!from)
            return from.error();
        if (body.type && *body.type != from->type())
            return invalid_request("type", "Batch " + from->id() + " is of type " +
                                               http::quoted(from->type()) + ", not " +
                                               http::quoted(*body.type));
        auto rest = remainder::of(*from, body.select);
        if (!rest)
            return rest.error();
        rest_ = std::make_shared<remainder>(std::move(*rest));
        rest_->take_files_with([&engine = service_.batches()](recorded_batch const& batch) {
            return engine.make_upload(batch);
        });
        body.type = from->type();
        if (!body.batch_name)
            body.batch_name = from->name();
        if (!body.collection_id)
            body.collection_id = from->collection();
        return std::nullopt;
    }

    std::optional<api_error> add(json::value const& input, std::string field)
    {
        auto const checked = type_->check(input);
        if (checked) {
            draft_->add(*checked);
            return std::nullopt;
        }
        if (!checked.error().field.empty())
            field += '.' + checked.error().field;
        return invalid_request(field, checked.error().message);
    }

    batch_body_parser parser_;
    byte_strings given_;
    std::shared_ptr<remainder> rest_; ///< in place of `given_`
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
    if (is_multipart(request.head.content_type))
        return create_from_files(std::move(request));
    return is_json_lines(request.head.content_type) ? create_from_lines(std::move(request))
                                                    : create_from_json(std::move(request));
}

} // namespace belay::http
