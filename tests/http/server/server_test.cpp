#include <belay/http/server.hpp>

#include "eventually.hpp"
#include "manual_store.hpp"

#include <belay/http/types.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/serialize.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace http = belay::http;
using namespace std::chrono_literals;
using asio::ip::tcp;
using belay::test::eventually;
using belay::test::patience;

namespace {

http::server_options with_key()
{
    http::server_options options;
    options.keys = {http::make_api_key("ann's", "ann", http::role::submit, "ann")};
    return options;
}

/// A type of the program's own: its jobs wait for their stop. It notes which thread looks at
/// inputs.
http::offered_type waiting_type(std::shared_ptr<std::atomic<std::thread::id>> const& looked = {})
{
    return {{.name = "wait",
             .body =
                 [](std::string_view, belay::job& job) {
                     job.sleep_for(1h);
                     return std::string("null");
                 }},
            [looked](boost::json::value const& input) {
                if (looked)
                    *looked = std::this_thread::get_id();
                return http::checked_input(boost::json::serialize(input));
            },
            {}};
}

/// A connection, which gives up after a while.
class client {
public:
    explicit client(std::string const& url)
    {
        auto const port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
        socket_.connect({asio::ip::address_v4::loopback(), port});
        timeval const patience{30, 0};
        ::setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    }
    void send(std::string_view method, std::string_view target, std::string_view body = {})
    {
        std::string text(method);
        text.append(" ").append(target).append(" HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: ann\r\n"
                                               "Content-Type: application/json\r\n"
                                               "Connection: close\r\nContent-Length: ");
        text.append(std::to_string(body.size())).append("\r\n\r\n").append(body);
        asio::write(socket_, asio::buffer(text));
    }
    /// All that comes until the connection is closed.
    std::string receive()
    {
        std::string text;
        boost::system::error_code ended;
        asio::read(socket_, asio::dynamic_buffer(text), ended);
        return text;
    }

private:
    asio::io_context context_;
    tcp::socket socket_{context_};
};

std::string ask(std::string const& url, std::string_view method, std::string_view target,
                std::string_view body = {})
{
    client client(url);
    client.send(method, target, body);
    return client.receive();
}

/// Makes a batch of two jobs that wait; its target.
std::string create(std::string const& url)
{
    auto const made = ask(url, "POST", "/v1/batches", R"({"type":"wait","inputs":[1,2]})");
    BOOST_TEST_REQUIRE(made.starts_with("HTTP/1.1 202"), made);
    constexpr std::string_view field = "Location: ";
    auto const begin = made.find(field) + field.size();
    return made.substr(begin, made.find('\r', begin) - begin);
}

/// What a drain finds there lets it wait: one that came before the first job would end the batch at
/// once.
belay::recorded_batch running_batch(belay::engine const& engine, std::string_view target)
{
    auto const batch = engine.find(target.substr(target.rfind('/') + 1)).value();
    BOOST_TEST_REQUIRE(eventually([&] { return batch.state() == belay::batch_state::running; }));
    return batch;
}

/// A context of the program's, run by some threads until it is let go.
class running_context {
public:
    explicit running_context(int threads)
    {
        for (int i = 0; i != threads; ++i)
            threads_.emplace_back([this] { context.run(); });
    }
    ~running_context() { join(); }
    void join()
    {
        guard_.reset();
        for (auto& thread : threads_)
            thread.join();
        threads_.clear();
    }
    [[nodiscard]] bool has(std::thread::id id) const
    {
        for (auto const& thread : threads_)
            if (thread.get_id() == id)
                return true;
        return false;
    }
    asio::io_context context;

private:
    asio::executor_work_guard<asio::io_context::executor_type> guard_{context.get_executor()};
    std::vector<std::thread> threads_;
};

/// Holds up the next list that is read from a store.
class held_list {
public:
    explicit held_list(belay::test::manual_store& store)
    {
        store.after_list_ = [this] {
            begun_.set_value();
            open_.get_future().wait();
        };
    }
    ~held_list() { let_go(); }
    void until_begun() { BOOST_TEST_REQUIRE(is_ready(begun_.get_future())); }
    void let_go()
    {
        if (!std::exchange(is_open_, true))
            open_.set_value();
    }

private:
    static bool is_ready(std::future<void> const& begun)
    {
        return begun.wait_for(patience) == std::future_status::ready;
    }

