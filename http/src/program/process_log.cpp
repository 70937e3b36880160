#include "program/process_log.hpp"

#include "message/log_line.hpp"
#include "message/text.hpp"
#include "message/timestamps.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <spdlog/async.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/ansicolor_sink.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace belay::program {

namespace {

constexpr std::size_t lines_max = 1024;

} // namespace

namespace {

class json_lines final : public spdlog::formatter {
public:
    void format(spdlog::details::log_msg const& line, spdlog::memory_buf_t& out) override
    {
        auto const level = spdlog::level::to_string_view(line.level);
        std::string_view const whole(line.payload.data(), line.payload.size());
        auto const parts = http::parts_of(whole);
        boost::system::error_code none;
        auto const members = boost::json::parse(parts.members, none);
        boost::json::object object{
            {"time", http::to_micros(line.time)},
            {"level", boost::json::string_view(level.data(), level.size())},
            {"message", http::replace_bad_utf8(none ? whole : parts.message)}};
        if (!none)
            for (auto const& [name, value] : members.as_object())
                object.emplace(name, value);
        auto const text = boost::json::serialize(object);
        out.append(text.data(), text.data() + text.size());
        out.push_back('\n');
    }
    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override
    {
        return std::make_unique<json_lines>();
    }
};

} // namespace

class process_log::sink final : public spdlog::sinks::ansicolor_stderr_sink_mt {
    using standard_error = spdlog::sinks::ansicolor_stderr_sink_mt;

public:
    void log(spdlog::details::log_msg const& line) override
    {
        std::size_t const dropped = spdlog::thread_pool()->overrun_counter();
        if (dropped != told_) {
            std::string const text = std::to_string(dropped - told_) +
                                     " lines were dropped, since standard error took no more";
            told_ = dropped;
            standard_error::log({line.logger_name, spdlog::level::warn, text});
        }
        standard_error::log(line);
    }

    void flush() override
    {
        standard_error::flush();
        std::scoped_lock const lock(mutex_);
        ++flushed_;
        changed_.notify_all();
    }

    void wait_for_flush(spdlog::logger& logger)
    {
        std::unique_lock lock(mutex_);
        auto const before = flushed_;
        logger.flush();
        changed_.wait_for(lock, std::chrono::seconds(1), [&] { return flushed_ != before; });
    }

private:
    std::size_t told_ = 0; ///< of those that were dropped; used by the log's thread alone
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t flushed_ = 0; // guarded by mutex_
};

process_log::process_log(log_format format) : sink_(std::make_shared<sink>())
{
    if (format == log_format::json)
        sink_->set_formatter(std::make_unique<json_lines>());
    spdlog::init_thread_pool(lines_max, 1);
    spdlog::set_default_logger(std::make_shared<spdlog::async_logger>(
        "belay", sink_, spdlog::thread_pool(), spdlog::async_overflow_policy::overrun_oldest));
}

void process_log::finish() const
{
    sink_->wait_for_flush(*spdlog::default_logger());
}

} // namespace belay::program
