// POST /v1/batches: a new batch, one input a line.
#include "message/batch_body.hpp"
#include "message/batch_options.hpp"
#include "message/ndjson.hpp"
#include "resources/creation.hpp"

#include <string>
#include <utility>
#include <vector>

namespace belay::http {

namespace {

/// Checks the lines while they come in.
class line_creation final : public creation {
public:
    line_creation(admitted const& request, std::optional<repeatable> repeat)
        : creation(request, std::move(repeat)), reader_(service_.options().line_bytes_max)
    {
    }

    [[nodiscard]] std::uint64_t body_bytes_max() const noexcept override
    {
        return service_.options().stream_bytes_max;
    }

    [[nodiscard]] std::uint64_t bytes_held() const override { return reader_.bytes_held(); }

    /// What the query says comes before the body.
    [[nodiscard]] std::optional<api_error> begin(query const& query)
    {
        auto const name = query.text("type");
        if (!name)
            return invalid_request("type", "type is missing in the query; the job types are " +
                                               service_.type_names());
        auto const type = find_type(*name);
        if (!type)
            return type.error();
        type_ = *type;
        auto const options = query_batch_options(query, type_->type, service_.batches().grace());
        if (!options)
            return options.error();
        batch_spec spec{.type = std::string(*name), .options = *options};
        if (auto error = set_text(query, "batch_name", batch_name_characters_max, spec.name))
            return error;
        if (auto error =
                set_text(query, "collection_id", collection_id_characters_max, spec.collection))
            return error;
        return is_replay() ? std::nullopt : open_draft(std::move(spec));
    }

private:
    static std::optional<api_error> set_text(query const& query, std::string_view name,
                                             std::size_t characters_max, std::string& to)
    {
        to = query.text(name).value_or("");
        if (auto fault = fault_of_name(name, to, characters_max))
            return invalid_request(name, std::move(*fault));
        return std::nullopt;
    }

    std::optional<api_error> read(std::string_view piece) override
    {
        reader_.add(piece);
        return std::nullopt;
    }

    std::optional<pause> fill(bool body_ended) override
    {
        constexpr std::size_t bytes_of_short_line = 128;
        if (body_ended)
            reader_.finish();
        time_slice const slice;
        std::size_t bytes = 0;
        while (true) {
            if (bytes >= bytes_at_once) {
                if (auto next = make_way(slice))
                    return next;
                bytes = 0;
            }
            auto input = reader_.next();
            if (!input)
                return input.error();
            if (!*input)
                break;
            if (auto error = add(**input))
                return in_line(reader_.line(), std::move(*error));
            bytes += reader_.line_bytes() + bytes_of_short_line;
        }
        if (body_ended && draft_->size() == 0)
            return invalid_request({}, "There are no inputs; each line is to be the JSON of one");
        return std::nullopt;
    }

    std::optional<api_error> add(boost::json::value const& input)
    {
        std::uint64_t const most = service_.options().inputs_max;
        if (draft_->size() == most)
            return invalid_request({}, "There are more than " + std::to_string(most) + " inputs");
        auto const checked = type_->check(input);
        if (!checked)
            return invalid_request(checked.error().field, checked.error().message);
        draft_->add(*checked);
        return std::nullopt;
    }

    ndjson_reader reader_;
    offered_type const* type_ = nullptr;
};

} // namespace

made_operation create_from_lines(admitted request)
{
    std::vector<std::string_view> known{"type", "batch_name", "collection_id"};
    for (auto const name : batch_option_names())
        known.push_back(name);
    if (auto error = request.query.only(known))
        return std::move(*error);
    auto repeat = begin_repeatable(request, "lines");
    if (!repeat)
        return repeat.error();
    auto made = std::make_unique<line_creation>(request, std::move(*repeat));
    if (auto error = made->begin(request.query))
        return std::move(*error);
    return made_operation(std::move(made));
}

} // namespace belay::http
