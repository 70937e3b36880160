#include "message/json_path.hpp"

#include "message/text.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>

namespace belay::http {

void json_path::close()
{
    std::size_t const keys_begin = frames_.back().keys_begin;
    if (keys_begin < keys_.size()) {
        names_.resize(keys_[keys_begin].begin);
        keys_.resize(keys_begin);
    }
    frames_.pop_back();
}

json_path::key_check json_path::key(std::string_view name)
{
    std::size_t const hash = std::hash<std::string_view>()(name);
    auto const begin = static_cast<std::ptrdiff_t>(frames_.back().keys_begin);
    bool const doubled = std::any_of(keys_.begin() + begin, keys_.end(), [&](key_place const& key) {
        return key.hash == hash && name_of(key) == name;
    });
    keys_.push_back({hash, names_.size(), name.size()});
    names_ += name;
    return doubled                 ? key_check::doubled
           : count() > members_max ? key_check::too_many
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
    return innermost.is_array ? innermost.elements : keys_.size() - innermost.keys_begin;
}

std::string_view json_path::name() const noexcept
{
    return name_of(keys_.back());
}

std::string json_path::text() const
{
    std::string out;
    for (std::size_t level = 0; level < frames_.size(); ++level) {
        auto const& here = frames_[level];
        bool const innermost = level + 1 == frames_.size();
        std::size_t const keys_end = innermost ? keys_.size() : frames_[level + 1].keys_begin;
        if (here.is_array && here.elements != 0) {
            out += '[' + std::to_string(here.elements - 1) + ']';
        } else if (!here.is_array && keys_end != here.keys_begin) {
            out += out.empty() ? "" : ".";
            out += shown(name_of(keys_[keys_end - 1]));
        }
    }
    return out;
}

} // namespace belay::http
