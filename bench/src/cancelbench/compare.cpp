#include "cancelbench/compare.hpp"

#include "cancelbench/notes.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <utility>

namespace belay::cancelbench {

series& chart::line(std::string const& peer)
{
    auto const found = std::ranges::find(lines, peer, &series::peer);
    return found != lines.end() ? *found : lines.emplace_back(series{peer});
}

series_point& chart::point(std::string const& peer, double at)
{
    auto& points = line(peer).points;
    auto const found = std::ranges::find(points, at, &series_point::at);
    return found != points.end() ? *found : points.emplace_back(series_point{.at = at});
}

namespace {

bool is_able(peer_process const& peer, request const& request)
{
    bool const has_body = request.script != "cancel" || peer.knows_body(request.body);
    return !peer.has_failed() && peer.knows_script(request.script) && has_body &&
           request.jobs <= peer.who().jobs_max;
}

std::optional<answer> ask_able(peer_process& peer, request const& request, bool anew)
{
    try {
        if (anew)
            peer.kill_and_restart();
        return peer.ask(request);
    } catch (refused const& why) {
        peer.complain(why.what());
    } catch (wrong_line const& why) {
        if (peer.is_own())
            throw;
        peer.complain(why.what());
        peer.give_up();
    }
    return std::nullopt;
}

} // namespace

void findings::append(findings others)
{
    std::ranges::move(others.charts, std::back_inserter(charts));
    std::ranges::move(others.truths, std::back_inserter(truths));
    std::ranges::move(others.figures, std::back_inserter(figures));
    std::ranges::move(others.notes, std::back_inserter(notes));
    is_complete = is_complete && others.is_complete;
}

std::optional<answer> ask_if_able(peer_process& peer, request const& request)
{
    return is_able(peer, request) ? ask_able(peer, request, false) : std::nullopt;
}

std::optional<answer> ask_anew_if_able(peer_process& peer, request const& request)
{
    return is_able(peer, request) ? ask_able(peer, request, true) : std::nullopt;
}

void by_turns(peer_list const& peers, request const& request, effort const& effort,
              take_answer const& take)
{
    constexpr std::size_t rounds_min = 3;
    struct turn {
        peer_process* peer;
        std::int64_t used_ns = 0;
    };
    std::vector<turn> turns;
    for (auto const& peer : peers) // its threads and memory are there after that
        if (ask_if_able(*peer, request))
            turns.push_back({peer.get()});
    std::minstd_rand random; // the same each time
    std::uniform_real_distribution pause(0.67, 1.33);
    auto const most = static_cast<std::int64_t>(effort.seconds * 1e9);
    for (std::size_t round = 0; round != effort.rounds; ++round) {
        // No peer always follows the same one, and nothing keeps step with a quantum or a tick.
        std::ranges::shuffle(turns, random);
        auto asked = request;
        asked.pause_ns = static_cast<std::int64_t>(static_cast<double>(request.pause_ns) * pause(random));
        for (auto& turn : turns) {
            if (round >= rounds_min && turn.used_ns > most)
                continue;
            auto const begin = now_ns();
            auto const answer = ask_if_able(*turn.peer, asked);
            turn.used_ns += now_ns() - begin;
            if (answer)
                take(*turn.peer, round, *answer);
        }
    }
}

value_of microseconds(std::optional<std::int64_t> answer::*from,
                      std::optional<std::int64_t> answer::*to)
{
    return [from, to](answer const& answer) -> std::optional<double> {
        if (!(answer.*from) || !(answer.*to))
            return std::nullopt;
        // What was before the call took no time: all bodies had left by then, say.
        return static_cast<double>(std::max<std::int64_t>(0, *(answer.*to) - *(answer.*from))) / 1000;
    };
}

void measure(peer_list const& peers, request const& request, effort const& effort, double at,
             std::vector<measured> const& what)
{
    using rounds = std::map<std::size_t, double>;
    std::vector<std::map<std::string, rounds>> found(what.size()); // by what, by peer
    by_turns(peers, request, effort,
             [&](peer_process const& peer, std::size_t round, answer const& answer) {
                 for (std::size_t i = 0; i != what.size(); ++i)
                     if (auto const value = what[i].value(answer))
                         found[i][peer.who().peer][round] = *value;
             });
    for (std::size_t i = 0; i != what.size(); ++i) {
        auto const& own = found[i][peers.front()->who().peer];
        for (auto const& peer : peers) { // in this order they are shown
            auto const& name = peer->who().peer;
            if (found[i][name].empty())
                continue;
            auto& point = what[i].to.point(name, at);
            for (auto const& [round, value] : found[i][name]) {
                point.values.add(value);
                if (auto const paired = own.find(round); paired != own.end() && paired->second > 0)
                    point.ratios.add(value / paired->second);
            }
        }
    }
}

} // namespace belay::cancelbench
