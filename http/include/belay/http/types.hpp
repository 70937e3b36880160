// The job types that come with belay, and those that an operator adds.
#ifndef BELAY_HTTP_TYPES_HPP
#define BELAY_HTTP_TYPES_HPP

#include <belay/export.hpp>
#include <belay/http/job_type.hpp>

#include <filesystem>
#include <memory>
#include <vector>

namespace belay::http {

/// A directory that jobs may read files beneath.
class root_directory;

/// Opens a directory; what lies at `path` later does not matter any more. Throws std::system_error
/// if it can't be opened, or if the system has no openat2 (Linux before 5.6, or a seccomp filter
/// that forbids it): without it nothing beneath could be opened safely.
/// Thread safety: what is returned may be used, and let go of, on any thread.
[[nodiscard]] BELAY_EXPORT std::shared_ptr<root_directory const> open_root(std::filesystem::path const& path);

/// `checksum`: the digest of a file. Input `{"path":"a/b.txt","algorithm":"sha256"}`, or the path
/// alone; result `{"algorithm":"sha256","digest":"<lower-case hex>","bytes":N}`. Algorithms are
/// sha256 (the default), sha224, sha384, sha512, sha3-256, sha3-512, blake2b512, and sha1 and md5,
/// which protect against accidents only. The file must not change its size while it is read: its
/// job fails then, as it does for whatever is wrong with the path, with the code `input`. Without
/// a root every job does.
[[nodiscard]] BELAY_EXPORT offered_type checksum_type(std::shared_ptr<root_directory const> root = nullptr);

/// `compress`: a file as a zstd frame, which is the job's output. Input `{"path":"a/b.txt","level":3}`
/// (1 … 19), or the path alone; result `{"bytes_in":N,"bytes_out":N}`. Paths are as `checksum`'s.
[[nodiscard]] BELAY_EXPORT offered_type compress_type(std::shared_ptr<root_directory const> root = nullptr);

/// `sleep`: waits. Input `{"ms":250}` (0 … 86,400,000), or the number alone; result `{"ms":250}`.
[[nodiscard]] BELAY_EXPORT offered_type sleep_type();

/// `spin`: keeps a core busy that long; input and result as `sleep`.
[[nodiscard]] BELAY_EXPORT offered_type spin_type();

/// All of them.
[[nodiscard]] BELAY_EXPORT std::vector<offered_type>
built_in_types(std::shared_ptr<root_directory const> root = nullptr);

/// The types that a configuration file describes, each of which runs a command; docs/http.md has
/// what may stand in the file. Files that jobs name are opened beneath `root`; without a root those
/// jobs fail. Programs are looked for in the PATH that the process has now. Throws
/// std::runtime_error: `FILE: what is wrong` if the file can't be read, is larger than 1 MiB, or
/// somebody other than root and the process's user owns it or may write it; or else all faults in
/// it, `FILE:LINE: what is wrong`, one a line. Among them are types that are named like built-in
/// ones.
/// Thread safety: it reads the environment, which no other thread may be changing.
[[nodiscard]] BELAY_EXPORT std::vector<offered_type>
configured_types(std::filesystem::path const& file,
                 std::shared_ptr<root_directory const> root = nullptr);

} // namespace belay::http

#endif
