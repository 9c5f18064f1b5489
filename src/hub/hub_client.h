// Exchanges with a hub: which addresses may be asked, who gets the token, redirects, retries, and
// what the hub's refusals mean.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "nolens/hub.h"

#include "hub/http.h"
#include "hub/url.h"

namespace nolens::hub {

/// Counts attempts and pauses between them.
class Retries {
 public:
  /// \param pause  waits for a number of seconds, or throws
  Retries(int allowed, std::function<void(double)> pause)
      : allowed_(allowed), pause_(std::move(pause)) {}

  /// Waits before the next attempt: at once after progress, then 0.5 s doubling to 8 s, or what the
  /// server asked for. \return false if there is no attempt left
  bool next(std::optional<std::int64_t> wished_seconds, bool has_progressed);

 private:
  int allowed_;
  int used_ = 0;
  int total_ = 0;
  std::function<void(double)> pause_;
};

/// What is being asked for, for messages.
struct Subject {
  std::string repo;
  std::string revision;
  std::string file;  ///< "" = the repository
};

struct FileHead {
  std::string commit;
  std::string etag;  ///< of the content: X-Linked-Etag or ETag, not normalized
  std::optional<std::int64_t> bytes;
};

class HubClient {
 public:
  /// \param heartbeat  as for HttpClient
  /// \param pause      waits for a number of seconds, or throws
  HubClient(const HubSettings& settings, int retries, std::function<void()> heartbeat,
            std::function<void(double)> pause);

  struct Text {
    std::string body;
    std::string next;  ///< address of the next page, "" = none
  };
  /// GET of JSON, at most kMaxPageBytes. \param address  absolute, or a path below the endpoint
  Text get_text(const std::string& address, const Subject& subject);

  /// HEAD of a file: what the hub itself says, not the storage it points to.
  FileHead head_file(const Subject& subject);

  /// One attempt at a file's bytes from `from` on; the sink sees the final answer, which has a
  /// status below 300 or is 416. \throws TransferFailure if another attempt may help, Error if not
  void get_file(const Subject& subject, std::int64_t from, const std::string& if_range,
                BodySink& sink);

  [[nodiscard]] Retries new_retries() const { return Retries(retries_, pause_); }
  /// Host names for messages.
  [[nodiscard]] const std::string& host() const { return endpoint_.host; }

 private:
  enum class Stop : std::uint8_t { kAtBody, kAtOtherHost };
  /// Follows redirects, giving the token to the endpoint's origin only.
  HttpHead follow(HttpRequest request, const Url& start, Stop stop, BodySink& sink);
  [[nodiscard]] Url address_of(const std::string& address) const;
  [[nodiscard]] Url file_address(const Subject& subject) const;
  void check_allowed(const Url& url) const;
  /// \throws Error, or TransferFailure where waiting may help
  void check_status(const HttpHead& head, const Subject& subject);

  HubSettings settings_;
  Url endpoint_;
  int retries_;
  std::function<void(double)> pause_;
  HttpClient http_;
  Url last_;  ///< who gave the last answer
};

/// A failure that carries the server's wish for the next attempt.
class ServerBusy : public TransferFailure {
 public:
  ServerBusy(const std::string& what, std::optional<std::int64_t> seconds)
      : TransferFailure(what, true), seconds_(seconds) {}
  [[nodiscard]] std::optional<std::int64_t> seconds() const { return seconds_; }

 private:
  std::optional<std::int64_t> seconds_;
};

/// Runs `attempt` until it succeeds or `retries` are used up. `has_progressed` may be empty.
/// \throws Error{kResource} naming `what` for the last failure
void with_retries(Retries retries, const std::string& what, const std::function<void()>& attempt,
                  const std::function<bool()>& has_progressed);

/// The sentence for a status that no waiting cures. Exposed for tests.
[[nodiscard]] std::string refusal_text(const HttpHead& head, const Subject& subject,
                                       const HubSettings& settings);

}  // namespace nolens::hub
