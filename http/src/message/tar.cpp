#include "message/tar.hpp"

#include <algorithm>
#include <cassert>
#include <string>

namespace belay::http {

namespace {

/// A field of a header: where it begins, and how many bytes it has.
struct field {
    std::size_t at;
    std::size_t bytes;
};

constexpr field name_field{0, 100};
constexpr field mode_field{100, 8};
constexpr field user_field{108, 8};
constexpr field group_field{116, 8};
constexpr field size_field{124, 12};
constexpr field time_field{136, 12};
constexpr field sum_field{148, 8};
constexpr field type_field{156, 1};
constexpr field magic_field{257, 8};

void put(std::string& header, field where, std::string_view text)
{
    assert(text.size() <= where.bytes);
    header.replace(where.at, text.size(), text);
}

/// Octal digits, with zeros before them, that fill it but for a NUL.
void put_octal(std::string& header, field where, std::uint64_t number)
{
    for (std::size_t i = where.bytes - 1; i-- != 0; number /= 8)
        header[where.at + i] = static_cast<char>('0' + number % 8);
}

void put_size(std::string& header, std::uint64_t size)
{
    constexpr std::uint64_t octal_max = (std::uint64_t{1} << 33) - 1;
    if (size <= octal_max)
        return put_octal(header, size_field, size);
    for (std::size_t i = size_field.bytes; i-- != 0; size /= 256)
        header[size_field.at + i] = static_cast<char>(size % 256);
    header[size_field.at] = '\x80';
}

} // namespace

std::string tar_header(std::string_view name, std::uint64_t size, std::int64_t modified)
{
    constexpr unsigned mode = 0644;
    std::string header(tar_block_bytes, '\0');
    put(header, name_field, name);
    put_octal(header, mode_field, mode);
    put_octal(header, user_field, 0);
    put_octal(header, group_field, 0);
    put_size(header, size);
    put_octal(header, time_field, static_cast<std::uint64_t>(std::max<std::int64_t>(modified, 0)));
    put(header, sum_field, "        "); // as which it counts in the sum
    put(header, type_field, "0");
    put(header, magic_field, std::string_view("ustar\00000", 8));
    std::uint64_t sum = 0;
    for (char const byte : header)
        sum += static_cast<unsigned char>(byte);
    put_octal(header, {sum_field.at, sum_field.bytes - 1}, sum);
    header[sum_field.at + sum_field.bytes - 2] = '\0';
    return header;
}

} // namespace belay::http
