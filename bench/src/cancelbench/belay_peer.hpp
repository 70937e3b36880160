#ifndef BELAY_CANCELBENCH_BELAY_PEER_HPP
#define BELAY_CANCELBENCH_BELAY_PEER_HPP

#include "cancelbench/peer.hpp"

#include <memory>

namespace belay::cancelbench {

/// belay itself: batches of lambdas in memory, and for `crash` recorded ones in a store; with `on_disk` recorded
/// ones in a store for all.
[[nodiscard]] std::unique_ptr<library> make_belay_peer(bool on_disk);

/// The least there can be: threads that take jobs from an atomic index until a flag says stop. It
/// keeps no state of any job.
[[nodiscard]] std::unique_ptr<library> make_flag_peer();

} // namespace belay::cancelbench

#endif
