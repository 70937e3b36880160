// A transfer of libcurl's that the cancel ends in the middle.
#include <belay/belay.hpp>

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

std::counting_semaphore<> receiving{0};

std::size_t append(char* data, std::size_t, std::size_t size, void* text)
{
    static_cast<std::string*>(text)->append(data, size);
    receiving.release();
    return size;
}

/// libcurl calls it while data comes, and about once a second while none does.
int stop(void* job, curl_off_t, curl_off_t, curl_off_t, curl_off_t)
{
    return static_cast<belay::job*>(job)->stop_requested() ? 1 : 0;
}

std::string download(std::string const& url, belay::job& job)
{
    std::unique_ptr<CURL, void (*)(CURL*)> const curl(curl_easy_init(), curl_easy_cleanup);
    std::string text;
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*"); // it is on this machine
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L); // since this is not the only thread
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
    curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, stop);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &job);
    if (auto const code = curl_easy_perform(curl.get()); code != CURLE_OK)
        throw std::runtime_error(curl_easy_strerror(code)); // counts as `stopped` after a stop
    return text;
}

/// Sends a byte every millisecond, of an answer that would take a quarter of an hour.
void serve_slowly(int listener)
{
    int const client = ::accept(listener, nullptr, nullptr);
    std::string next = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    while (::send(client, next.data(), next.size(), MSG_NOSIGNAL) > 0) {
        next = ".";
        std::this_thread::sleep_for(1ms);
    }
    ::close(client);
}

} // namespace

int main()
{
    curl_global_init(CURL_GLOBAL_ALL);
    int const listener = ::socket(AF_INET, SOCK_STREAM, 0);
    timeval const patience{10, 0};
    ::setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener, 1) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
        return 1;
    std::jthread const server(serve_slowly, listener);

    belay::engine engine;
    std::string const url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    auto const batch = engine.submit(std::vector{url}, download);
    if (!receiving.try_acquire_for(10s))
        return 1;
    batch.cancel();

    auto const status = batch.wait();
    std::cout << status.jobs.stopped << " was stopped\n";
    return status.jobs.stopped == 1 ? 0 : 1;
}
