#include "resources/upload_form.hpp"

#include "message/batch_options.hpp"
#include "message/text.hpp"
#include "service/service.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>
#include <vector>

namespace belay::http {

namespace {

constexpr std::string_view file_field = "file";
constexpr std::array<std::string_view, 5> other_fields{"type", "batch_name", "collection_id",
                                                       "batch_options", "input"};

/// So much is worked up at once: each time another thread has to be asked.
constexpr std::size_t worked_up_bytes = 64 * 1024;

constexpr std::size_t options_bytes_max = 64 * 1024;
constexpr std::size_t short_field_bytes_max = 4 * 1024;

/// What a file takes of an owner's room beside its bytes, and what all take together.
constexpr std::uint64_t entry_bytes = 16;
constexpr std::uint64_t upload_header_bytes = 32;

bool is_known(std::string_view name)
{
    static std::vector<std::string_view> const options = batch_option_names();
    return std::ranges::count(other_fields, name) != 0 || std::ranges::count(options, name) != 0;
}

std::string known_names()
{
    std::string names(file_field);
    for (auto const name : other_fields)
        names.append(", ").append(name);
    for (auto const name : batch_option_names())
        names.append(", ").append(name);
    return names;
}

/// In front of it, so that no two lists of texts look alike.
void add_with_size(fingerprint& to, std::string_view text)
{
    to.add(std::to_string(text.size()) + ':');
    to.add(text);
}

} // namespace

upload_form::upload_form(setup given)
    : setup_(std::move(given)),
      reader_(setup_.boundary,
              setup_.files_max + other_fields.size() + batch_option_names().size() + 1)
{
    if (setup_.is_compared)
        digest_.emplace();
}

bool upload_form::wants_work() const noexcept
{
    if (fault_ || thrown_)
        return false;
    return is_reading_ || (has_ended_ ? !is_read_ : waiting_.size() >= worked_up_bytes);
}

void upload_form::work() noexcept
try {
    time_slice const slice;
    if (!std::exchange(is_reading_, true)) {
        reader_.add(waiting_);
        waiting_.clear();
        if (has_ended_)
            reader_.finish();
        is_last_ = has_ended_;
    }
    fault_ = read(slice);
    is_read_ = !is_reading_ && is_last_;
} catch (...) {
    thrown_ = std::current_exception();
}

std::optional<api_error> upload_form::fault() const
{
    if (thrown_)
        std::rethrow_exception(thrown_);
    return fault_;
}

/// Until all of it is read, or others are to have their turn.
std::optional<api_error> upload_form::read(time_slice const& slice)
{
    while (true) {
        auto const next = reader_.next();
        if (!next)
            return next.error();
        if (!*next) {
            is_reading_ = false;
            return std::nullopt;
        }
        if (auto refused = std::visit([this](auto const& event) { return take(event); }, **next))
            return refused;
        if (slice.is_over())
            return std::nullopt;
    }
}

std::optional<api_error> upload_form::take(part_head const& head)
{
    if (digest_) {
        add_with_size(*digest_, head.name);
        add_with_size(*digest_, head.filename.value_or(""));
        part_digest_.emplace();
    }
    return head.name == file_field ? begin_file(head) : begin_field(head.name);
}

std::optional<api_error> upload_form::begin_file(part_head const& head)
{
    text_ = nullptr;
    if (files() == setup_.files_max)
        return invalid_request(file_field, "There are more than " +
                                               std::to_string(setup_.files_max) +
                                               " files (--inputs-max)");
    bool const is_first = files() == 0;
    std::string const name = head.filename.value_or("");
    std::uint64_t const name_bytes = name.size() + upload_name_bytes;
    if (name_bytes > setup_.names_bytes_max - names_bytes_)
        return api_error(413, "payload_too_large",
                         "The names of the files are too long; those of a batch may have " +
                             std::to_string(setup_.names_bytes_max) + " bytes in all, with " +
                             std::to_string(upload_name_bytes) +
                             " more for each (a quarter of --buffer-bytes-max)",
                         {{"field", file_field}, {"limit", setup_.names_bytes_max}});
    names_.push_back(name);
    names_bytes_ += name_bytes;
    if (!setup_.make)
        return std::nullopt;
    if (auto refused = take_room(entry_bytes + (is_first ? upload_header_bytes : 0)))
        return refused;
    if (is_first)
        upload_ = setup_.make();
    upload_->begin_file();
    return std::nullopt;
}

std::optional<api_error> upload_form::begin_field(std::string const& name)
{
    if (!is_known(name))
        return invalid_request(shown(name), "There is no field " + http::quoted(name) +
                                                "; the fields are " + known_names());
    auto const [place, is_new] = fields_.try_emplace(name);
    if (!is_new)
        return invalid_request(name, "The field " + name + " is there twice");
    name_ = name;
    text_ = &place->second;
    return std::nullopt;
}

std::optional<api_error> upload_form::take(part_data const& data)
{
    std::uint64_t const size = data.bytes.size();
    if (part_digest_)
        part_digest_->add(data.bytes);
    if (text_ != nullptr) {
        std::size_t const most = name_ == "batch_options" ? options_bytes_max
                                 : name_ == "input"       ? setup_.input_bytes_max
                                                          : short_field_bytes_max;
        if (size > most - text_->size())
            return invalid_request(name_, "The field " + name_ + " is too long; it may have " +
                                              std::to_string(most) + " bytes");
        *text_ += data.bytes;
        fields_bytes_ += size;
        return std::nullopt;
    }
    if (size > setup_.bytes_max - bytes_)
        return api_error(
            413, "payload_too_large",
            "The files are too large; those of a batch may have " +
                std::to_string(setup_.bytes_max) + " bytes in all (--upload-bytes-max)",
            {{"field", "file[" + std::to_string(files() - 1) + ']'}, {"limit", setup_.bytes_max}});
    bytes_ += size;
    if (!upload_)
        return std::nullopt;
    if (auto refused = take_room(size))
        return refused;
    upload_->write(data.bytes);
    return std::nullopt;
}

std::optional<api_error> upload_form::take(part_end const&)
{
    if (part_digest_)
        digest_->add(part_digest_->finish());
    if (text_ != nullptr && !is_utf8(*text_))
        return invalid_request(name_, "The field " + name_ + " is not UTF-8");
    text_ = nullptr;
    return std::nullopt;
}

std::optional<api_error> upload_form::take_room(std::uint64_t bytes)
{
    if (setup_.quota->grow(bytes))
        return std::nullopt;
    return setup_.over_quota();
}

std::string const* upload_form::field(std::string_view name) const
{
    auto const found = fields_.find(name);
    return found == fields_.end() ? nullptr : &found->second;
}

std::string upload_form::name_of(std::uint64_t file) const
{
    std::string_view const given = names_[file];
    return given.empty() ? "file-" + std::to_string(file) : std::string(given);
}

std::uint64_t upload_form::bytes_held() const noexcept
{
    return waiting_.capacity() + reader_.bytes_held() + names_bytes_ + fields_bytes_;
}

} // namespace belay::http
