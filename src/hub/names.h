// Names that come from people or from a server, checked before they become parts of a path or
// address.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nolens::hub {

/// "NAME" or "ORG/NAME" as huggingface_hub's validate_repo_id accepts it.
[[nodiscard]] bool is_repo_id(std::string_view text);

/// A branch, tag or commit that can be a relative path below refs/.
[[nodiscard]] bool is_revision(std::string_view text);

/// 40 lower-case hexadecimal digits.
[[nodiscard]] bool is_commit_hash(std::string_view text);

/// 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_sha256(std::string_view text);

/// Why a file name of a repository may not become a path, nothing if it may. At most 1024 bytes,
/// parts of 1 to 240 bytes; no "..", no root, no drive, no backslash, no control characters.
[[nodiscard]] std::optional<std::string> file_name_problem(std::string_view name);

/// models--ORG--NAME
[[nodiscard]] std::string repo_folder_name(std::string_view repo);

/// The ETag header without W/ and quotes, if it can be a file name: 1 to 128 of [A-Za-z0-9._-], no
/// dot first.
[[nodiscard]] std::optional<std::string> blob_name_from_etag(std::string_view etag);

}  // namespace nolens::hub
