#include "backend/threads/worker_pool.hpp"

#include "eventually.hpp"
#include "manual_clock.hpp"

#include <boost/test/unit_test.hpp>

#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace belay;
using namespace belay::detail;
using namespace std::chrono_literals;
using belay::test::eventually;

namespace {

/// How many threads can still be made in this process.
std::atomic<std::size_t> threads_left{std::numeric_limits<std::size_t>::max()};

} // namespace

/// In place of the system's, which it calls as long as threads are left.
extern "C" int pthread_create(pthread_t* thread, pthread_attr_t const* attributes,
                              void* (*start)(void*), void* argument)
{
    if (threads_left == 0)
        return EAGAIN;
    --threads_left;
    static auto const real =
        reinterpret_cast<decltype(&::pthread_create)>(::dlsym(RTLD_NEXT, "pthread_create"));
    return real(thread, attributes, start, argument);
}

namespace {

using strings = std::vector<std::string>;

/// A body that goes on until it is let go.
class held_body {
public:
    std::function<void()> task(worker_pool& pool) const
    {
        return [state = state_, &pool] {
            state->id = std::this_thread::get_id();
            state->entered = true;
            while (!state->released)
                std::this_thread::yield();
            if (state->was_lost)
                pool.thread_returned();
            state->left = true;
        };
    }
    void await_entry() const
    {
        BOOST_TEST_REQUIRE(eventually([this] { return state_->entered.load(); }));
    }
    /// As the engine does once it has abandoned the body.
    void lose(worker_pool& pool) const
    {
        await_entry();
        state_->was_lost = true;
        pool.thread_lost(state_->id);
    }
    void release() const
    {
        state_->released = true;
        BOOST_TEST_REQUIRE(eventually([this] { return state_->left.load(); }));
    }
    [[nodiscard]] std::thread::id id() const { return state_->id; }

private:
    struct shared {
        std::thread::id id; // before entered
        std::atomic<bool> entered{false};
        std::atomic<bool> was_lost{false};
        std::atomic<bool> released{false};
        std::atomic<bool> left{false};
    };
    std::shared_ptr<shared> state_ = std::make_shared<shared>();
};

struct fixture {
    ~fixture() { threads_left = std::numeric_limits<std::size_t>::max(); }

    std::unique_ptr<worker_pool> make(std::size_t workers, std::size_t abandoned_max,
                                      std::function<void()> on_start = {})
    {
        return std::make_unique<worker_pool>(worker_pool::setup{
            .workers = workers,
            .abandoned_max = abandoned_max,
            .on_start = std::move(on_start),
            .board = board,
            .later = [this](std::chrono::nanoseconds, std::function<void()> action) {
                if (later_throws)
                    throw std::runtime_error("no thread that could wait");
                std::scoped_lock const lock(mutex);
                delayed.push_back(std::move(action));
            }});
    }

    /// A body that has begun.
    static held_body begin(worker_pool& pool)
    {
        held_body body;
        pool.post(body.task(pool));
        body.await_entry();
        return body;
    }

    static bool works(worker_pool& pool)
    {
        auto const done = std::make_shared<std::atomic<bool>>(false);
        pool.post([done] { *done = true; });
        return eventually([&] { return done->load(); });
    }

    /// What was put off comes due; how much that was.
    std::size_t run_delayed()
    {
        std::unique_lock lock(mutex);
        auto const actions = std::exchange(delayed, {});
        lock.unlock();
        for (auto const& action : actions)
            action();
        return actions.size();
    }

    belay::test::manual_clock time;
    problem_board board{time, {}};
    bool later_throws = false;
    std::mutex mutex;
    std::vector<std::function<void()>> delayed; // guarded by mutex
};

} // namespace

BOOST_FIXTURE_TEST_SUITE(worker_pool_test, fixture)

BOOST_AUTO_TEST_CASE(a_lost_thread_that_was_not_replaced_works_again)
{
    auto const pool = make(1, 0);
    for (int i = 0; i != 3; ++i) {
        auto const body = begin(*pool);
        BOOST_TEST(board.problems().empty());
        body.lose(*pool);
        BOOST_TEST((board.problems() ==
                    strings{"0 of 1 workers are there; abandoned bodies hold 1, and at most 0 are "
                            "replaced at a time"}));
        body.release();
    }

    BOOST_TEST(works(*pool));
    BOOST_TEST(board.problems().empty());
}

