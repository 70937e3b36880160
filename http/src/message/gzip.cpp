#include "message/gzip.hpp"

#include <array>
#include <cstddef>
#include <new>

namespace belay::http {

namespace {
constexpr int level = 3; ///< answers are compressed while a client waits
// A few tens of KiB, and little is lost: what is answered compressed repeats itself at short
// distances.
constexpr int window_bits = 12 + 16; // of 4 KiB, in the format of gzip
constexpr int memory_level = 5;
} // namespace

gzip::gzip()
{
    if (deflateInit2(&stream_, level, Z_DEFLATED, window_bits, memory_level, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        throw std::bad_alloc();
}

gzip::~gzip()
{
    deflateEnd(&stream_);
}

void gzip::write(std::string_view bytes, std::string& out, int flush)
{
    std::array<char, 16 * 1024> made;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
        stream_.next_out = reinterpret_cast<Bytef*>(made.data());
        stream_.avail_out = static_cast<uInt>(made.size());
        (void)deflate(&stream_, flush);
        out.append(made.data(), made.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
}

} // namespace belay::http
