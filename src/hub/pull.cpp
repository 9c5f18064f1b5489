// pull_model: asks for the commit and the files, chooses, then fetches one file after the other.
#include <algorithm>
#include <chrono>
#include <thread>

#include "nolens/error.h"
#include "nolens/hub.h"

#include "core/checked_math.h"
#include "core/escape.h"
#include "hub/cache_layout.h"
#include "hub/disk.h"
#include "hub/fetch.h"
#include "hub/hub_client.h"
#include "hub/names.h"
#include "hub/selection.h"
#include "platform/quoted_path.h"

namespace nolens::hub {
namespace {

constexpr int kMaxPages = 100;  // a page of the hub has 1000 entries
constexpr std::chrono::milliseconds kReportEvery{100};

/// Passes the state of the pull on, not more often than a person can read.
class Reporter {
 public:
  explicit Reporter(const PullProgressSink& sink) : sink_(sink) {}

  PullProgress state;

  void report(bool at_once = false) {
    const auto now = std::chrono::steady_clock::now();
    if (sink_ && (at_once || now - last_ >= kReportEvery)) {
      last_ = now;
      sink_(state);
    }
  }

  void pause(double seconds) {
    using Clock = std::chrono::steady_clock;
    const PullPhase phase = std::exchange(state.phase, PullPhase::kRetrying);
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    while (Clock::now() < end) {
      report();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    state.phase = phase;
  }

 private:
  const PullProgressSink& sink_;
  std::chrono::steady_clock::time_point last_{};
};

void check_options(const HubSettings& settings, const PullOptions& options) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::kUsage, what); };
  if (!is_repo_id(options.repo)) {
    refuse("'" + escape_for_message(options.repo) +
           "' is no name of a model; expected ORG/NAME, such as google/gemma-4-12B-it");
  }
  if (!is_revision(options.revision)) {
    refuse("'" + escape_for_message(options.revision) +
           "' is no revision; expected a branch, a tag or a commit");
  }
  if (!options.file.empty() && file_name_problem(options.file)) {
    refuse("'" + escape_for_message(options.file) + "' is no file name: it " +
           *file_name_problem(options.file));
  }
  if (settings.offline) {
    refuse("HF_HUB_OFFLINE is set, so nothing is downloaded; unset it to pull " + options.repo);
  }
}

std::string find_commit(HubClient& client, const PullOptions& options) {
  if (is_commit_hash(options.revision)) {
    return options.revision;
  }
  const Subject subject{options.repo, options.revision, {}};
  return parse_commit(client
                          .get_text("/api/models/" + options.repo + "/revision/" +
                                        percent_encode(options.revision, false),
                                    subject)
                          .body);
}

std::vector<RepoFile> list_files(HubClient& client, const PullOptions& options,
                                 const std::string& commit) {
  const Subject subject{options.repo, options.revision, {}};
  std::string address =
      "/api/models/" + options.repo + "/tree/" + commit + "?recursive=true&expand=false";
  RepoTree tree;
  for (int page = 0; !address.empty(); ++page) {
    const HubClient::Text text = client.get_text(address, subject);
    const bool has_grown = tree.add_page(text.body);
    address = text.next;
    if (!address.empty() && (!has_grown || page == kMaxPages)) {
      throw Error(ErrorCode::kInput, "the hub's file list of " + options.repo + " does not end");
    }
  }
  return tree.finish();
}

std::int64_t present_bytes(const std::filesystem::path& path, std::int64_t limit) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(std::min(size, static_cast<std::uintmax_t>(limit)));
}

/// Refuses before the first byte what cannot fit.
void check_space(const Storage& storage, const std::vector<RemoteFile>& files) {
  std::int64_t needed = 0;
  for (const RemoteFile& file : files) {
    if (!storage.has(file.file, file.blob)) {
      needed += file.file.bytes -
                present_bytes(storage.places(file.file, file.blob).incomplete, file.file.bytes);
    }
  }
  const std::int64_t available = free_bytes(storage.folder());
  if (needed > available) {
    throw Error(ErrorCode::kResource,
                "not enough room in " + quoted_path(storage.folder()) + ": needed are " +
                    shown_size(needed) + ", free are " + shown_size(available) +
                    "; make room, or name another place with HF_HUB_CACHE or --out");
  }
}

std::vector<RemoteFile> ask_about(HubClient& client, const PullOptions& options,
                                  const std::string& commit, std::vector<RepoFile> files) {
  std::vector<RemoteFile> remote;
  for (RepoFile& file : files) {
    const Subject subject{options.repo, commit, file.name};
    remote.push_back(describe(client, subject, std::move(file)));
  }
  return remote;
}

}  // namespace
}  // namespace nolens::hub

namespace nolens {

PullResult pull_model(const HubSettings& settings, const PullOptions& options) {
  using namespace hub;
  check_options(settings, options);
  Reporter reporter(options.progress);
  HubClient client(
      settings, options.retries, [&reporter] { reporter.report(); },
      [&reporter](double seconds) { reporter.pause(seconds); });
  reporter.report(true);

  PullResult result;
  result.commit = find_commit(client, options);
  Selection selection = select_files(list_files(client, options, result.commit), options.file,
                                     options.include, options.repo);
  for (const RepoFile& file : selection.left_out) {
    result.left_out.push_back({file.name, file.bytes});
  }
  result.mmproj_beside = std::move(selection.mmproj_beside);

  std::unique_ptr<Storage> storage;
  if (options.out.empty()) {
    storage = std::make_unique<CacheStorage>(settings.cache, options.repo, options.revision,
                                             result.commit, settings.symlinks);
  } else {
    storage = std::make_unique<FolderStorage>(options.out, result.commit);
  }
  const std::vector<RemoteFile> files =
      ask_about(client, options, result.commit, std::move(selection.chosen));
  PullProgress& state = reporter.state;
  state.file_count = files.size();
  for (const RemoteFile& file : files) {
    state.total_bytes += file.file.bytes;
  }
  check_space(*storage, files);
  for (const RemoteFile& file : files) {
    state.file = file.file.name;
    ++state.file_number;
    result.files.push_back(
        fetch(client, *storage, file, state, [&reporter] { reporter.report(); }));
  }
  storage->finish();
  reporter.report(true);
  result.path = options.file.empty() ? storage->folder()
                                     : storage->places(files[0].file, files[0].blob).visible;
  return result;
}

}  // namespace nolens
