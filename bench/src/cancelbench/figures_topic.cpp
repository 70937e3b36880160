#include "cancelbench/topics.hpp"

#include "cancelbench/signals.hpp"
#include "suite/child_process.hpp"
#include "suite/expect.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_from.hpp>
#include <boost/json/value_to.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace belay::bench {

namespace {

namespace json = boost::json;

/// A report as the process that made it writes it.
json::object to_object(report const& report)
{
    json::array rows;
    for (auto const& row : report.rows) {
        auto const values = row.values.values();
        rows.push_back(json::object{{"what", row.what},
                                    {"unit", row.unit},
                                    {"values", json::array(values.begin(), values.end())}});
    }
    json::array figures;
    for (auto const& figure : report.figures)
        figures.push_back(json::object{{"name", figure.name},
                                       {"at", figure.at},
                                       {"value", figure.value},
                                       {"unit", figure.unit},
                                       {"yardstick", figure.yardstick},
                                       {"yardstick_value", figure.yardstick_value},
                                       {"at_most", figure.at_most},
                                       {"at_least", figure.at_least}});
    return {{"rows", std::move(rows)},
            {"figures", std::move(figures)},
            {"notes", json::value_from(report.notes)}};
}

report to_report(json::object const& object)
{
    auto const text = [](json::value const& of, char const* name) {
        return json::value_to<std::string>(of.at(name));
    };
    auto const value = [](json::value const& of, char const* name) {
        return of.at(name).to_number<double>();
    };
    report report;
    for (auto const& row : object.at("rows").as_array()) {
        samples values;
        for (auto const& sample : row.at("values").as_array())
            values.add(sample.to_number<double>());
        report.add(text(row, "what"), text(row, "unit"), std::move(values));
    }
    for (auto const& figure : object.at("figures").as_array())
        report.add({.name = text(figure, "name"),
                    .at = text(figure, "at"),
                    .value = value(figure, "value"),
                    .unit = text(figure, "unit"),
                    .yardstick = text(figure, "yardstick"),
                    .yardstick_value = value(figure, "yardstick_value"),
                    .at_most = value(figure, "at_most"),
                    .at_least = value(figure, "at_least")});
    report.notes = json::value_to<std::vector<std::string>>(object.at("notes"));
    return report;
}

} // namespace

} // namespace belay::bench

namespace belay::cancelbench {

namespace {

using namespace std::chrono_literals;
namespace json = boost::json;
using bench::figures::question;

/// For as many runs as is usual; more have more.
constexpr std::chrono::minutes answer_max{20};

/// A process that answers one question: it has threads and memory of its own.
///
/// Lifetime: the destructor ends what has not ended, servers that it started among them.
class asked_process {
public:
    asked_process(question const& question, std::size_t runs)
        : until_(std::chrono::steady_clock::now() + answer_max * (1 + runs / question.runs))
    {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            throw std::system_error(errno, std::generic_category(), "pipe");
        pid_t const parent = ::getpid();
        pid_ = ::fork(); // there is no other thread here
        if (pid_ == 0) {
            ::close(ends[0]);
            measure(question, runs, parent, ends[1]);
        }
        int const error = errno;
        ::close(ends[1]);
        from_ = ends[0];
        if (pid_ < 0) {
            ::close(from_);
            throw std::system_error(error, std::generic_category(), "fork");
        }
        ::setpgid(pid_, pid_); // as it does itself: whoever is first
    }

    ~asked_process()
    {
        ::close(from_);
        ::kill(-pid_, SIGTERM); // and a server that it started, if there is one
        auto const until = std::chrono::steady_clock::now() + 10s;
        auto const all_have_ended = [&] {
            is_waited_for_ = is_waited_for_ || ::waitpid(pid_, nullptr, WNOHANG) != 0;
            return is_waited_for_ && ::kill(-pid_, 0) != 0;
        };
        while (!all_have_ended() && std::chrono::steady_clock::now() < until)
            std::this_thread::sleep_for(1ms);
        ::kill(-pid_, SIGKILL);
        if (!is_waited_for_)
            ::waitpid(pid_, nullptr, 0);
    }

