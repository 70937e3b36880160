// POST /v1/batches: a new batch, as a form with a file for each of its jobs.
#include "message/batch_body.hpp"
#include "message/batch_options.hpp"
#include "message/multipart.hpp"
#include "message/strict_json.hpp"
#include "message/text.hpp"
#include "resources/creation.hpp"
#include "resources/upload_form.hpp"

#include <boost/json/object.hpp>

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace belay::http {

namespace json = boost::json;

namespace {

/// `error` about a member of what lies in a field: the field's name goes before it.
api_error in_field(std::string_view field, api_error error)
{
    auto& where = error.details["field"];
    where = where.is_string() && !where.get_string().empty()
                ? std::string(field) + '.' + std::string(where.get_string())
                : std::string(field);
    return error;
}

/// The JSON object that a field holds; an empty one if it is not there.
result<json::object> object_in(upload_form const& form, std::string_view field)
{
    auto const* const text = form.field(field);
    if (text == nullptr)
        return json::object();
    auto parsed = parse_strict(*text);
    if (!parsed)
        return in_field(field, parsed.error());
    if (!parsed->is_object())
        return invalid_request(field, std::string(field) + " must be a JSON object");
    return std::move(parsed->get_object());
}

/// As JSON would have it.
json::value option_value(std::string const& text)
{
    std::int64_t number = 0;
    char const* const end = text.data() + text.size();
    auto const [last, fault] = std::from_chars(text.data(), end, number);
    bool const is_integer = fault == std::errc() && last == end && !text.empty();
    return is_integer ? json::value(number) : json::value(text);
}

/// Those in `batch_options`, and those that have fields of their own, which go before them.
result<batch_options> options_in(upload_form const& form, job_type const& type,
                                 std::chrono::milliseconds grace)
{
    auto given = object_in(form, "batch_options");
    if (!given)
        return given.error();
    for (auto const name : batch_option_names())
        if (auto const* const text = form.field(name))
            (*given)[name] = option_value(*text);
    auto parsed = parse_batch_options(*given, type, grace);
    if (parsed)
        return parsed;
    api_error error = parsed.error();
    std::string name(error.details.at("field").as_string());
    name.erase(0, std::string_view("options.").size());
    error.details["field"] = form.field(name) == nullptr ? "batch_options." + name : name;
    return error;
}

/// Has the files written as they come, and makes the jobs' inputs when all is known.
class upload_creation final : public creation {
public:
    upload_creation(admitted const& request, std::optional<repeatable> repeat, std::string boundary)
        : creation(request, std::move(repeat), compared::by_form),
          is_compared_(request.head.idempotency_key.has_value())
    {
        auto const& options = service_.options();
        upload_form::setup setup{.boundary = std::move(boundary),
                                 .files_max = options.inputs_max,
                                 .bytes_max = options.upload_bytes_max,
                                 .input_bytes_max = options.line_bytes_max,
                                 .names_bytes_max = upload_names_bytes_max(options),
                                 .is_compared = is_compared_};
        if (!is_replay()) {
            claim_ = service_.uploads().begin(key_.owner);
            setup.make = [&engine = service_.batches()] { return engine.make_upload(); };
            setup.quota = claim_;
            setup.over_quota = [quotas = service_.uploads().shared_from_this(),
                                owner = key_.owner] { return over_quota(*quotas, owner); };
        }
        form_ = std::make_shared<upload_form>(std::move(setup));
    }

    [[nodiscard]] std::uint64_t body_bytes_max() const noexcept override
    {
        return upload_body_bytes_max(service_.options());
    }

    [[nodiscard]] std::uint64_t bytes_held() const override { return form_->bytes_held(); }

private:
    static api_error over_quota(upload_quota const& quotas, std::string const& owner)
    {
        std::uint64_t const used = quotas.held(owner);
        return {413,
                "payload_too_large",
                "The files of the owner " + http::quoted(owner) + " hold " + std::to_string(used) +
                    " bytes by now, of the " + std::to_string(quotas.bytes_max()) +
                    " that they may have (--owner-upload-bytes-max); deleting batches makes room",
                {{"used", used}, {"limit", quotas.bytes_max()}}};
    }

    std::optional<api_error> read(std::string_view piece) override
    {
        form_->add(piece);
        return std::nullopt;
    }

    std::optional<pause> fill(bool body_ended) override
    {
        if (body_ended)
            form_->finish();
        if (form_->wants_work())
            return reading{[form = form_] { form->work(); }, disk_lane::uploads};
        if (auto refused = form_->fault())
            return std::move(*refused);
        if (!body_ended)
            return std::nullopt;
        if (std::exchange(is_compared_, false))
            add_to_fingerprint(form_->digest());
        if (is_replay())
            return std::nullopt;
        if (!draft_)
            if (auto refused = begin())
                return std::move(*refused);
        return make_inputs();
    }

    std::optional<pause> make_inputs()
    {
        constexpr std::size_t bytes_of_short_input = 128;
        time_slice const slice;
        std::size_t bytes = 0;
        while (draft_->size() != form_->files()) {
            if (auto refused = add(draft_->size(), bytes))
                return std::move(*refused);
            bytes += bytes_of_short_input;
            if (bytes < bytes_at_once)
                continue;
            bytes = 0;
            if (auto next = make_way(slice))
                return next;
        }
        attach(form_->release(), std::move(claim_));
        return std::nullopt;
    }

    /// The type may come last, so nothing is held against it before.
    std::optional<api_error> begin()
    {
        auto const* const name = form_->field("type");
        if (name == nullptr)
            return invalid_request("type",
                                   "type is missing; the job types are " + service_.type_names());
        auto const type = find_type(*name);
        if (!type)
            return type.error();
        type_ = *type;
        if (type_->path_member.empty())
            return invalid_request("type", "Job type " + *name +
                                               " has no input that is a file; its batches are made "
                                               "of JSON");
        if (form_->files() == 0)
            return invalid_request("file", "There is no file; each field file is to be one");
        if (auto refused = read_input())
            return refused;
        auto const options = options_in(*form_, type_->type, service_.batches().grace());
        if (!options)
            return options.error();
        batch_spec spec{.type = *name, .options = *options};
        if (auto refused = set_text("batch_name", batch_name_characters_max, spec.name))
            return refused;
        if (auto refused = set_text("collection_id", collection_id_characters_max, spec.collection))
            return refused;
        return open_draft(std::move(spec));
    }

    std::optional<api_error> read_input()
    {
        auto given = object_in(*form_, "input");
        if (!given)
            return given.error();
        if (given->contains(type_->path_member))
            return invalid_request("input." + type_->path_member,
                                   type_->path_member + " is the name of each file; input has "
                                                        "what else is to be said of all");
        input_ = std::move(*given);
        return std::nullopt;
    }

    std::optional<api_error> set_text(std::string_view name, std::size_t characters_max,
                                      std::string& to) const
    {
        auto const* const text = form_->field(name);
        if (text == nullptr)
            return std::nullopt;
        if (auto fault = fault_of_name(name, *text, characters_max))
            return invalid_request(name, std::move(*fault));
        to = *text;
        return std::nullopt;
    }

    std::optional<api_error> add(std::uint64_t file, std::size_t& bytes)
    {
        json::object input{{type_->path_member, form_->name_of(file)}};
        for (auto const& [name, value] : input_)
            input.emplace(name, value);
        auto const checked = type_->check(input);
        if (checked) {
            bytes += checked->size();
            draft_->add(*checked);
            return std::nullopt;
        }
        auto const& fault = checked.error();
        bool const is_of_file = fault.field.empty() || fault.field == type_->path_member;
        return invalid_request(is_of_file ? "file[" + std::to_string(file) + ']'
                                          : "input." + fault.field,
                               fault.message);
    }

    bool is_compared_;
    std::shared_ptr<upload_quota::claim> claim_; ///< null if the files are not kept
    std::shared_ptr<upload_form> form_;
    offered_type const* type_ = nullptr;
    json::object input_; ///< what is the same for all files
};

} // namespace

made_operation create_from_files(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    auto boundary = boundary_of(request.head.content_type);
    if (!boundary)
        return boundary.error();
    auto repeat = begin_repeatable(request, "files");
    if (!repeat)
        return repeat.error();
    return made_operation(
        std::make_unique<upload_creation>(request, std::move(*repeat), std::move(*boundary)));
}

} // namespace belay::http
