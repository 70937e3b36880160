#ifndef BELAY_VERSION_HPP
#define BELAY_VERSION_HPP

/// The version of these headers, MAJOR.MINOR.PATCH. As long as MAJOR is 0 a program built with one
/// MAJOR.MINOR runs with the shared library of that one only, as its name says.
#define BELAY_VERSION "0.1.0"

#endif
