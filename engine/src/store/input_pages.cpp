#include "store/input_pages.hpp"

#include "store/leb128.hpp"

#include <belay/error.hpp>

#include <vector>

namespace belay {

namespace {

[[noreturn]] void refuse()
{
    throw error(errc::store_failed, "a page of inputs in the database is damaged");
}

/// Takes a number from the front of `bytes`.
std::uint64_t take_length(std::string_view& bytes)
{
    auto const length = take_leb128(bytes);
    if (!length)
        refuse();
    return *length;
}

} // namespace

packed_page pack_inputs(byte_strings const& inputs, std::uint64_t begin)
{
    packed_page page;
    std::size_t total = 0;
    std::uint64_t end = begin;
    while (end != inputs.size() && end - begin != page_inputs_max &&
           (end == begin || total + inputs[end].size() <= page_bytes_max)) {
        total += inputs[end].size();
        put_leb128(page.bytes, inputs[end++].size());
    }
    page.count = end - begin;
    page.bytes.reserve(page.bytes.size() + total);
    for (std::uint64_t index = begin; index != end; ++index)
        page.bytes += inputs[index];
    return page;
}

byte_strings unpack_inputs(std::uint64_t count, std::string_view bytes)
{
    if (count == 0 || count > page_inputs_max)
        refuse();
    std::vector<std::uint64_t> lengths(count);
    for (auto& length : lengths)
        length = take_length(bytes);
    byte_strings inputs;
    for (auto const length : lengths) {
        if (length > bytes.size())
            refuse();
        inputs.push_back(bytes.substr(0, length));
        bytes.remove_prefix(length);
    }
    if (!bytes.empty())
        refuse();
    return inputs;
}

} // namespace belay
