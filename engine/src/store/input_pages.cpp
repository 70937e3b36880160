#include "store/input_pages.hpp"

#include <belay/error.hpp>

#include <vector>

namespace belay {

namespace {

void put_length(std::string& bytes, std::uint64_t length)
{
    for (; length >= 0x80; length >>= 7)
        bytes += static_cast<char>(length | 0x80);
    bytes += static_cast<char>(length);
}

[[noreturn]] void refuse()
{
    throw error(errc::store_failed, "a page of inputs in the database is damaged");
}

/// Takes a number from the front of `bytes`.
std::uint64_t take_length(std::string_view& bytes)
{
    std::uint64_t length = 0;
    for (int shift = 0; shift < 63; shift += 7) {
        if (bytes.empty())
            refuse();
        auto const byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        length |= std::uint64_t{byte & 0x7fU} << shift;
        if (byte < 0x80)
            return length;
    }
    refuse();
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
        put_length(page.bytes, inputs[end++].size());
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
