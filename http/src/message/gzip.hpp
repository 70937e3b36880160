// The gzip coding of an answer (RFC 1952), by zlib.
#ifndef BELAY_HTTP_MESSAGE_GZIP_HPP
#define BELAY_HTTP_MESSAGE_GZIP_HPP

#include <zlib.h>

#include <string>
#include <string_view>

namespace belay::http {

/// Compresses bytes that come in pieces. Some 40 KB.
class gzip {
public:
    /// Throws std::bad_alloc.
    gzip();
    ~gzip();
    gzip(gzip const&) = delete;
    gzip& operator=(gzip const&) = delete;

    /// Appends to `out` what there is of it by then.
    void add(std::string_view bytes, std::string& out) { write(bytes, out, Z_NO_FLUSH); }

    /// The rest. Once, and last.
    void finish(std::string& out) { write({}, out, Z_FINISH); }

private:
    void write(std::string_view bytes, std::string& out, int flush);

    z_stream stream_{};
};

} // namespace belay::http

#endif
