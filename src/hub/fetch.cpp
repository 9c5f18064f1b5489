#include "hub/fetch.h"

#include "nolens/error.h"

#include "core/escape.h"
#include "hub/disk.h"
#include "hub/file_lock.h"
#include "hub/names.h"
#include "platform/quoted_path.h"

namespace nolens::hub {
namespace {

constexpr int kMaxChecksumAttempts = 2;

std::string shown(const std::string& name) {
  return "'" + escape_for_message(name) + "'";
}

/// Appends an answer's body to a partial file, whatever the server made of the range.
class FileSink : public BodySink {
 public:
  FileSink(PartialFile& file, const RemoteFile& remote, PullProgress& state, std::string& etag)
      : file_(file), remote_(remote), state_(state), etag_(etag) {}

  bool begin(const HttpHead& head) override {
    const auto range = parse_content_range(head.get("content-range"));
    const std::string encoding = head.get("content-encoding");
    const bool is_plain = encoding.empty() || encoding == "identity";
    const std::int64_t total = range ? range->total.value_or(remote_.expected.bytes) : 0;
    if (head.status == 206 && range && range->first == file_.size() &&
        total == remote_.expected.bytes && is_plain) {
      etag_ = strong_etag(head);
      return true;
    }
    // Everything else starts anew: a range of another place or of another file, of compressed
    // bytes, no range (200), or a refused one (416).
    restart();
    if (head.status != 200) {
      etag_.clear();
      throw TransferFailure("the server's answer does not go on where the file ends", true);
    }
    etag_ = strong_etag(head);
    return true;
  }

  bool write(std::span<const std::byte> bytes) override {
    const std::int64_t room = remote_.expected.bytes - file_.size();
    if (static_cast<std::int64_t>(bytes.size()) > room) {
      throw Error(ErrorCode::kInput, "the server sends more bytes for " + shown(remote_.file.name) +
                                         " than the " + std::to_string(remote_.expected.bytes) +
                                         " of the file");
    }
    file_.append(bytes);
    const auto count = static_cast<std::int64_t>(bytes.size());
    state_.done_bytes += count;
    state_.received_bytes += count;
    return true;
  }

 private:
  void restart() {
    state_.done_bytes -= file_.size();
    if (file_.size() > 0) {
      file_.clear();
    }
  }

  /// If-Range takes strong ETags only (RFC 9110, 13.1.5).
  static std::string strong_etag(const HttpHead& head) {
    std::string etag = head.get("etag");
    return etag.starts_with('"') ? etag : std::string();
  }

