#ifndef BELAY_HTTP_PROGRAM_HTTP_CLIENT_HPP
#define BELAY_HTTP_PROGRAM_HTTP_CLIENT_HPP

#include <boost/json/object.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace belay::program {

/// A client of one server over one connection, for the commands that are clients themselves.
/// Throws std::runtime_error for an answer that is no success, saying what was asked and what came.
class http_client {
public:
    /// `url` as `server::url()` gives it.
    http_client(std::string_view url, std::string api_key);
    ~http_client();
    http_client(http_client const&) = delete;
    http_client& operator=(http_client const&) = delete;

    /// The `data` of the answer.
    boost::json::object get(std::string const& target);
    boost::json::object put(std::string const& target, std::string body);
    boost::json::object post(std::string const& target, std::string body);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace belay::program

#endif
