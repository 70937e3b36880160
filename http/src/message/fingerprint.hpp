// What a request asked for, in 32 bytes.
#ifndef BELAY_HTTP_MESSAGE_FINGERPRINT_HPP
#define BELAY_HTTP_MESSAGE_FINGERPRINT_HPP

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace belay::http {

/// The SHA-256 of bytes that come in pieces. Throws std::bad_alloc only.
class fingerprint {
public:
    fingerprint();

    void add(std::string_view bytes);

    /// Of all that was added. Once.
    [[nodiscard]] std::string finish();

private:
    struct deleter {
        void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, deleter> context_;
};

} // namespace belay::http

#endif
