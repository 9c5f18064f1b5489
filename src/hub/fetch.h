// One file: from what the hub says about it to the finished file in its place.
#pragma once

#include <functional>
#include <string>

#include "nolens/hub.h"

#include "hub/cache_layout.h"
#include "hub/hub_client.h"
#include "hub/partial_file.h"

namespace nolens::hub {

struct RemoteFile {
  Subject subject;
  RepoFile file;
  std::string blob;  ///< name of the blob in the cache: the ETag
  Expected expected;
};

/// Asks the hub about one file of the list. \throws Error{kInput} if the two contradict each other
RemoteFile describe(HubClient& client, const Subject& subject, RepoFile file);

/// As above, from an answer that is already there.
RemoteFile describe(const FileHead& head, const Subject& subject, RepoFile file);

/// Puts the file into its place unless it is there. Goes on from a part an earlier run left; a
/// wrong checksum leads to one more attempt from the beginning. \param state      kept up to date:
/// phase, done_bytes, received_bytes \param heartbeat  called often; may throw, what has arrived
/// stays
PulledFile fetch(HubClient& client, const Storage& storage, const RemoteFile& remote,
                 PullProgress& state, const std::function<void()>& heartbeat);

}  // namespace nolens::hub
