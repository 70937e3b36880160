#ifndef BELAY_HTTP_RESOURCES_JOB_BYTES_HPP
#define BELAY_HTTP_RESOURCES_JOB_BYTES_HPP

#include "message/byte_range.hpp"
#include "service/resource.hpp"

#include <belay/job_type.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace belay::http {

/// What `tag` stands for: the attempt that the job is at, and what of it, if that is said.
[[nodiscard]] std::string tag_of_attempt(admitted const& request, unsigned attempt,
                                         std::string_view what = {});

/// Header fields of bytes that a program may have written: to be saved, not to be shown.
[[nodiscard]] response unseen_bytes();

/// Reads those of the range, piece by piece.
[[nodiscard]] std::unique_ptr<body_source> read_bytes(job_file from, byte_range range);

/// These bytes as `answer`, which is of `unseen_bytes`, or a part of them, as the request's range
/// and preconditions have it. `tag` is empty where they still change; `what` is "the output".
[[nodiscard]] made_operation answer_with_bytes(admitted const& request, job_file bytes,
                                               std::string const& tag, std::string_view what,
                                               response answer);

} // namespace belay::http

#endif
