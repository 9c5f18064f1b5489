// Models from a hub that speaks Hugging Face's protocol, in the cache that huggingface_hub uses.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nolens {

/// What huggingface_hub reads from the environment, read the same way.
struct HubSettings {
  std::string endpoint;         ///< HF_ENDPOINT, without a slash at its end
  std::string token;            ///< HF_TOKEN, or the token file; empty = none. Never printed
  std::string token_source;     ///< "HF_TOKEN" or the path of the file, for messages
  std::filesystem::path cache;  ///< HF_HUB_CACHE, or $HF_HOME/hub, or ~/.cache/huggingface/hub
  bool offline = false;         ///< HF_HUB_OFFLINE
  bool symlinks = true;         ///< false with HF_HUB_DISABLE_SYMLINKS
  int stall_seconds = 30;       ///< HF_HUB_DOWNLOAD_TIMEOUT: give up on a silent connection
  int connect_seconds = 15;     ///< give up on a connection that does not open

  /// \throws Error{kUsage} if the endpoint is no http(s) address or the token no single word.
  static HubSettings from_environment();
};

enum class PullPhase : std::uint8_t {
  kListing,      ///< asking what the repository holds
  kDownloading,  ///< bytes arrive
  kChecking,     ///< reading what an earlier run left
  kLocked,       ///< another process downloads the same file
  kRetrying,     ///< pausing before another attempt
};

struct PullProgress {
  PullPhase phase = PullPhase::kListing;
  std::string file;             ///< name in the repository; empty while listing
  std::size_t file_number = 0;  ///< from 1
  std::size_t file_count = 0;
  std::int64_t done_bytes = 0;      ///< of all files, those that were there included
  std::int64_t total_bytes = 0;     ///< of all files
  std::int64_t received_bytes = 0;  ///< over the network in this call
};
/// Called a few times a second, on the caller's thread. May throw to stop; what has arrived stays.
using PullProgressSink = std::function<void(const PullProgress&)>;

struct PullOptions {
  std::string repo;                  ///< "ORG/NAME"
  std::string file;                  ///< one file, or a tag such as "Q4_K_M"; empty = the model
  std::string revision = "main";     ///< branch, tag or commit
  std::vector<std::string> include;  ///< globs that replace the built-in choice; '*' crosses '/'
  std::filesystem::path out;         ///< plain files go here; empty = the shared cache
  int retries = 5;                   ///< attempts after the first that bring nothing new
  PullProgressSink progress;
};

struct PulledFile {
  std::string name;  ///< in the repository
  std::int64_t bytes = 0;
  std::int64_t received_bytes = 0;  ///< 0 = it was there
  std::string checksum;             ///< "sha256", "git-sha1", or "" if the hub named none
};

struct LeftOutFile {
  std::string name;
  std::int64_t bytes = 0;
};

struct PullResult {
  std::filesystem::path path;  ///< the snapshot folder, or the file if one was asked for
  std::string commit;          ///< 40 hexadecimal digits
  std::vector<PulledFile> files;
  std::vector<LeftOutFile> left_out;  ///< in the repository, not chosen
  std::vector<std::string>
      mmproj_beside;  ///< GGUF media parts beside the GGUF file that was pulled
};

/// Downloads a model. Files are checked against the hub's checksum and appear under their name only
/// when complete; interrupted ones go on from where they were. Blocks until done.
/// \throws Error{kUsage} for names that cannot be, or if this build has no HTTP library;
///         Error{kInput} if the repository, revision or file is not there or not allowed, or the
///         hub contradicts itself; Error{kResource} for network and disk.
PullResult pull_model(const HubSettings& settings, const PullOptions& options);

/// "ORG/NAME[:FILE]" in its parts, nothing if it is no such name.
struct HubName {
  std::string repo;
  std::string file;
};
[[nodiscard]] std::optional<HubName> parse_hub_name(std::string_view text);

/// Where an earlier download of `name` lies: the snapshot of `revision`, the file in it if one is
/// named, or the only GGUF file of a snapshot without config.json. Never touches the network.
[[nodiscard]] std::optional<std::filesystem::path> find_in_hub_cache(
    const HubSettings& settings, const HubName& name, std::string_view revision = "main");

/// Name and version of the HTTP library, empty if this build has none.
[[nodiscard]] std::string hub_http_library();

}  // namespace nolens
