#include "json_path.hpp"

#include "text.hpp"

namespace belay::http {

void json_path::close()
{
    std::size_t const keys_begin = frames_.back().keys_begin;
    keys_.resize(key_begin(keys_begin));
    key_ends_.resize(keys_begin);
    frames_.pop_back();
}

json_path::key_check json_path::key(std::string_view name)
{
    std::size_t const begin = frames_.back().keys_begin;
    std::size_t const end = key_ends_.size();
    bool doubled = false;
    for (std::size_t key = begin; key < end && !doubled; ++key)
        doubled = key_name(key) == name;
    keys_ += name;
    key_ends_.push_back(keys_.size());
    return doubled                      ? key_check::doubled
           : end - begin >= members_max ? key_check::too_many
                                        : key_check::good;
}

void json_path::value() noexcept
{
    if (!frames_.empty() && frames_.back().is_array)
        ++frames_.back().elements;
}

std::uint64_t json_path::count() const noexcept
{
    auto const& innermost = frames_.back();
    return innermost.is_array ? innermost.elements : key_ends_.size() - innermost.keys_begin;
}

std::string_view json_path::name() const noexcept
{
    return key_name(key_ends_.size() - 1);
}

std::string json_path::text() const
{
    std::string out;
    for (std::size_t level = 0; level < frames_.size(); ++level) {
        auto const& here = frames_[level];
        bool const innermost = level + 1 == frames_.size();
        std::size_t const keys_end =
            innermost ? key_ends_.size() : frames_[level + 1].keys_begin;
        if (here.is_array && here.elements != 0) {
            out += '[' + std::to_string(here.elements - 1) + ']';
        } else if (!here.is_array && keys_end != here.keys_begin) {
            out += out.empty() ? "" : ".";
            out += shown(key_name(keys_end - 1));
        }
    }
    return out;
}

std::size_t json_path::key_begin(std::size_t key) const noexcept
{
    return key == 0 ? 0 : key_ends_[key - 1];
}

std::string_view json_path::key_name(std::size_t key) const noexcept
{
    return std::string_view(keys_).substr(key_begin(key), key_ends_[key] - key_begin(key));
}

} // namespace belay::http
