#include "cancelbench/show.hpp"

#include "cancelbench/signals.hpp"
#include "suite/child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

extern char** environ;

namespace belay::cancelbench {

namespace {

namespace fs = std::filesystem;

/// How long gnuplot may take for a picture.
constexpr std::chrono::seconds drawing_max{30};

/// Text between quotes of gnuplot's that change nothing in it.
std::string quoted(std::string const& text)
{
    std::string result = "'";
    for (char const c : text)
        result += c == '\'' ? std::string("''") : std::string(1, c);
    return result + "'";
}

/// A block of data for each line of the chart.
void write_data(chart const& chart, fs::path const& file)
{
    std::ofstream out(file);
    for (auto const& line : chart.lines) {
        for (auto const& point : line.points) {
            auto const& values = point.values;
            auto const [low, high] = values.confidence(50);
            out << point.at << ' ' << values.median() << ' ' << low << ' ' << high << ' '
                << values.percentile(10) << ' ' << values.percentile(90) << ' '
                << values.percentile(99) << ' ' << values.minimum() << '\n';
        }
        out << "\n\n";
    }
}

/// Colours that can be told apart, on a light ground and on a dark one; belay's is the first.
constexpr std::array colours{"#2f81f7", "#8c8c8c", "#e5534b", "#3fa34d", "#c98a00",
                             "#a371f7", "#d9619b", "#1ba8a8", "#a0522d", "#6e7fd1",
                             "#7f9a1f", "#cc6633", "#5f7a8c", "#b05fc4"};

std::string colour(std::size_t line)
{
    return "lc rgb " + quoted(colours[line % colours.size()]);
}

/// Circles, and squares once all colours have been used.
int point_type(std::size_t line)
{
    return line < colours.size() ? 7 : 5;
}

/// belay's own line is thick.
std::string plot_lines(chart const& chart, fs::path const& data)
{
    std::ostringstream script;
    script << "set logscale xy\nset format xy '10^{%L}'\nset xlabel " << quoted(chart.axis)
           << "\nset offsets graph 0.02, graph 0.02\n"
              "set key outside right center Left reverse noenhanced samplen 2 font ',11'\nplot ";
    for (std::size_t i = 0; i != chart.lines.size(); ++i)
        script << (i ? ", " : "") << quoted(data.string()) << " index " << i
               << " using 1:($2 > 0 ? $2 : NaN) with linespoints pt " << point_type(i) << " ps 0.5 lw "
               << (i ? 1.5 : 4)
               << ' ' << colour(i) << " title " << quoted(chart.lines[i].peer);
    return script.str();
}

/// From p10 to p90 a box, from the least to p99 a whisker, the median a line.
std::string plot_boxes(chart const& chart, fs::path const& data)
{
    std::ostringstream script;
    script << "set logscale y\nset format y '10^{%L}'\nset xrange [-0.7:"
           << static_cast<double>(chart.lines.size()) - 0.3
           << "]\nset boxwidth 0.5\nset style fill solid 0.35\nset xtics noenhanced rotate by -30 font ',11' (";
    for (std::size_t i = 0; i != chart.lines.size(); ++i)
        script << (i ? ", " : "") << quoted(chart.lines[i].peer) << ' ' << i;
    script << ")\nset rmargin 22\nunset key\nplot ";
    for (std::size_t i = 0; i != chart.lines.size(); ++i)
        script << (i ? ", " : "") << quoted(data.string()) << " index " << i << " using (" << i
               << "):5:8:7:6 notitle with candlesticks " << colour(i) << " whiskerbars 0.5, "
               << quoted(data.string()) << " index " << i << " using (" << i
               << "):2:2:2:2 notitle with candlesticks lw 3 " << colour(i);
    return script.str();
}

/// The same picture with its text and lines in the colour of the text around it: black alone, and light
/// where people want it dark.
std::string in_both_schemes(std::string picture)
{
    std::string const black = "black";
    for (auto at = picture.find(black); at != std::string::npos; at = picture.find(black, at))
        picture.replace(at, black.size(), "currentColor");
    auto const end = picture.find('>', picture.find("<svg"));
    picture.insert(end + 1, "<style>svg{color:#222}@media (prefers-color-scheme: dark)"
                            "{svg{color:#ddd}}</style>");
    return picture;
}

/// Whether gnuplot ran and was content.
bool run_gnuplot(std::string const& argument)
{
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    std::array<char*, 3> arguments{const_cast<char*>("gnuplot"), const_cast<char*>(argument.c_str()),
                                   nullptr};
    pid_t pid = -1;
    int const error = posix_spawnp(&pid, "gnuplot", &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT)
        return false;
    if (error != 0)
        throw std::system_error(error, std::generic_category(), "can't start gnuplot");
    auto const until = std::chrono::steady_clock::now() + drawing_max;
    int status = 0;
    while (::waitpid(pid, &status, WNOHANG) == 0) {
        if (caught_signal() != 0 || std::chrono::steady_clock::now() > until) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, &status, 0);
            throw_if_caught();
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

} // namespace

bool can_plot()
{
    return run_gnuplot("--version");
}

std::optional<std::string> plot(chart const& chart)
{
    bench::scratch_directory const directory;
    auto const data = directory.path() / "data";
    auto const script = directory.path() / "script";
    auto const picture = directory.path() / "picture.svg";
    write_data(chart, data);
    std::ofstream(script) << "set terminal svg size 900,440 font 'sans-serif,13'\n"
                          << "set output " << quoted(picture.string()) << "\nset grid\n"
                          << "set ylabel " << quoted(chart.unit) << "\n"
                          << (chart.axis.empty() ? plot_boxes(chart, data)
                                                 : plot_lines(chart, data))
                          << '\n';
    if (!run_gnuplot(script.string()))
        return std::nullopt;
    auto drawn = bench::file_content(picture);
    if (drawn.find("<svg") == std::string::npos)
        return std::nullopt;
    return in_both_schemes(std::move(drawn));
}

} // namespace belay::cancelbench