BOOST_AUTO_TEST_CASE(the_bound_is_on_threads_that_are_lost_at_a_time)
{
    auto const pool = make(1, 1);
    for (int i = 0; i != 5; ++i) {
        auto const body = begin(*pool);
        body.lose(*pool);
        BOOST_TEST(works(*pool), "it was replaced");
        body.release();
    }
    BOOST_TEST(board.problems().empty());
    BOOST_TEST(board.notices().empty());
}

BOOST_AUTO_TEST_CASE(fewer_workers_are_a_notice_and_none_is_a_problem)
{
    auto const pool = make(2, 0);
    auto const one = begin(*pool);
    auto const two = begin(*pool);

    one.lose(*pool);
    BOOST_TEST((board.notices() ==
                strings{"1 of 2 workers are there; abandoned bodies hold 1, and at most 0 are "
                        "replaced at a time"}));
    BOOST_TEST(board.problems().empty());

    two.lose(*pool);
    BOOST_TEST(board.notices().empty());
    BOOST_TEST(board.problems().size() == 1U);

    one.release();
    BOOST_TEST(board.notices().size() == 1U);
    BOOST_TEST(board.problems().empty());

    two.release();
    BOOST_TEST(board.notices().empty());
}

BOOST_AUTO_TEST_CASE(a_replaced_thread_works_again_where_workers_are_missing)
{
    auto const pool = make(1, 1);
    auto const replaced = begin(*pool);
    replaced.lose(*pool);
    auto const other = begin(*pool);
    other.lose(*pool);
    BOOST_TEST(board.problems().size() == 1U);

    replaced.release();
    BOOST_TEST(board.problems().empty());
    auto const third = begin(*pool);
    BOOST_TEST((third.id() == replaced.id()));
    third.release();

    // There is a worker by now: this one is not needed any more.
    other.release();
    auto const fourth = begin(*pool);
    BOOST_TEST((fourth.id() == replaced.id()));
    fourth.release();
}

BOOST_AUTO_TEST_CASE(a_thread_that_is_back_before_it_is_said_to_be_lost_is_not_replaced)
{
    auto const pool = make(1, 1);
    std::thread::id id;
    std::atomic<bool> back{false};
    pool->post([&] {
        id = std::this_thread::get_id();
        pool->thread_returned();
        back = true;
    });
    BOOST_TEST_REQUIRE(eventually([&] { return back.load(); }));
    pool->thread_lost(id);

    auto const body = begin(*pool);
    BOOST_TEST((body.id() == id));
    body.release();
}

BOOST_AUTO_TEST_CASE(threads_that_can_not_be_made_are_tried_again)
{
    auto const pool = make(2, 0);
    threads_left = 0;
    std::atomic<int> done{0};
    pool->post([&] { ++done; });
    BOOST_TEST((board.problems() ==
                strings{"0 of 2 workers are there; a thread can't be made, and is tried again: "
                        "Resource temporarily unavailable"}));

    threads_left = 1;
    BOOST_TEST(run_delayed() == 1U);
    BOOST_TEST(eventually([&] { return done == 1; }));
    BOOST_TEST(board.problems().empty());
    BOOST_TEST((board.notices() ==
                strings{"1 of 2 workers are there; a thread can't be made, and is tried again: "
                        "Resource temporarily unavailable"}));

    threads_left = 1;
    BOOST_TEST(run_delayed() == 1U);
    BOOST_TEST(board.notices().empty());
    BOOST_TEST(run_delayed() == 0U);
}

BOOST_AUTO_TEST_CASE(a_replacement_that_can_not_be_made_is_tried_again)
{
    auto const pool = make(1, 1);
    auto const body = begin(*pool);
    threads_left = 0;
    body.lose(*pool);
    BOOST_TEST(board.problems().size() == 1U);

    threads_left = 1;
    BOOST_TEST(run_delayed() == 1U);
    BOOST_TEST(works(*pool));
    BOOST_TEST(board.problems().empty());
    body.release();
}

BOOST_AUTO_TEST_CASE(without_anybody_who_could_wait_the_next_post_tries_again)
{
    auto const pool = make(1, 0);
    threads_left = 0;
    later_throws = true;
    pool->post([] {});
    BOOST_TEST(board.problems().size() == 1U);

    threads_left = 1;
    BOOST_TEST(works(*pool));
    BOOST_TEST(board.problems().empty());
}

BOOST_AUTO_TEST_CASE(what_the_start_of_a_worker_throws_is_told_and_the_worker_works)
{
    auto const pool = make(1, 0, [] { throw std::runtime_error("no luck"); });

    BOOST_TEST(works(*pool));
    BOOST_TEST((board.problems() == strings{"on_worker_start: no luck"}));
}

BOOST_AUTO_TEST_SUITE_END()
