// Runs a fuzz target without libFuzzer: on every file named on the command line, and then on a
// fixed series of mutations of them, the same on every machine.

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <vector>

#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using input = std::vector<std::uint8_t>;

constexpr int mutations = 20'000;
constexpr std::size_t input_bytes_max = 16 * 1024;

const input* current = nullptr;

// As hexadecimal digits: `xxd -r -p` turns them into a file for the corpus.
void show_current()
{
    if (!current)
        return;
    std::fprintf(stderr, "\ninput of %zu bytes:\n", current->size());
    for (std::uint8_t byte : *current)
        std::fprintf(stderr, "%02x", byte);
    std::fputc('\n', stderr);
    current = nullptr;
}

void on_abort(int)
{
    show_current();
    std::signal(SIGABRT, SIG_DFL);
    std::abort();
}

void run(const input& bytes)
{
    // A copy of the exact size, so that a read past the end is seen.
    input const exact(bytes.begin(), bytes.end());
    current = &exact;
    LLVMFuzzerTestOneInput(exact.data(), exact.size());
    current = nullptr;
}

// splitmix64. The standard's distributions differ from library to library.
class random_source {
public:
    std::size_t below(std::size_t bound)
    {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return static_cast<std::size_t>((z ^ (z >> 31)) % bound);
    }

private:
    std::uint64_t state_ = 1;
};

void mutate(input& bytes, const std::vector<input>& corpus, random_source& random)
{
    static constexpr std::uint8_t telling[] = {0x00, 0x01, 0x7f, 0x80, 0xff, '\r', '\n', ' ',
                                               '"',  '\\', '{',  '}',  '[',  ']',  ':',  ',',
                                               ';',  '=',  '-',  '0',  '9',  '%',  '/',  '.'};
    std::size_t const size = bytes.size();
    std::size_t const at = random.below(size + 1);
    auto const position = bytes.begin() + static_cast<std::ptrdiff_t>(at);
    switch (random.below(7)) {
    case 0:
        if (at < size)
            bytes[at] ^= static_cast<std::uint8_t>(1u << random.below(8));
        break;
    case 1:
        if (at < size)
            bytes[at] = telling[random.below(std::size(telling))];
        break;
    case 2:
        bytes.insert(position, telling[random.below(std::size(telling))]);
        break;
    case 3:
        bytes.insert(position, static_cast<std::uint8_t>(random.below(256)));
        break;
    case 4: {
        std::size_t const count = random.below(std::min<std::size_t>(size - at, 32) + 1);
        bytes.erase(position, position + static_cast<std::ptrdiff_t>(count));
        break;
    }
    case 5: {
        std::size_t const count = random.below(std::min<std::size_t>(size - at, 64) + 1);
        input const copy(position, position + static_cast<std::ptrdiff_t>(count));
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(random.below(size + 1)),
                     copy.begin(), copy.end());
        break;
    }
    case 6: {
        input const& other = corpus[random.below(corpus.size())];
        std::size_t const from = random.below(other.size() + 1);
        bytes.erase(position, bytes.end());
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(from), other.end());
        break;
    }
    }
    if (bytes.size() > input_bytes_max)
        bytes.resize(input_bytes_max);
}

} // namespace

int main(int argc, char** argv)
{
    __sanitizer_set_death_callback(show_current);
    std::signal(SIGABRT, on_abort);

    std::vector<input> corpus{input{}};
    for (int i = 1; i < argc; ++i) {
        std::ifstream file(argv[i], std::ios::binary);
        if (!file) {
            std::fprintf(stderr, "cannot read %s\n", argv[i]);
            return 1;
        }
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    for (const input& bytes : corpus)
        run(bytes);

    random_source random;
    for (int i = 0; i < mutations; ++i) {
        input bytes = corpus[random.below(corpus.size())];
        for (std::size_t rounds = 1 + random.below(8); rounds > 0; --rounds)
            mutate(bytes, corpus, random);
        run(bytes);
    }
    std::printf("%zu inputs\n", corpus.size() + mutations);
}
