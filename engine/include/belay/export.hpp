// What the shared library shows. Everything else is hidden.
#ifndef BELAY_EXPORT_HPP
#define BELAY_EXPORT_HPP

#define BELAY_EXPORT __attribute__((visibility("default")))

#endif
