#ifndef BELAY_HTTP_RESOURCES_BATCH_READING_HPP
#define BELAY_HTTP_RESOURCES_BATCH_READING_HPP

#include "service/resource.hpp"

#include <memory>

namespace belay::http {

/// What is read of the batch that the path names; 404 if that is deleted meanwhile.
[[nodiscard]] std::unique_ptr<body_source> read_of_batch(admitted const& request,
                                                         std::unique_ptr<body_source> reads);

} // namespace belay::http

#endif
