#include "cancelbench/message.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <boost/system/error_code.hpp>

#include <limits>
#include <type_traits>
#include <utility>

namespace belay::cancelbench {

namespace {

namespace json = boost::json;

constexpr int version = 1;

/// The members of a line, taken out by name.
class members {
public:
    explicit members(std::string_view line)
    {
        boost::system::error_code error;
        json::value value = json::parse(line, error);
        if (error || !value.is_object())
            throw wrong_line("a JSON object is wanted, but the line is: " +
                             std::string(line.substr(0, 200)));
        object_ = std::move(value.get_object());
    }

    [[nodiscard]] bool has(std::string_view name) const { return object_.contains(name); }

    template <class T>
    [[nodiscard]] T get(std::string_view name) const
    {
        json::value const* const value = object_.if_contains(name);
        if (value == nullptr)
            throw wrong_line("the member '" + std::string(name) + "' is missing");
        return as<T>(*value, name);
    }

    template <class T>
    void get_to(std::optional<T>& to, std::string_view name) const
    {
        if (json::value const* const value = object_.if_contains(name); value && !value->is_null())
            to = as<T>(*value, name);
    }

    template <class T>
    void get_to(T& to, std::string_view name) const
    {
        if (json::value const* const value = object_.if_contains(name); value && !value->is_null())
            to = as<T>(*value, name);
    }

private:
    [[noreturn]] static void refuse(std::string_view name, char const* wanted)
    {
        throw wrong_line("the member '" + std::string(name) + "' should be " + wanted);
    }

    template <class T>
    static T as(json::value const& value, std::string_view name)
    {
        if constexpr (std::is_same_v<T, std::string>) {
            if (!value.is_string())
                refuse(name, "a text");
            return std::string(value.get_string());
        } else if constexpr (std::is_same_v<T, bool>) {
            if (!value.is_bool())
                refuse(name, "true or false");
            return value.get_bool();
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
            if (!value.is_array())
                refuse(name, "a list of texts");
            T texts;
            for (auto const& element : value.get_array())
                texts.push_back(as<std::string>(element, name));
            return texts;
        } else if constexpr (std::is_same_v<T, account>) {
            if (!value.is_object())
                refuse(name, "an object of three counts");
            members const counts(json::serialize(value));
            return {counts.get<std::uint64_t>("finished"),
                    counts.get<std::uint64_t>("interrupted"),
                    counts.get<std::uint64_t>("never_started")};
        } else {
            boost::system::error_code error;
            T const number = value.to_number<T>(error);
            if (error || (std::is_unsigned_v<T> && value.is_int64() && value.get_int64() < 0))
                refuse(name, "a whole number");
            return number;
        }
    }

    json::object object_;
};

json::array list(std::vector<std::string> const& texts)
{
    return json::array(texts.begin(), texts.end());
}

template <class T>
void add(json::object& object, std::string_view name, std::optional<T> const& value)
{
    if (value)
        object[name] = *value;
}

} // namespace

std::string to_line(introduction const& introduction)
{
    return json::serialize(json::object{{"cancelbench", version},
                                        {"peer", introduction.peer},
                                        {"version", introduction.version},
                                        {"scripts", list(introduction.scripts)},
                                        {"bodies", list(introduction.bodies)},
                                        {"jobs_max", introduction.jobs_max}});
}

std::string to_line(request const& request)
{
    json::object object{
        {"script", request.script},     {"jobs", request.jobs},       {"workers", request.workers},
        {"running", request.running},   {"body", request.body},       {"body_ns", request.body_ns},
        {"poll_ns", request.poll_ns},   {"pause_ns", request.pause_ns}, {"warm", request.warm},
    };
    if (!request.ledger.empty())
        object["ledger"] = request.ledger;
    if (!request.directory.empty())
        object["directory"] = request.directory;
    if (!request.command.empty())
        object["command"] = list(request.command);
    return json::serialize(object);
}

std::string to_line(answer const& answer)
{
    json::object object;
    add(object, "called", answer.called);
    add(object, "closed", answer.closed);
    add(object, "ended", answer.ended);
    add(object, "returned", answer.returned);
    add(object, "seen", answer.seen);
    add(object, "quiet", answer.quiet);
    add(object, "awake", answer.awake);
    add(object, "started", answer.started);
    add(object, "finished", answer.finished);
    add(object, "interrupted", answer.interrupted);
    add(object, "bytes", answer.bytes);
    add(object, "cpu_ns", answer.cpu_ns);
    if (answer.told)
        object["told"] = json::object{{"finished", answer.told->finished},
                                      {"interrupted", answer.told->interrupted},
                                      {"never_started", answer.told->never_started}};
    add(object, "results", answer.results);
    add(object, "cancelled", answer.cancelled);
    return json::serialize(object);
}

std::string error_line(std::string_view text)
{
    return json::serialize(json::object{{"error", text}});
}

introduction parse_introduction(std::string_view line)
{
    members const found(line);
    if (int const said = found.get<int>("cancelbench"); said != version)
        throw wrong_line("cancelbench " + std::to_string(version) + " is wanted, not " +
                         std::to_string(said));
    introduction result{.peer = found.get<std::string>("peer"),
                        .version = found.get<std::string>("version"),
                        .scripts = found.get<std::vector<std::string>>("scripts"),
                        .bodies = {}};
    found.get_to(result.bodies, "bodies");
    result.jobs_max = std::numeric_limits<std::uint64_t>::max();
    found.get_to(result.jobs_max, "jobs_max");
    return result;
}

request parse_request(std::string_view line)
{
    members const found(line);
    request result{.script = found.get<std::string>("script")};
    found.get_to(result.jobs, "jobs");
    found.get_to(result.workers, "workers");
    found.get_to(result.running, "running");
    found.get_to(result.body, "body");
    found.get_to(result.body_ns, "body_ns");
    found.get_to(result.poll_ns, "poll_ns");
    found.get_to(result.pause_ns, "pause_ns");
    found.get_to(result.warm, "warm");
    found.get_to(result.ledger, "ledger");
    found.get_to(result.directory, "directory");
    found.get_to(result.command, "command");
    return result;
}

answer parse_answer(std::string_view line)
{
    members const found(line);
    if (found.has("error"))
        throw refused(found.get<std::string>("error"));
    answer result;
    found.get_to(result.called, "called");
    found.get_to(result.closed, "closed");
    found.get_to(result.ended, "ended");
    found.get_to(result.returned, "returned");
    found.get_to(result.seen, "seen");
    found.get_to(result.quiet, "quiet");
    found.get_to(result.awake, "awake");
    found.get_to(result.started, "started");
    found.get_to(result.finished, "finished");
    found.get_to(result.interrupted, "interrupted");
    found.get_to(result.bytes, "bytes");
    found.get_to(result.cpu_ns, "cpu_ns");
    found.get_to(result.told, "told");
    found.get_to(result.results, "results");
    found.get_to(result.cancelled, "cancelled");
    return result;
}

} // namespace belay::cancelbench
