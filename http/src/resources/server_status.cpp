// GET /v1/server: how the server is, for whoever looks after it.
#include "message/answers.hpp"
#include "message/timestamps.hpp"
#include "resources/resources.hpp"

#include <belay/version.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace belay::http {

namespace json = boost::json;

namespace {

json::array lines(std::vector<std::string> const& texts)
{
    return json::array(texts.begin(), texts.end());
}

/// How much room there is where batches are kept; null in memory, and where that can't be known.
json::value disk_view(std::string const& directory)
{
    std::error_code unknown;
    auto const room = std::filesystem::space(directory, unknown);
    if (directory.empty() || unknown)
        return nullptr;
    return json::object{{"bytes", room.capacity}, {"free_bytes", room.available}};
}

json::object counters_view(engine_counters const& counted)
{
    return {{"jobs_started_after_cancel", counted.jobs_started_after_cancel},
            {"late_writes_refused", counted.late_writes_refused},
            {"jobs_abandoned", counted.jobs_abandoned},
            {"threads_abandoned", counted.threads_abandoned},
            {"processes_killed", counted.processes_killed}};
}

/// What it takes of the disk is asked on the thread for that.
class server_status final : public operation {
public:
    explicit server_status(http::service& service) : service_(service) {}

    [[nodiscard]] step proceed() override
    {
        if (disk_)
            return answer();
        disk_ = std::make_shared<json::value>();
        return reading{[disk = disk_, directory = service_.options().data_directory] {
            *disk = disk_view(directory);
        }};
    }

private:
    [[nodiscard]] response answer() const
    {
        auto const& engine = service_.batches();
        auto const load = engine.load();
        return succeeded(200, {},
                         {{"version", BELAY_VERSION},
                          {"started_at", to_micros(service_.started_at())},
                          {"workers", load.workers},
                          {"open_batches", load.open_batches},
                          {"runners_waiting", load.runners_waiting},
                          {"event_streams", service_.events().readers()},
                          {"memory", json::object{{"batches_bytes", load.memory_bytes},
                                                  {"batches_bytes_max", load.memory_bytes_max}}},
                          {"disk", *disk_},
                          {"problems", lines(engine.problems())},
                          {"notices", lines(engine.notices())},
                          {"counters", counters_view(engine.counters())},
                          {"recent_cancels", service_.cancels().view()}});
    }

    http::service& service_;
    std::shared_ptr<json::value> disk_;
};

} // namespace

made_operation get_server(admitted request)
{
    if (auto error = request.query.only({}))
        return std::move(*error);
    return made_operation(std::make_unique<server_status>(request.service));
}

} // namespace belay::http
