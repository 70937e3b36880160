// What every store promises, held against both.
#include "store/store.hpp"

#include "eventually.hpp"
#include "store_client.hpp"
#include "temporary_directory.hpp"

#include <boost/mpl/list.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace belay;
using namespace belay::test;
using namespace std::chrono_literals;
using belay::detail::job_byte;

namespace {

constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

struct in_memory {
    std::shared_ptr<belay::store> store = memory_store();
};

struct on_disk {
    temporary_directory directory;
    std::shared_ptr<belay::store> store = open_store(directory.path());
};

using stores = boost::mpl::list<in_memory, on_disk>;

bool is_store_failed(error const& problem)
{
    return problem.code() == errc::store_failed;
}

std::vector<std::uint64_t> sequences(std::vector<stored_batch> const& batches)
{
    std::vector<std::uint64_t> result;
    for (auto const& batch : batches)
        result.push_back(batch.sequence);
    return result;
}

std::vector<std::uint64_t> indices(std::vector<job_record> const& records)
{
    std::vector<std::uint64_t> result;
    for (auto const& record : records)
        result.push_back(record.index);
    return result;
}

using numbers = std::vector<std::uint64_t>;

void check_equal(cancel_record const& left, cancel_record const& right)
{
    BOOST_TEST((left.requested_at == right.requested_at));
    BOOST_TEST((left.finished_at == right.finished_at));
    BOOST_TEST((left.deadline_at == right.deadline_at));
    BOOST_TEST((left.mode == right.mode));
    BOOST_TEST((left.grace == right.grace));
    BOOST_TEST((left.cause == right.cause));
    BOOST_TEST(left.requested_by == right.requested_by);
    BOOST_TEST(left.reason == right.reason);
    BOOST_TEST((left.recorded_at == right.recorded_at));
    BOOST_TEST((left.interrupted_at == right.interrupted_at));
    BOOST_TEST((left.last_job_ended_at == right.last_job_ended_at));
    BOOST_TEST(is_same(left.origin, right.origin));
    BOOST_REQUIRE(left.escalated.has_value() == right.escalated.has_value());
    if (!left.escalated)
        return;
    BOOST_TEST((left.escalated->at == right.escalated->at));
    BOOST_TEST(left.escalated->by == right.escalated->by);
    BOOST_TEST((left.escalated->mode == right.escalated->mode));
    BOOST_TEST((left.escalated->grace == right.escalated->grace));
}

void check_equal(batch_options const& left, batch_options const& right)
{
    BOOST_TEST((left.concurrency == right.concurrency));
    BOOST_TEST((left.grace == right.grace));
    BOOST_TEST(left.weight == right.weight);
    BOOST_TEST((left.deadline == right.deadline));
    BOOST_TEST((left.failure_policy == right.failure_policy));
    BOOST_TEST(left.max_attempts == right.max_attempts);
    BOOST_TEST((left.backoff == right.backoff));
    BOOST_TEST((left.backoff_max == right.backoff_max));
    BOOST_TEST((left.timeout == right.timeout));
    BOOST_TEST((left.keep == right.keep));
    BOOST_TEST(!left.stop_token.stop_possible());
}

void check_equal(job_record const& left, job_record const& right)
{
    BOOST_TEST(left.index == right.index);
    BOOST_TEST((left.how == right.how));
    BOOST_TEST(left.attempt == right.attempt);
    BOOST_TEST(left.failures == right.failures);
    BOOST_TEST(left.crashes == right.crashes);
    BOOST_TEST(left.suspected == right.suspected);
    BOOST_TEST(left.started == right.started);
    BOOST_TEST(left.ended == right.ended);
    BOOST_TEST(left.progress == right.progress);
    BOOST_TEST((left.failure == right.failure));
    BOOST_TEST(left.text == right.text);
    BOOST_TEST((left.process == nullptr) == (right.process == nullptr));
    if (left.process && right.process)
        BOOST_TEST((*left.process == *right.process));
}

batch_end full_end(std::uint64_t total)
{
    batch_end end;
    end.state = batch_state::expired;
    end.at = at(3000);
    end.jobs = {.total = total,
                .succeeded = 2,
                .failed = 3,
                .late = 1,
                .not_started = 4,
                .stopped = 5,
                .terminated = 6,
                .killed = 7,
                .abandoned = 8,
                .lost = 9};
    end.retried = 10;
    end.errors = {{failure::timeout, "slow", 2}, {failure::crash_loop, std::string("a\0b", 3), 1}};
    end.expires = at(4000);
    return end;
}

} // namespace

BOOST_AUTO_TEST_SUITE(store_)

