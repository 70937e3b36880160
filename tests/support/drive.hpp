// Drives a request through the service without a socket.
#ifndef BELAY_TESTS_SUPPORT_DRIVE_HPP
#define BELAY_TESTS_SUPPORT_DRIVE_HPP

#include "message/answers.hpp"
#include "service/service.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <condition_variable>
#include <mutex>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace belay::test {

struct answer {
    unsigned status = 0;
    std::string text;
    std::vector<std::pair<std::string, std::string>> fields;

    [[nodiscard]] boost::json::value json() const { return boost::json::parse(text); }
    [[nodiscard]] boost::json::object data() const
    {
        return json().as_object().at("data").as_object();
    }
    [[nodiscard]] std::string field(std::string_view name) const
    {
        for (auto const& [key, value] : fields)
            if (key == name)
                return value;
        return {};
    }
};

inline answer finished(http::response response)
{
    answer result{response.status, std::move(response.body), std::move(response.fields)};
    while (response.rest && response.rest->next(result.text)) {
    }
    return result;
}

/// Waits as a session does, until the callback or until the time is over.
inline void wait(http::wait_for_end const& wanted)
{
    auto const state = std::make_shared<std::pair<std::mutex, std::condition_variable>>();
    auto const ended = std::make_shared<bool>(false);
    auto const subscription = wanted.subscribe([state, ended] {
        std::scoped_lock const lock(state->first);
        *ended = true;
        state->second.notify_one();
    });
    std::unique_lock lock(state->first);
    state->second.wait_for(lock, wanted.at_most, [&] { return *ended; });
    lock.unlock();
    wanted.unsubscribe(subscription);
}

inline answer drive(http::operation& operation, std::string_view body)
{
    for (; !body.empty(); body.remove_prefix(std::min<std::size_t>(body.size(), 7)))
        if (auto refused = operation.take(body.substr(0, 7)))
            return finished(http::failed(*refused, "req-test"));
    while (true) {
        http::step next = operation.proceed();
        if (auto* const response = std::get_if<http::response>(&next))
            return finished(std::move(*response));
        if (auto const* const error = std::get_if<http::api_error>(&next))
            return finished(http::failed(*error, "req-test"));
        if (auto const* const wanted = std::get_if<http::wait_for_end>(&next))
            wait(*wanted);
        if (auto const* const reads = std::get_if<http::reading>(&next))
            reads->work();
    }
}

/// What a request does, or why it may not be made.
inline http::result<std::unique_ptr<http::operation>> admit(http::service& service,
                                                            http::request_head const& head)
{
    return service.admit(head, service.look_up(head));
}

/// The answer to a GET with further fields.
inline answer get(http::service& service, http::request_head head)
{
    head.method = "GET";
    auto admitted = admit(service, head);
    if (!admitted)
        return finished(http::failed(admitted.error(), "req-test"));
    return drive(**admitted, {});
}

/// The answer to a request; `prefer` is its Prefer field.
inline answer ask(http::service& service, std::string method, std::string target, std::string key,
                  std::string_view body = {}, std::string prefer = {})
{
    http::request_head head{.method = std::move(method),
                            .target = std::move(target),
                            .api_key = std::move(key),
                            .prefer = std::move(prefer),
                            .has_body = !body.empty(),
                            .content_length = body.size()};
    auto admitted = admit(service, head);
    if (!admitted)
        return finished(http::failed(admitted.error(), "req-test"));
    return drive(**admitted, body);
}

} // namespace belay::test

#endif
