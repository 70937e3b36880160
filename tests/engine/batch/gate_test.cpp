#include "batch/gate.hpp"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

using belay::detail::gate;

BOOST_AUTO_TEST_SUITE(gate_test)

BOOST_AUTO_TEST_CASE(G1_a_job_is_let_in_again_while_the_gate_is_open_only)
{
    gate open(10);
    BOOST_TEST(open.let_in());
    BOOST_TEST(open.claim(10)->end == 10U);
    BOOST_TEST(open.let_in());
    BOOST_TEST(open.unclaimed() == 0U);

    open.close();
    BOOST_TEST(!open.let_in());

    gate done(1);
    done.finish();
    BOOST_TEST(!done.let_in());
}

BOOST_AUTO_TEST_CASE(claims_are_given_in_order_and_cut_at_the_end)
{
    gate gate(10);

    auto const first = gate.claim(4);
    auto const second = gate.claim(4);
    auto const third = gate.claim(4);
    auto const fourth = gate.claim(4);

    BOOST_REQUIRE((first && second && third));
    BOOST_TEST((first->begin == 0 && first->end == 4));
    BOOST_TEST((second->begin == 4 && second->end == 8));
    BOOST_TEST((third->begin == 8 && third->end == 10));
    BOOST_TEST(!fourth);
    BOOST_TEST(gate.unclaimed() == 0U);
}

BOOST_AUTO_TEST_CASE(unclaimed_jobs_are_counted)
{
    gate gate(10);

    (void)gate.claim(4);

    BOOST_TEST(gate.unclaimed() == 6U);
    BOOST_TEST(!gate.done());
}

BOOST_AUTO_TEST_CASE(G1_nothing_is_claimed_after_the_closing)
{
    gate gate(10);
    (void)gate.claim(4);

    auto const closing = gate.close();

    BOOST_TEST(closing.first);
    BOOST_TEST(!closing.done);
    BOOST_TEST(closing.claimed == 4U);
    BOOST_TEST(!gate.claim(1));
    BOOST_TEST(!gate.claim(1'000));
}

BOOST_AUTO_TEST_CASE(G8_only_the_first_closing_is_the_first)
{
    gate gate(10);
    (void)gate.claim(4);
    (void)gate.close();

    auto const again = gate.close();

    BOOST_TEST(!again.first);
    BOOST_TEST(!again.done);
    BOOST_TEST(again.claimed == 4U);
}

BOOST_AUTO_TEST_CASE(a_closing_after_the_end_finds_it_done)
{
    gate gate(4);
    (void)gate.claim(4);
    BOOST_TEST(gate.finish());

    auto const closing = gate.close();

    BOOST_TEST(!closing.first);
    BOOST_TEST(closing.done);
    BOOST_TEST(closing.claimed == 4U);
    BOOST_TEST(gate.done());
}

BOOST_AUTO_TEST_CASE(an_end_after_the_closing_comes_too_late)
{
    gate gate(4);
    (void)gate.claim(4);
    (void)gate.close();

    bool const won = gate.finish();

    BOOST_TEST(!won);
    BOOST_TEST(gate.done());
}

BOOST_AUTO_TEST_CASE(what_is_claimed_is_never_more_than_there_is)
{
    gate gate(3);
    (void)gate.claim(2);
    (void)gate.claim(4'096);
    (void)gate.claim(4'096);

    auto const closing = gate.close();

    BOOST_TEST(closing.claimed == 3U);
    BOOST_TEST(gate.unclaimed() == 0U);
}

BOOST_AUTO_TEST_CASE(a_gate_of_nothing_gives_nothing)
{
    gate gate(0);

    auto const claimed = gate.claim(1);

    BOOST_TEST(!claimed);
    BOOST_TEST(gate.unclaimed() == 0U);
    BOOST_TEST(gate.finish());
}

BOOST_AUTO_TEST_CASE(the_largest_batch_fits_beside_the_two_bits)
{
    gate gate(belay::detail::jobs_max);

    auto const all = gate.claim(belay::detail::jobs_max);
    auto const none = gate.claim(4'096);
    auto const closing = gate.close();

    BOOST_REQUIRE(all.has_value());
    BOOST_TEST(all->end == belay::detail::jobs_max);
    BOOST_TEST(!none);
    BOOST_TEST((closing.first && !closing.done));
    BOOST_TEST(closing.claimed == belay::detail::jobs_max);
}

BOOST_AUTO_TEST_CASE(G1_each_job_is_claimed_once_and_none_at_or_after_the_closing)
{
    constexpr std::uint64_t total = 200'000;
    gate gate(total);
    std::vector<std::atomic<int>> claims(total);
    std::atomic<std::uint64_t> so_far{0};
    auto const claimer = [&](std::uint64_t chunk) {
        while (auto const range = gate.claim(chunk)) {
            for (auto index = range->begin; index != range->end; ++index)
                ++claims[index];
            so_far += range->end - range->begin;
        }
    };

    std::vector<std::thread> threads;
    for (std::uint64_t const chunk : {1, 3, 7})
        threads.emplace_back(claimer, chunk);
    while (so_far < total / 4)
        std::this_thread::yield();
    auto const closing = gate.close();
    for (auto& thread : threads)
        thread.join();

    for (std::uint64_t index = 0; index != total; ++index)
        if (claims[index] != (index < closing.claimed ? 1 : 0))
            BOOST_ERROR("job " << index << " of " << closing.claimed << " was claimed "
                               << claims[index] << " times");
}

BOOST_AUTO_TEST_CASE(of_an_end_and_a_closing_at_once_exactly_one_wins)
{
    for (int round = 0; round != 2'000; ++round) {
        gate gate(1);
        (void)gate.claim(1);
        bool finished = false;

        std::thread other([&] { finished = gate.finish(); });
        auto const closing = gate.close();
        other.join();

        BOOST_TEST_REQUIRE(finished != closing.first);
        BOOST_TEST_REQUIRE(closing.done == finished);
    }
}

BOOST_AUTO_TEST_SUITE_END()