BOOST_AUTO_TEST_CASE_TEMPLATE(gives_sequences_that_rise, Place, stores)
{
    Place place;
    auto const first = place.store->next_sequence();
    BOOST_TEST(first >= 1);
    BOOST_TEST(place.store->next_sequence() > first);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_batch_is_kept_as_it_was_given, Place, stores)
{
    Place place;
    auto const sequence = place.store->next_sequence();
    stored_batch batch = batch_of(sequence, 1);
    batch.name = "nightly \xe2\x82\xac";
    batch.owner = "ci";
    batch.collection = "reports";
    batch.created_by = "nightly";
    batch.from = "batch-0";
    batch.upload_bytes = 11;
    batch.origin = std::make_shared<request_origin const>(request_origin{"r-1", "00-a-b-01"});
    std::stop_source source;
    batch.options = {.concurrency = 3,
                     .grace = 1ms,
                     .weight = 4,
                     .deadline = 5ms,
                     .failure_policy = failure_policy::fail_fast,
                     .max_attempts = 6,
                     .backoff = 7ms,
                     .backoff_max = 8ms,
                     .timeout = 9ms,
                     .keep = 10ms,
                     .stop_token = source.get_token()};

    write(*place.store, sequence, change::inputs{0, strings({"x"})});
    write(*place.store, sequence, change::created{batch, {}});

    auto const found = place.store->find(batch.id);
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->sequence == sequence);
    BOOST_TEST(found->id == batch.id);
    BOOST_TEST(found->type == batch.type);
    BOOST_TEST(found->name == batch.name);
    BOOST_TEST(found->owner == batch.owner);
    BOOST_TEST(found->collection == batch.collection);
    BOOST_TEST(found->created_by == batch.created_by);
    BOOST_TEST(found->from == batch.from);
    BOOST_TEST(found->upload_bytes == batch.upload_bytes);
    BOOST_TEST(is_same(found->origin, batch.origin));
    BOOST_TEST(found->total == 1);
    BOOST_TEST((found->created_at == batch.created_at));
    BOOST_TEST(!found->started_at.has_value());
    BOOST_TEST(!found->cancel.has_value());
    BOOST_TEST(!found->end.has_value());
    check_equal(found->options, batch.options);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(options_that_are_not_set_stay_so, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 1);
    check_equal(place.store->find("batch-" + std::to_string(sequence))->options, batch_options());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_batch_may_be_created_ended, Place, stores)
{
    Place place;
    auto const sequence = place.store->next_sequence();
    auto batch = batch_of(sequence, 0);
    batch.end = end_at(7, 0);
    batch.end->expires = at(8);

    write(*place.store, sequence, change::created{batch, {}});

    BOOST_TEST((place.store->find(batch.id)->end == batch.end));
    BOOST_TEST(place.store->open_batches().empty());
    BOOST_TEST((place.store->next_expiry() == at(8)));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_draft_is_not_seen, Place, stores)
{
    Place place;
    auto const sequence = place.store->next_sequence();

    write(*place.store, sequence, change::inputs{0, strings({"a", "b"})});

    BOOST_TEST(place.store->list(newest, 10).empty());
    BOOST_TEST(place.store->open_batches().empty());
    BOOST_CHECK_EXCEPTION((void)place.store->inputs(sequence, 0), error, is_store_failed);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_draft_may_be_forgotten, Place, stores)
{
    Place place;
    auto const sequence = place.store->next_sequence();
    write(*place.store, sequence, change::inputs{0, strings({"a", "b"})});
    write(*place.store, sequence, change::forgotten{});
    BOOST_TEST(place.store->list(newest, 10).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(inputs_come_back_in_pages, Place, stores)
{
    Place place;
    auto const sequence = place.store->next_sequence();
    std::mt19937 random(7);
    std::vector<std::string> given;
    std::uint64_t first = 0;
    for (std::uint64_t const size : {1, 2000, 3, 1024, 1, 500}) {
        byte_strings page;
        for (std::uint64_t i = 0; i != size; ++i) {
            std::string input(random() % 300, static_cast<char>(random()));
            if (random() % 400 == 0)
                input.assign(400'000, 'L');
            page.push_back(input);
            given.push_back(std::move(input));
        }
        write(*place.store, sequence, change::inputs{first, page});
        first += size;
    }
    write(*place.store, sequence, change::created{batch_of(sequence, first), {}});

    for (std::uint64_t index = 0; index < first; index += 1 + random() % 50) {
        auto const page = place.store->inputs(sequence, index);
        BOOST_REQUIRE(page.first <= index);
        BOOST_REQUIRE(index < page.first + page.inputs.size());
        BOOST_REQUIRE(page.inputs.size() <= 1024);
        for (std::uint64_t i = 0; i != page.inputs.size(); ++i)
            BOOST_REQUIRE(page.inputs[i] == given[page.first + i]);
    }
    BOOST_CHECK_EXCEPTION((void)place.store->inputs(sequence, first), error, is_store_failed);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(inputs_with_a_gap_are_refused, Place, stores)
{
    Place place;
    auto const sequence = place.store->next_sequence();
    write(*place.store, sequence, change::inputs{0, strings({"a", "b"})});

    auto const gap = try_to(*place.store, sequence, change::inputs{3, strings({"d"})});
    auto const less = try_to(*place.store, sequence, change::created{batch_of(sequence, 3), {}});

    BOOST_CHECK_EXCEPTION(std::rethrow_exception(gap), error, is_store_failed);
    BOOST_CHECK_EXCEPTION(std::rethrow_exception(less), error, is_store_failed);
    BOOST_TEST(place.store->list(newest, 10).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_about_no_batch_is_refused, Place, stores)
{
    Place place;
    for (any_change const& what :
         {any_change(change::cancelled{cancel_at(5), {}}), any_change(change::withdrawn{}),
          any_change(change::ended{end_at(7, 1)}), any_change(change::job_withdrawn{0})})
        for (auto const how : {persistence::once, persistence::until_done})
            BOOST_TEST((try_to(*place.store, 77, what, how) != nullptr));
    BOOST_TEST(!place.store->problem().has_value(), "other changes can be written");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(lists_the_newest_first, Place, stores)
{
    Place place;
    numbers made;
    for (int i = 0; i != 5; ++i)
        made.push_back(create(*place.store, 1));
    std::ranges::reverse(made);

    BOOST_TEST(sequences(place.store->list(newest, 10)) == made);
    BOOST_TEST(sequences(place.store->list(newest, 2)) == numbers(made.begin(), made.begin() + 2));
    BOOST_TEST(sequences(place.store->list(made[1], 10)) == numbers(made.begin() + 2, made.end()));
    BOOST_TEST(place.store->list(newest, 0).empty());
    BOOST_TEST(place.store->list(1, 10).empty());
    BOOST_TEST(!place.store->find("batch-none").has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(open_batches_are_those_without_an_end, Place, stores)
{
    Place place;
    auto const first = create(*place.store, 1);
    auto const second = create(*place.store, 1);
    auto const third = create(*place.store, 1);
    auto const fourth = create(*place.store, 1);

    write(*place.store, second, change::ended{end_at(9, 1)});
    write(*place.store, third, change::cancelled{cancel_at(9), end_at(9, 1)});
    write(*place.store, fourth, change::cancelled{cancel_at(9), {}});

    BOOST_TEST(sequences(place.store->open_batches()) == (numbers{first, fourth}));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_start_an_end_and_its_errors_are_kept, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 44);

    write(*place.store, sequence, change::started{at(2000)});
    write(*place.store, sequence, change::ended{full_end(44)}, persistence::until_done);

    auto const found = place.store->list(newest, 1).at(0);
    BOOST_TEST((found.started_at == at(2000)));
    BOOST_TEST((found.end == full_end(44)));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_second_cancel_replaces_the_first, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 1);
    auto const id = "batch-" + std::to_string(sequence);
    auto cancel = cancel_at(5);
    cancel.mode = cancel_mode::drain;
    cancel.grace.reset();
    cancel.deadline_at.reset();
    cancel.cause = stop_cause::fail_fast;

    write(*place.store, sequence, change::cancelled{cancel, {}});
    check_equal(*place.store->find(id)->cancel, cancel);

    cancel.escalated = {at(6), "root", cancel_mode::immediate, 0ms};
    cancel.deadline_at = at(7);
    write(*place.store, sequence, change::cancelled{cancel, {}});
    check_equal(*place.store->find(id)->cancel, cancel);

    write(*place.store, sequence, change::ended{end_at(8, 1, batch_state::failed)});
    cancel.finished_at = at(8);
    check_equal(*place.store->find(id)->cancel, cancel);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_escalation_that_comes_late_changes_nothing, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 1);
    auto const id = "batch-" + std::to_string(sequence);
    auto late = cancel_at(5);
    late.escalated = {at(6), "early", cancel_mode::graceful, 500ms};
    late.deadline_at = at(7);
    auto last = late;
    last.escalated = {at(6), "root", cancel_mode::immediate, 0ms};
    last.deadline_at = at(6);

    write(*place.store, sequence, change::cancelled{cancel_at(5), {}});
    write(*place.store, sequence, change::cancelled{last, {}});
    write(*place.store, sequence, change::cancelled{late, {}});
    check_equal(*place.store->find(id)->cancel, last);

    write(*place.store, sequence, change::cancelled{last, end_at(8, 1, batch_state::cancelled)});
    write(*place.store, sequence, change::cancelled{late, {}});
    write(*place.store, sequence, change::cancelled{last, {}});
    last.finished_at = at(8);
    check_equal(*place.store->find(id)->cancel, last);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_cancel_with_an_end_is_one_change, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 44);
    auto const id = "batch-" + std::to_string(sequence);

    write(*place.store, sequence, change::cancelled{cancel_at(5), full_end(44)});

    auto cancel = cancel_at(5);
    cancel.finished_at = full_end(44).at;
    check_equal(*place.store->find(id)->cancel, cancel);
    BOOST_TEST((place.store->find(id)->end == full_end(44)));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_withdrawn_does_not_count, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 44);
    auto const id = "batch-" + std::to_string(sequence);

    for (std::optional<batch_end> const& end :
         {std::optional<batch_end>(), std::optional(full_end(44))}) {
        write(*place.store, sequence, change::cancelled{cancel_at(5), end});
        write(*place.store, sequence, change::withdrawn{});

        auto const found = place.store->find(id);
        BOOST_TEST(!found->cancel.has_value());
        BOOST_TEST(!found->end.has_value());
        BOOST_TEST(sequences(place.store->open_batches()) == numbers{sequence});
        BOOST_TEST(!place.store->next_expiry().has_value());
    }
    write(*place.store, sequence, change::ended{end_at(9, 44)});
    BOOST_TEST((place.store->find(id)->end == end_at(9, 44)), "no errors of the one before");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(records_come_back_by_index, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 10'000);
    std::vector<job_record> given;
    for (auto const how :
         {job_byte::succeeded, job_byte::succeeded_late, job_byte::failed, job_byte::not_started,
          job_byte::stopped, job_byte::abandoned, job_byte::lost, job_byte::terminated,
          job_byte::killed, job_byte::backing_off}) {
        job_record record{.index = 9'999 - 1'000 * given.size(),
                          .how = how,
                          .attempt = 2,
                          .failures = 1,
                          .crashes = 3,
                          .started = 1'700'000'000'123'456'789,
                          .ended = 1'700'000'000'987'654'321,
                          .progress = 0.25F,
                          .failure = failure::timeout,
                          .text = std::string("a\0\xff", 3)};
        given.push_back(record);
    }
    given[0].text.clear();
    given[0].progress = -1;
    given[1].started = 0;
    given[1].failures = 0;
    given[1].failure = {};

    for (auto const& one : given)
        record(*place.store, sequence, one);

    std::ranges::reverse(given);
    auto const found = place.store->jobs(sequence, 0, 10'000);
    BOOST_REQUIRE(found.size() == given.size());
    for (std::size_t i = 0; i != found.size(); ++i)
        check_equal(found[i], given[i]);
    BOOST_TEST(indices(place.store->jobs(sequence, given[2].index, given[4].index)) ==
               (numbers{given[2].index, given[3].index}));
    BOOST_TEST(place.store->jobs(sequence, 0, 10).empty());
    BOOST_TEST(place.store->jobs(sequence, 9'990, newest).size() == 1);
    BOOST_TEST(place.store->jobs(sequence + 1, 0, newest).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_programs_used_is_kept_of_the_last_attempt, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 3);
    process_usage used{.exit_status = 255,
                       .signal = {},
                       .user_time = 1us,
                       .system_time = 2us,
                       .memory_peak_bytes = 3,
                       .read_bytes = 4,
                       .written_bytes = std::uint64_t{1} << 62};
    auto first = record_of(1, job_byte::backing_off, "");
    first.process = std::make_shared<process_usage const>(used);
    used.exit_status.reset();
    used.signal = 9;
    auto last = record_of(1, job_byte::killed, "");
    last.process = std::make_shared<process_usage const>(used);

    record(*place.store, sequence, first);
    record(*place.store, sequence, last);
    record(*place.store, sequence, record_of(2, job_byte::succeeded, ""));

    auto const found = place.store->jobs(sequence, 0, 3);
    BOOST_TEST_REQUIRE(found.size() == 2U);
    check_equal(found[0], last);
    BOOST_TEST(!found[1].process);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_end_of_a_job_is_final, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 1);

    record(*place.store, sequence, record_of(0, job_byte::backing_off, "first"));
    record(*place.store, sequence, record_of(0, job_byte::backing_off, "second"));
    BOOST_TEST(place.store->jobs(sequence, 0, 1).at(0).text == "second");

    record(*place.store, sequence, record_of(0, job_byte::succeeded, "third"));
    record(*place.store, sequence, record_of(0, job_byte::failed, "fourth"));
    record(*place.store, sequence, record_of(0, job_byte::backing_off, "fifth"));
    BOOST_TEST(place.store->jobs(sequence, 0, 1).at(0).text == "third");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_a_job_threw_when_it_was_stopped_is_kept, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 2);
    auto stopped = record_of(0, job_byte::stopped, "half of it is written");
    stopped.failure = failure::stopped;

    record(*place.store, sequence, stopped);
    record(*place.store, sequence, record_of(1, job_byte::stopped, ""));

    auto const found = place.store->jobs(sequence, 0, 2);
    BOOST_TEST((found.at(0).failure == failure::stopped));
    BOOST_TEST(found.at(0).text == "half of it is written");
    BOOST_TEST((found.at(1).failure != failure::stopped));
}

/// A record that only says how a job waits now, or that it never started: `keeps_failure`.
BOOST_AUTO_TEST_CASE_TEMPLATE(the_last_failure_stays_where_no_attempt_was_made, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 2);
    auto failed = record_of(0, job_byte::backing_off, "slow");
    failed.failure = failure::timeout;
    failed.failures = 1;
    auto waits = record_of(0, job_byte::backing_off, "");
    waits.attempt = 3;
    waits.ended = 0;
    waits.failures = 1;

    record(*place.store, sequence, failed);
    record(*place.store, sequence, waits);

    auto found = place.store->jobs(sequence, 0, 1).at(0);
    BOOST_TEST(found.attempt == 3);
    BOOST_TEST((found.failure == failure::timeout));
    BOOST_TEST(found.text == "slow");

    write(*place.store, sequence,
          change::job_cancelled{0, {at(5)}, record_of(0, job_byte::not_started, "")});
    found = place.store->jobs(sequence, 0, 1).at(0);
    BOOST_TEST((found.how == job_byte::not_started));
    BOOST_TEST(found.text == "slow");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(jobs_left_behind_are_written_at_once, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 5);
    auto const other = create(*place.store, 5);
    write(*place.store, 0,
          change::recovered{
              {{sequence, {record_of(1, job_byte::lost), record_of(4, job_byte::backing_off)}},
               {other, {record_of(0, job_byte::lost)}}}},
          persistence::until_done);
    BOOST_TEST(indices(place.store->jobs(sequence, 0, 5)) == (numbers{1, 4}));
    BOOST_TEST(indices(place.store->jobs(other, 0, 5)) == numbers{0});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(outcomes_are_jobs_without_what_they_returned, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 5);
    record(*place.store, sequence, record_of(0, job_byte::succeeded, "value"));
    record(*place.store, sequence, record_of(1, job_byte::succeeded_late, "value"));
    for (auto const& [index, how] :
         {std::pair(2, job_byte::failed), {3, job_byte::backing_off}, {4, job_byte::failed}}) {
        job_record failed = record_of(static_cast<std::uint64_t>(index), how, "why");
        failed.failures = 1;
        failed.crashes = 1;
        failed.suspected = 2;
        record(*place.store, sequence, std::move(failed));
    }

    auto expected = place.store->jobs(sequence, 0, 4);
    std::vector<job_record> shown;
    place.store->outcomes(sequence, 0, 4,
                          [&](job_record const& record) { shown.push_back(record); });

    BOOST_TEST_REQUIRE(shown.size() == 4U);
    BOOST_TEST((shown[0].text.empty() && shown[1].text.empty()));
    BOOST_TEST((shown[2].text == "why" && shown[3].text == "why"));
    expected[0].text.clear();
    expected[1].text.clear();
    for (std::size_t i = 0; i != 4; ++i)
        check_equal(shown[i], expected[i]);
    BOOST_CHECK_NO_THROW(place.store->outcomes(
        99, 0, 4, [](job_record const&) { BOOST_ERROR("there is no such batch"); }));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(jobs_cancelled_alone_are_told_until_they_end, Place, stores)
{
    Place place;
    auto const sequence = create(*place.store, 6);
    record(*place.store, sequence, record_of(3, job_byte::backing_off));
    record(*place.store, sequence, record_of(4, job_byte::succeeded));
    for (std::uint64_t const index : {5, 3, 1, 4})
        write(*place.store, sequence, change::job_cancelled{index, {at(5)}, {}});
    write(*place.store, sequence,
          change::job_cancelled{0, {at(5)}, record_of(0, job_byte::not_started, "")});

    BOOST_TEST(place.store->cancelled_jobs(sequence) == (numbers{1, 3, 5}));
    BOOST_TEST(indices(place.store->jobs(sequence, 0, 6)) == (numbers{0, 3, 4}));

    record(*place.store, sequence, record_of(1, job_byte::stopped));
    write(*place.store, sequence, change::job_withdrawn{5});
    write(*place.store, sequence, change::job_withdrawn{0});
    BOOST_TEST(place.store->cancelled_jobs(sequence) == numbers{3});
    BOOST_TEST(indices(place.store->jobs(sequence, 0, 6)) == (numbers{1, 3, 4}));

    write(*place.store, sequence, change::ended{end_at(9, 6)});
    BOOST_TEST(place.store->cancelled_jobs(sequence).empty());
    BOOST_TEST(place.store->cancelled_jobs(sequence + 1).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(who_cancelled_a_job_is_kept_also_when_its_batch_has_ended, Place,
                              stores)
{
    Place place;
    auto const sequence = create(*place.store, 4);
    job_cancel_record const first{
        at(5), cancel_mode::immediate, "ann", "wrong \u00e9",
        std::make_shared<request_origin const>(request_origin{{}, "00-a-b-01"})};
    job_cancel_record const second{at(6), cancel_mode::graceful, "", ""};
    write(*place.store, sequence,
          change::job_cancelled{0, first, record_of(0, job_byte::not_started, "")});
    for (std::uint64_t const index : {1, 2})
        write(*place.store, sequence, change::job_cancelled{index, second, {}});
    record(*place.store, sequence, record_of(1, job_byte::stopped));
    write(*place.store, sequence, change::job_withdrawn{2});
    record(*place.store, sequence, record_of(2, job_byte::succeeded));
    record(*place.store, sequence, record_of(3, job_byte::succeeded));
    write(*place.store, sequence, change::ended{end_at(9, 4)});

    auto const jobs = place.store->jobs(sequence, 0, 4);
    BOOST_TEST_REQUIRE(jobs.size() == 4U);
    BOOST_TEST_REQUIRE((jobs[0].cancel && jobs[1].cancel));
    BOOST_TEST((*jobs[0].cancel == first));
    BOOST_TEST((*jobs[1].cancel == second));
    BOOST_TEST((!jobs[2].cancel && !jobs[3].cancel));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_forgotten_batch_is_gone, Place, stores)
{
    counting_listener listener;
    Place place;
    auto const kept = create(*place.store, 1);
    auto const sequence = create(*place.store, 3000);
    for (std::uint64_t index = 0; index != 2500; ++index)
        (void)place.store->record(sequence, record_of(index), listener);
    auto end = end_at(9, 3000);
    end.expires = at(10);
    write(*place.store, sequence, change::ended{end});

    write(*place.store, sequence, change::forgotten{});

    BOOST_TEST(!place.store->find("batch-" + std::to_string(sequence)).has_value());
    BOOST_TEST(sequences(place.store->list(newest, 10)) == numbers{kept});
    BOOST_TEST(place.store->jobs(sequence, 0, newest).empty());
    BOOST_TEST(place.store->cancelled_jobs(sequence).empty());
    BOOST_TEST(place.store->expired(at(11), 10).empty());
    BOOST_TEST(!place.store->next_expiry().has_value());
    BOOST_CHECK_EXCEPTION((void)place.store->inputs(sequence, 0), error, is_store_failed);
    BOOST_TEST(place.store->inputs(kept, 0).inputs[0] == "0");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_has_expired_is_told, Place, stores)
{
    Place place;
    numbers made;
    for (int i = 0; i != 4; ++i) {
        made.push_back(create(*place.store, 1));
        auto end = end_at(9, 1);
        if (i != 3)
            end.expires = at(30 - 10 * i);
        write(*place.store, made.back(), change::ended{end});
    }

    BOOST_TEST((place.store->next_expiry() == at(10)));
    BOOST_TEST(place.store->expired(at(9), 10).empty());
    BOOST_TEST(place.store->expired(at(10), 10) == numbers{made[2]});
    BOOST_TEST(place.store->expired(at(100), 10).size() == 3);
    BOOST_TEST(place.store->expired(at(100), 2).size() == 2);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_key_is_known_for_a_day, Place, stores)
{
    Place place;
    auto const make = [&](std::string owner, std::string key, time_point created_at) {
        auto batch = batch_of(place.store->next_sequence(), 0);
        batch.owner = std::move(owner);
        batch.created_at = created_at;
        write(*place.store, batch.sequence,
              change::created{batch, idempotency{std::move(key), "digest of " + batch.id}});
        return batch.id;
    };
    auto const first = make("ci", "key", at(0));
    auto const other = make("me", "key", at(10));

    BOOST_TEST(place.store->find_idempotent("ci", "key", at(86'399))->batch_id == first);
    BOOST_TEST(!place.store->find_idempotent("ci", "key", at(86'400)).has_value());
    auto const found = place.store->find_idempotent("me", "key", at(86'400));
    BOOST_TEST(found->batch_id == other);
    BOOST_TEST(found->digest == "digest of " + other);
    BOOST_TEST((found->created_at == at(10)));
    BOOST_TEST(!place.store->find_idempotent("ci", "another", at(10)).has_value());

    auto const again = make("ci", "key", at(86'405));
    BOOST_TEST(place.store->find_idempotent("ci", "key", at(86'406))->batch_id == again);
    BOOST_TEST(place.store->find_idempotent("me", "key", at(86'406))->batch_id == other);
}

namespace {

open_operation operation_of(std::uint64_t sequence, numbers batches)
{
    open_operation made;
    made.about.sequence = sequence;
    made.about.id = "operation-" + std::to_string(sequence);
    made.about.owner = "me";
    made.about.filter = "{}";
    made.about.request = {
        .mode = cancel_mode::graceful,
        .grace = 7ms,
        .reason = "why",
        .requested_by = "who",
        .origin = std::make_shared<request_origin const>(request_origin{"req-1", "00-0"})};
    made.about.requested_at = at(3);
    made.about.total = batches.size();
    made.batches = std::move(batches);
    return made;
}

std::uint64_t make_operation(store& store, numbers batches)
{
    auto const sequence = store.next_sequence();
    write(store, sequence,
          change::operation_made{
              std::make_shared<open_operation const>(operation_of(sequence, std::move(batches)))});
    return sequence;
}

operation_end operation_end_at(std::int64_t seconds, std::optional<time_point> expires = {})
{
    return {at(seconds),
            {.total = 3, .cancelled = 1, .completed = 1, .failed = 0, .expired = 0, .forgotten = 1},
            expires};
}

numbers sequences(std::vector<stored_operation> const& operations)
{
    numbers result;
    for (auto const& operation : operations)
        result.push_back(operation.sequence);
    return result;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(an_operation_is_kept_with_its_batches, Place, stores)
{
    Place place;
    numbers const batches{1, 2, 300, 4'000'000'000, std::uint64_t{1} << 62};

    auto const sequence = make_operation(*place.store, batches);

    auto const found = place.store->find_operation("operation-" + std::to_string(sequence));
    BOOST_TEST_REQUIRE(found.has_value());
    auto const wanted = operation_of(sequence, batches).about;
    BOOST_TEST(found->owner == wanted.owner);
    BOOST_TEST(found->filter == wanted.filter);
    BOOST_TEST((found->request.mode == wanted.request.mode));
    BOOST_TEST((found->request.grace == wanted.request.grace));
    BOOST_TEST(found->request.reason == wanted.request.reason);
    BOOST_TEST(found->request.requested_by == wanted.request.requested_by);
    BOOST_TEST(is_same(found->request.origin, wanted.request.origin));
    BOOST_TEST((found->requested_at == wanted.requested_at));
    BOOST_TEST(found->total == 5u);
    BOOST_TEST(!found->end.has_value());
    BOOST_TEST(place.store->operation_batches(sequence) == batches,
               boost::test_tools::per_element());
    auto const open = place.store->open_operations();
    BOOST_TEST_REQUIRE(open.size() == 1u);
    BOOST_TEST(open.front().batches == batches, boost::test_tools::per_element());
    BOOST_TEST(!place.store->find_operation("operation-0").has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_operation_ends_and_expires, Place, stores)
{
    Place place;
    auto const first = make_operation(*place.store, {1, 2, 3});
    auto const second = make_operation(*place.store, {4});
    auto const third = make_operation(*place.store, {5});

    write(*place.store, first, change::operation_ended{operation_end_at(5, at(10))});
    write(*place.store, second, change::operation_ended{operation_end_at(6)});

    auto const all = place.store->list_operations(newest, 10);
    BOOST_TEST(sequences(all) == (numbers{third, second, first}), boost::test_tools::per_element());
    BOOST_TEST((all.back().end == operation_end_at(5, at(10))));
    BOOST_TEST(sequences(place.store->list_operations(third, 1)) == numbers{second},
               boost::test_tools::per_element());
    BOOST_TEST(place.store->open_operations().size() == 1u);
    BOOST_TEST((place.store->next_operation_expiry() == at(10)));

    write(*place.store, 0, change::operations_expired{at(9)});
    BOOST_TEST(place.store->list_operations(newest, 10).size() == 3u);
    write(*place.store, 0, change::operations_expired{at(10)});
    BOOST_TEST(sequences(place.store->list_operations(newest, 10)) == (numbers{third, second}),
               boost::test_tools::per_element());
    BOOST_TEST(place.store->operation_batches(first).empty());
    BOOST_TEST(!place.store->next_operation_expiry().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_operation_that_is_withdrawn_is_not_there, Place, stores)
{
    Place place;
    auto const made = make_operation(*place.store, {1});

    write(*place.store, made, change::operation_withdrawn{});
    write(*place.store, place.store->next_sequence(), change::operation_withdrawn{});

    BOOST_TEST(place.store->list_operations(newest, 10).empty());
    BOOST_TEST(place.store->operation_batches(made).empty());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_an_owner_has_uploaded_is_summed_up, Place, stores)
{
    Place place;
    std::vector<std::uint64_t> sequences;
    for (auto const& [owner, bytes] : {std::pair("ci", 5U), {"me", 7U}, {"ci", 0U}, {"ci", 30U}}) {
        auto batch = batch_of(place.store->next_sequence(), 0);
        batch.owner = owner;
        batch.upload_bytes = bytes;
        batch.end = end_at(7, 0);
        write(*place.store, batch.sequence, change::created{batch, {}});
        sequences.push_back(batch.sequence);
    }
    BOOST_TEST(place.store->upload_bytes("ci") == 35U);
    BOOST_TEST(place.store->upload_bytes("me") == 7U);
    BOOST_TEST(place.store->upload_bytes("you") == 0U);

    write(*place.store, sequences.back(), change::forgotten{});

    BOOST_TEST(place.store->upload_bytes("ci") == 5U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(states_are_pending_and_apart, Place, stores)
{
    Place place;
    std::vector<detail::state_array> arrays;
    for (std::uint64_t i = 0; i != 100; ++i)
        arrays.push_back(place.store->states(i + 1, 1 + 50 * i));
    for (std::uint64_t i = 0; i != 100; ++i)
        for (std::uint64_t index = 0; index != 1 + 50 * i; ++index) {
            BOOST_REQUIRE((arrays[i][index] == job_byte::pending));
            arrays[i][index] = job_byte::running;
        }
    arrays.clear();
    auto const again = place.store->states(200, 4000);
    for (std::uint64_t index = 0; index != 4000; ++index)
        BOOST_REQUIRE((again[index] == job_byte::pending));
    BOOST_TEST(place.store->begun(1).empty(), "this process is not an earlier one");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(room_is_told_at_once_where_there_is_some, Place, stores)
{
    Place place;
    bool called = false;
    place.store->when_uncongested([&] { called = true; });
    BOOST_TEST(called);
    BOOST_TEST(!place.store->is_congested());
    BOOST_TEST(!place.store->problem().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(many_threads_record_and_read, Place, stores)
{
    counting_listener listener;
    Place place;
    constexpr std::uint64_t total = 4000;
    constexpr std::uint64_t threads = 4;
    auto const sequence = create(*place.store, total);
    std::atomic<std::uint64_t> told_at_once = 0;
    std::vector<std::thread> writers;
    for (std::uint64_t thread = 0; thread != threads; ++thread)
        writers.emplace_back([&, thread] {
            for (std::uint64_t index = thread; index < total; index += threads) {
                if (index % 3 == 0)
                    told_at_once += place.store->record(
                        sequence, record_of(index, job_byte::backing_off), listener);
                told_at_once += place.store->record(sequence, record_of(index), listener);
            }
        });
    std::thread reader([&] {
        for (int i = 0; i != 20; ++i) {
            (void)place.store->jobs(sequence, 0, total);
            (void)place.store->list(newest, 10);
        }
    });
    for (auto& writer : writers)
        writer.join();
    reader.join();
    write(*place.store, sequence, change::ended{end_at(9, total)});

    auto const found = place.store->jobs(sequence, 0, total);
    BOOST_TEST(listener.count() + told_at_once == total + (total + 2) / 3);
    BOOST_TEST(found.size() == total);
    BOOST_TEST(std::ranges::all_of(
        found, [](job_record const& record) { return record.how == job_byte::succeeded; }));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_answered_is_seen_in_order, Place, stores)
{
    counting_listener listener;
    Place place;
    auto const sequence = create(*place.store, 3);

    bool const at_once = place.store->record(sequence, record_of(0), listener);
    auto ended = ask(*place.store, sequence, change::ended{end_at(9, 3)});

    BOOST_TEST((wait_for(ended) == nullptr));
    BOOST_TEST(listener.count() == (at_once ? 0 : 1), "jobs before the end of their batch");
    BOOST_TEST(at_once == !place.store->is_durable());
}

BOOST_AUTO_TEST_SUITE_END()
