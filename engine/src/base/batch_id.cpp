#include "base/batch_id.hpp"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

namespace belay {

std::string make_id(std::string_view prefix)
{
    constexpr std::string_view digits = "0123456789abcdefghjkmnpqrstvwxyz";
    std::array<unsigned char, 26> bytes{};
    std::size_t filled = 0;
    while (filled != bytes.size()) {
        ssize_t const got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
        if (got < 0 && errno != EINTR)
            throw std::system_error(errno, std::system_category(), "getrandom");
        filled += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    std::string id(prefix);
    for (unsigned char const byte : bytes)
        id += digits[byte % digits.size()];
    return id;
}

} // namespace belay
