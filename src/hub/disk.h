// Folders, free space, links and small files, with the sentences for what can go wrong.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace nolens::hub {

/// \throws Error{kResource} "<step> '<path>' failed: <reason>; <remedy>"
[[noreturn]] void throw_disk_error(const std::string& step, const std::filesystem::path& path,
                                   int error);

/// Makes a folder and its parents. \throws Error{kResource}
void make_folders(const std::filesystem::path& folder);

/// Bytes an ordinary user may still write where `path` is or will be; the largest number if
/// unknown.
[[nodiscard]] std::int64_t free_bytes(const std::filesystem::path& path);

/// "12.3 GB (12300000000 bytes)"
[[nodiscard]] std::string shown_size(std::int64_t bytes);

/// Writes a small file under a temporary name and renames it; nothing if it holds the text already.
/// \throws Error{kResource}
void replace_text_file(const std::filesystem::path& path, std::string_view text);

/// The first line of a small file without its end, "" if it cannot be read.
[[nodiscard]] std::string first_line(const std::filesystem::path& path);

/// Makes `link` point to `target` (relative to the folder of `link`), replacing what was there.
/// \return false if the file system has no links. \throws Error{kResource}
bool replace_link(const std::filesystem::path& link, const std::filesystem::path& target);

/// The CACHEDIR.TAG file that tells backup programs to skip a folder; failures are ignored.
void tag_as_cache(const std::filesystem::path& folder);

}  // namespace nolens::hub
