#include "message/fingerprint.hpp"

#include <new>

namespace belay::http {

fingerprint::fingerprint() : context_(EVP_MD_CTX_new())
{
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
        throw std::bad_alloc();
}

void fingerprint::add(std::string_view bytes)
{
    if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1)
        throw std::bad_alloc();
}

std::string fingerprint::finish()
{
    std::string digest(32, '\0');
    if (EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()),
                           nullptr) != 1)
        throw std::bad_alloc();
    return digest;
}

} // namespace belay::http