    asked_process(asked_process const&) = delete;
    asked_process& operator=(asked_process const&) = delete;

    /// Throws std::runtime_error if it failed, `stopped_by_signal`.
    bench::report take_answer()
    {
        std::string const text = read_all();
        int status = 0;
        is_waited_for_ = ::waitpid(pid_, &status, 0) == pid_;
        if (text.empty())
            throw std::runtime_error(WIFSIGNALED(status)
                                         ? "ended by signal " + std::to_string(WTERMSIG(status))
                                         : "ended without an answer");
        auto const said = json::parse(text).as_object();
        if (auto const* const error = said.if_contains("error"))
            throw std::runtime_error(json::value_to<std::string>(*error));
        return bench::to_report(said);
    }

private:
    [[noreturn]] void measure(question const& question, std::size_t runs, pid_t parent, int to)
    {
        ::setpgid(0, 0);
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent)
            ::_exit(1);
        for (int const number : {SIGINT, SIGTERM, SIGHUP})
            ::signal(number, SIG_DFL);
        if (caught_signal() != 0)
            ::_exit(1);
        ::setenv("TMPDIR", scratch_.path().c_str(), 1);
        json::object said;
        try {
            bench::report report;
            question.measure(runs, report);
            said = bench::to_object(report);
        } catch (bench::wrong_result const& wrong) {
            said = {{"error", std::string("wrong: ") + wrong.what()}};
        } catch (std::exception const& error) {
            said = {{"error", error.what()}};
        }
        auto const text = json::serialize(said);
        for (std::size_t written = 0; written != text.size();) {
            auto const count = ::write(to, text.data() + written, text.size() - written);
            if (count < 0 && errno != EINTR)
                break;
            written += count > 0 ? static_cast<std::size_t>(count) : 0;
        }
        ::_exit(0);
    }

    [[nodiscard]] std::string read_all()
    {
        std::string text;
        for (std::array<char, 4096> bytes{};;) {
            throw_if_caught();
            if (std::chrono::steady_clock::now() > until_)
                throw std::runtime_error("it took too long");
            pollfd waited{from_, POLLIN, 0};
            if (::poll(&waited, 1, 200) <= 0)
                continue;
            auto const count = ::read(from_, bytes.data(), bytes.size());
            if (count == 0)
                return text;
            text.append(bytes.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
        }
    }

    bench::scratch_directory scratch_; ///< what it makes is gone even if it was killed
    std::chrono::steady_clock::time_point until_;
    pid_t pid_ = -1; ///< of its group, too
    bool is_waited_for_ = false;
    int from_ = -1;
};

/// A chart for each unit, with a line for each row.
void add_charts(question const& question, std::vector<bench::row> rows, findings& found)
{
    std::vector<chart> charts;
    for (auto& row : rows) {
        auto to = std::ranges::find(charts, row.unit, &chart::unit);
        if (to == charts.end()) {
            auto const number = charts.empty() ? "" : "_" + std::to_string(charts.size() + 1);
            to = charts.insert(to, {.name = question.name + number,
                                    .title = std::string(question.name) + ": " + question.text,
                                    .axis = "",
                                    .unit = row.unit});
        }
        to->point(row.what, 0).values = std::move(row.values);
    }
    std::ranges::move(charts, std::back_inserter(found.charts));
}

} // namespace

void ask_question(question const& question, std::optional<std::size_t> runs, findings& found)
{
    try {
        auto report = asked_process(question, runs.value_or(question.runs)).take_answer();
        add_charts(question, std::move(report.rows), found);
        std::ranges::move(report.figures, std::back_inserter(found.figures));
        std::ranges::move(report.notes, std::back_inserter(found.notes));
    } catch (stopped_by_signal const&) {
        throw;
    } catch (std::exception const& error) {
        found.notes.push_back(std::string(question.name) + ": " + error.what());
        found.is_complete = false;
    }
}

} // namespace belay::cancelbench