  PartialFile& file_;
  const RemoteFile& remote_;
  PullProgress& state_;
  std::string& etag_;
};

/// Brings the partial file to its full length.
void fill(HubClient& client, PartialFile& file, const RemoteFile& remote, PullProgress& state) {
  std::string etag;  // of the storage's answer; of use within this run only
  std::int64_t before = 0;
  const auto attempt = [&] {
    before = file.size();
    FileSink sink(file, remote, state, etag);
    client.get_file(remote.subject, file.size(), etag, sink);
    if (!file.is_complete()) {
      throw TransferFailure("the server ended " + shown(remote.file.name) + " after " +
                                std::to_string(file.size()) + " of " +
                                std::to_string(remote.expected.bytes) + " bytes",
                            true);
    }
  };
  with_retries(client.new_retries(),
               "downloading " + shown(remote.file.name) + " failed, what has arrived is kept",
               attempt, [&] { return file.size() > before; });
}

/// Downloads under the lock.
void download(HubClient& client, const FilePlaces& places, const RemoteFile& remote,
              PullProgress& state, const std::function<void()>& heartbeat) {
  for (int attempt = 1; attempt <= kMaxChecksumAttempts; ++attempt) {
    state.phase = PullPhase::kChecking;
    const std::int64_t before = state.done_bytes;
    PartialFile file(places.incomplete, remote.expected, heartbeat);
    state.done_bytes += file.size();
    state.phase = PullPhase::kDownloading;
    if (!file.is_complete()) {
      fill(client, file, remote, state);
    }
    if (file.is_correct()) {
      make_folders(places.complete.parent_path());
      file.move_to(places.complete);
      return;
    }
    file.remove();
    state.done_bytes = before;
  }
  throw Error(ErrorCode::kInput,
              shown(remote.file.name) + " does not have the " + remote.expected.checksum_name() +
                  " checksum the hub promises, twice; it was removed. A proxy may change "
                  "downloads, or the hub's copy is damaged");
}

/// A file without notes is adopted if it is the right one. \return whether it was
bool adopt(const FilePlaces& places, const RemoteFile& remote, PullProgress& state,
           const std::function<void()>& heartbeat) {
  state.phase = PullPhase::kChecking;
  if (file_matches(places.complete, remote.expected, heartbeat)) {
    return true;
  }
  throw Error(ErrorCode::kUsage,
              quoted_path(places.complete) +
                  " exists and did not come from this hub, or was changed since; "
                  "move it away or name another folder with --out");
}

}  // namespace

RemoteFile describe(const FileHead& head, const Subject& subject, RepoFile file) {
  const auto contradiction = [&](const std::string& what) {
    throw Error(ErrorCode::kInput,
                "the hub contradicts itself about " + shown(subject.file) + ": " + what);
  };
  // A hub that names another commit serves something else than what was listed.
  if (!is_commit_hash(head.commit) || head.commit != subject.revision) {
    contradiction("the header X-Repo-Commit is '" + escape_for_message(head.commit) +
                  "', expected " + subject.revision + "; is HF_ENDPOINT the address of a hub?");
  }
  const auto blob = blob_name_from_etag(head.etag);
  if (!blob) {
    contradiction("its ETag '" + escape_for_message(head.etag) + "' is no usable name");
  }
  if (head.bytes && *head.bytes != file.bytes) {
    contradiction("it has " + std::to_string(*head.bytes) + " bytes, in the list " +
                  std::to_string(file.bytes));
  }
  Expected expected{file.bytes, file.sha256, {}};
  if (is_sha256(*blob)) {
    if (!file.sha256.empty() && file.sha256 != *blob) {
      contradiction("two different SHA-256");
    }
    expected.sha256 = *blob;
  } else if (expected.sha256.empty()) {
    if (is_commit_hash(*blob) && !file.blob_id.empty() && file.blob_id != *blob) {
      contradiction("two different git checksums");
    }
    expected.git_sha1 = is_commit_hash(*blob) ? *blob : file.blob_id;
  }
  return {subject, std::move(file), *blob, expected};
}

RemoteFile describe(HubClient& client, const Subject& subject, RepoFile file) {
  return describe(client.head_file(subject), subject, std::move(file));
}

PulledFile fetch(HubClient& client, const Storage& storage, const RemoteFile& remote,
                 PullProgress& state, const std::function<void()>& heartbeat) {
  const std::int64_t received_before = state.received_bytes;
  const FilePlaces places = storage.places(remote.file, remote.blob);
  const auto is_there = [&] {
    return storage.has(remote.file, remote.blob) ||
           (storage.is_occupied(remote.file) && adopt(places, remote, state, heartbeat));
  };
  bool present = is_there();
  if (!present) {
    make_folders(places.incomplete.parent_path());
    make_folders(places.lock.parent_path());
    state.phase = PullPhase::kLocked;
    const FileLock lock(places.lock, heartbeat);
    present = is_there();  // whoever held the lock may have fetched it
    if (!present) {
      download(client, places, remote, state, heartbeat);
    }
  }
  if (present) {
    state.done_bytes += remote.file.bytes;
  }
  storage.publish(remote.file, remote.blob);
  return {remote.file.name, remote.file.bytes, state.received_bytes - received_before,
          remote.expected.checksum_name()};
}

}  // namespace nolens::hub
