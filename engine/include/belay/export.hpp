// What the shared library shows; everything else is hidden. And what the compiler must know.
#ifndef BELAY_EXPORT_HPP
#define BELAY_EXPORT_HPP

#if __cplusplus < 202002L
#error "belay needs C++20 or later: -std=c++20"
#endif

#define BELAY_EXPORT __attribute__((visibility("default")))

#endif
