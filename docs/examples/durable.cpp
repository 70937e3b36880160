// A batch that is on disk: what has ended stays, and the rest goes on, whatever happens to the process.
#include <belay/engine.hpp>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <string>

int main()
{
    auto const directory = std::filesystem::temp_directory_path() /
                           ("belay-example-" + std::to_string(std::random_device{}()));
    std::string id;
    {
        belay::engine engine({.store = belay::open_store(directory)});
        engine.define({.name = "shout", .body = [](std::string_view input, belay::job&) {
                           return std::string(input) + "!";
                       }});
        auto const batch = // it is on disk
            engine.submit({.type = "shout", .inputs = {"hello", "world"}});
        id = batch.id();
        batch.wait(); // so are its results
    }

    // Another process, another day. What had not ended would go on from here.
    belay::engine engine({.store = belay::open_store(directory)});
    auto const batch = engine.find(id).value();
    for (auto const& [index, output] : batch.results())
        std::cout << index << ": " << output << '\n';
    bool const right = batch.output(1) == "world!";
    std::filesystem::remove_all(directory);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