    std::promise<void> begun_;
    std::promise<void> open_;
    bool is_open_ = false;
};

struct fixture {
    std::optional<belay::engine> engine{std::in_place, belay::engine_options{.workers = 2}};
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(server_test, fixture)

BOOST_AUTO_TEST_CASE(it_serves_on_a_thread_of_its_own)
{
    http::server server(*engine, {waiting_type()}, with_key());

    auto const batch = create(server.url());
    auto const cancelled = ask(server.url(), "PUT", batch + "/state");
    BOOST_TEST(cancelled.starts_with("HTTP/1.1 200"), cancelled);
    BOOST_TEST(cancelled.find("\"current_state\":\"cancelled\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(it_serves_on_a_context_of_the_programs)
{
    auto const looked = std::make_shared<std::atomic<std::thread::id>>();
    running_context io(2);
    http::server server(*engine, {waiting_type(looked)}, with_key(), io.context);

    auto const batch = create(server.url());
    BOOST_TEST(io.has(*looked), "inputs are looked at there, too");
    std::vector<std::future<std::string>> answers;
    for (int i = 0; i != 8; ++i)
        answers.push_back(std::async(std::launch::async,
                                     [&] { return ask(server.url(), "PUT", batch + "/state"); }));
    for (auto& answer : answers)
        BOOST_TEST(answer.get().starts_with("HTTP/1.1 200"));
}

BOOST_AUTO_TEST_CASE(one_thread_may_do_all_of_it)
{
    asio::io_context context;
    http::server server(*engine, {waiting_type()}, with_key(), context);
    auto answer = std::async(std::launch::async, [&] {
        auto text = ask(server.url(), "PUT", create(server.url()) + "/state");
        server.shut_down(30s, [] {});
        return text;
    });
    context.run();

    BOOST_TEST(answer.get().starts_with("HTTP/1.1 200"), "and nothing is left that holds it up");
}

BOOST_AUTO_TEST_CASE(it_may_be_destroyed_while_a_request_waits)
{
    running_context io(1);
    auto server = std::make_unique<http::server>(*engine, std::vector{waiting_type()}, with_key(),
                                                 io.context);
    auto const target = create(server->url());
    auto const batch = running_batch(*engine, target);
    client waiting(server->url());
    waiting.send("PUT", target + "/state", R"({"mode":"drain"})");
    BOOST_TEST_REQUIRE(eventually([&] { return batch.state() == belay::batch_state::cancelling; }));

    std::promise<void> gone;
    asio::post(io.context, [&] {
        server.reset();
        engine.reset();
        gone.set_value();
    });
    BOOST_TEST((gone.get_future().wait_for(patience) == std::future_status::ready));
    BOOST_TEST(waiting.receive() == "", "the connection is closed");
    io.join();
}

BOOST_AUTO_TEST_CASE(it_may_be_destroyed_while_nobody_runs_its_context)
{
    asio::io_context context;
    {
        http::server server(*engine, {waiting_type()}, with_key(), context);
        client connected(server.url());
        context.poll();
        connected.send("GET", "/healthz");
    }
    engine.reset();
    context.restart();
    context.run();
    BOOST_TEST(context.stopped(), "nothing of it is left");
}

BOOST_AUTO_TEST_CASE(a_shutdown_lets_what_is_under_way_end)
{
    running_context io(1);
    http::server server(*engine, {waiting_type()}, with_key(), io.context);
    auto const target = create(server.url());
    auto const batch = running_batch(*engine, target);
    client waiting(server.url());
    waiting.send("PUT", target + "/state", R"({"mode":"drain"})");
    BOOST_TEST_REQUIRE(eventually([&] { return batch.state() == belay::batch_state::cancelling; }));

    std::promise<void> done;
    server.shut_down(30s, [&] { done.set_value(); });
    auto refused = ask(server.url(), "GET", target);
    BOOST_TEST(refused.starts_with("HTTP/1.1 503"), refused);
    batch.cancel({.mode = belay::cancel_mode::immediate});

    BOOST_TEST(waiting.receive().starts_with("HTTP/1.1 200"));
    BOOST_TEST((done.get_future().wait_for(patience) == std::future_status::ready));
    BOOST_CHECK_THROW(client{server.url()}, boost::system::system_error);
}

BOOST_AUTO_TEST_CASE(a_shutdown_has_a_bound)
{
    http::server server(*engine, {waiting_type()}, with_key());
    auto const target = create(server.url());
    auto const batch = running_batch(*engine, target);
    client waiting(server.url());
    waiting.send("PUT", target + "/state", R"({"mode":"drain"})");
    BOOST_TEST_REQUIRE(eventually([&] { return batch.state() == belay::batch_state::cancelling; }));

    server.shut_down(10ms);
    BOOST_TEST(waiting.receive() == "");
    server.shut_down(10ms);
    batch.cancel({.mode = belay::cancel_mode::immediate});
}

BOOST_AUTO_TEST_CASE(a_request_that_finds_no_memory_is_503)
{
    auto type = waiting_type();
    type.check = [](boost::json::value const&) -> http::checked_input { throw std::bad_alloc(); };
    http::server server(*engine, {type}, with_key());

    auto const refused =
        ask(server.url(), "POST", "/v1/batches", R"({"type":"wait","inputs":[1]})");

    BOOST_TEST(refused.starts_with("HTTP/1.1 503"), refused);
    BOOST_TEST(refused.find("Retry-After: ") != std::string::npos);
    BOOST_TEST(ask(server.url(), "GET", "/v1/batches").starts_with("HTTP/1.1 200"));
}

BOOST_AUTO_TEST_CASE(a_request_that_finds_no_thread_or_descriptor_is_503)
{
    auto type = waiting_type();
    type.check = [](boost::json::value const&) -> http::checked_input {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    };
    http::server server(*engine, {type}, with_key());

    auto const refused =
        ask(server.url(), "POST", "/v1/batches", R"({"type":"wait","inputs":[1]})");

    BOOST_TEST(refused.starts_with("HTTP/1.1 503"), refused);
}

/// Though its answer is made bit by bit.
BOOST_AUTO_TEST_CASE(a_list_that_finds_no_descriptor_is_503)
{
    auto const store = std::make_shared<belay::test::manual_store>();
    belay::engine reading({.workers = 1, .store = store});
    http::server server(reading, {waiting_type()}, with_key());
    auto const whole = ask(server.url(), "GET", "/v1/batches");

    store->on_read = [] { throw belay::error(belay::errc::resources_exhausted, "none is left"); };
    auto const refused = ask(server.url(), "GET", "/v1/batches");
    store->on_read = nullptr;

    BOOST_TEST(whole.starts_with("HTTP/1.1 200"), whole);
    BOOST_TEST(whole.find(R"("batches":[],"next_cursor":null,"has_more":false}})") != std::string::npos, whole);
    BOOST_TEST(refused.starts_with("HTTP/1.1 503"), refused);
    BOOST_TEST(refused.find("Retry-After: ") != std::string::npos, refused);
}

BOOST_AUTO_TEST_CASE(a_read_that_takes_long_holds_up_nobody_elses_cancel)
{
    auto const store = std::make_shared<belay::test::manual_store>();
    belay::engine reading({.workers = 1, .store = store});
    auto options = with_key();
    options.wait_max = 0s; // the store of this test records no ends
    http::server server(reading, {waiting_type()}, options);
    auto const target = create(server.url());
    client lists(server.url());
    held_list held(*store);
    lists.send("GET", "/v1/batches");
    held.until_begun();

    auto const cancelled = ask(server.url(), "PUT", target + "/state");
    auto const health = ask(server.url(), "GET", "/healthz");
    held.let_go();

    BOOST_TEST(cancelled.starts_with("HTTP/1.1 20"), cancelled);
    BOOST_TEST(health.starts_with("HTTP/1.1 200"), health);
    BOOST_TEST(lists.receive().starts_with("HTTP/1.1 200"));
}

BOOST_AUTO_TEST_CASE(who_waits_for_a_read_gives_way_when_all_places_are_taken)
{
    auto const store = std::make_shared<belay::test::manual_store>();
    belay::engine reading({.workers = 1, .store = store});
    auto options = with_key();
    options.wait_max = 0s;
    options.connections_max = 3;
    http::server server(reading, {waiting_type()}, options);
    auto const target = create(server.url());
    held_list held(*store);
    std::vector<std::unique_ptr<client>> lists;
    for (int i = 0; i != 4; ++i) {
        lists.push_back(std::make_unique<client>(server.url()));
        lists.back()->send("GET", "/v1/batches");
        if (i == 0)
            held.until_begun();
    }

    auto const cancelled = ask(server.url(), "PUT", target + "/state");
    held.let_go();

    BOOST_TEST(cancelled.starts_with("HTTP/1.1 20"), cancelled);
    int refused = 0;
    for (auto const& one : lists)
        refused += one->receive().starts_with("HTTP/1.1 503") ? 1 : 0;
    BOOST_TEST(refused >= 1);
    BOOST_TEST(refused <= 2, "another for the cancel, unless that was over before");
}

BOOST_AUTO_TEST_CASE(it_may_be_destroyed_while_an_answer_is_read)
{
    auto const store = std::make_shared<belay::test::manual_store>();
    std::optional<belay::engine> reading(std::in_place,
                                         belay::engine_options{.workers = 1, .store = store});
    running_context io(1);
    auto server = std::make_unique<http::server>(*reading, std::vector{waiting_type()}, with_key(),
                                                 io.context);
    client lists(server->url());
    client waiting(server->url());
    held_list held(*store);
    lists.send("GET", "/v1/batches");
    held.until_begun();
    waiting.send("GET", "/v1/batches");

    auto const gone = std::async(std::launch::async, [&] {
        server.reset();
        reading.reset();
    });
    held.let_go();

    BOOST_TEST((gone.wait_for(patience) == std::future_status::ready));
    (void)lists.receive();
    (void)waiting.receive();
    io.join(); // nothing of it is left
}

BOOST_AUTO_TEST_CASE(while_memory_is_short_there_are_no_new_batches_but_cancels)
{
    std::atomic<bool> is_short{false};
    auto options = with_key();
    options.memory_is_short = [&] { return is_short.load(); };
    http::server server(*engine, {waiting_type()}, options);
    auto const batch = create(server.url());

    is_short = true;
    auto const refused =
        ask(server.url(), "POST", "/v1/batches", R"({"type":"wait","inputs":[1]})");
    auto const unready = ask(server.url(), "GET", "/readyz");
    auto const cancelled = ask(server.url(), "PUT", batch + "/state");
    is_short = false;

    BOOST_TEST(refused.starts_with("HTTP/1.1 503"), refused);
    BOOST_TEST(unready.starts_with("HTTP/1.1 503"), unready);
    BOOST_TEST(unready.find("memory") != std::string::npos, unready);
    BOOST_TEST(cancelled.starts_with("HTTP/1.1 200"), cancelled);
    BOOST_TEST(ask(server.url(), "GET", "/readyz").starts_with("HTTP/1.1 200"));
    create(server.url());
}

BOOST_AUTO_TEST_CASE(an_address_that_is_taken_is_told)
{
    http::server const first(*engine, {waiting_type()}, with_key());
    belay::engine other({.workers = 1});
    auto options = with_key();
    options.port =
        static_cast<std::uint16_t>(std::stoi(first.url().substr(first.url().rfind(':') + 1)));
    asio::io_context context;

    for (auto* const on : {&context, static_cast<asio::io_context*>(nullptr)})
        BOOST_CHECK_EXCEPTION(
            on != nullptr ? http::server(other, {}, options, *on)
                          : http::server(other, {}, options),
            std::system_error, [&](auto const& thrown) {
                return thrown.code() == std::errc::address_in_use &&
                       std::string_view(thrown.what()).find(std::to_string(options.port)) !=
                           std::string_view::npos;
            });
}

BOOST_AUTO_TEST_CASE(an_address_that_is_none_is_told)
{
    auto options = with_key();
    options.address = "localhost";

    BOOST_CHECK_EXCEPTION(http::server(*engine, {}, options), belay::error, [](auto const& thrown) {
        return thrown.what() == std::string_view("address 'localhost' is neither IPv4 nor IPv6");
    });
}

BOOST_AUTO_TEST_CASE(another_version_of_boost_is_told)
{
    BOOST_CHECK_EXCEPTION(
        http::server(*engine, {}, with_key(), 107'400), belay::error, [](auto const& thrown) {
            return thrown.code() == belay::errc::invalid_argument &&
                   std::string_view(thrown.what())
                       .starts_with("this program was compiled with Boost 1.74.0, and ");
        });
}

BOOST_AUTO_TEST_SUITE_END()
