#include "hub/hub_client.h"

#include <algorithm>
#include <array>

#include "nolens/error.h"

#include "core/escape.h"
#include "hub/tree.h"

namespace nolens::hub {
namespace {

constexpr int kMaxRedirects = 10;
constexpr int kMaxAttempts = 500;
constexpr int kApiDeadlineSeconds = 120;
constexpr double kFirstPause = 0.5;
constexpr double kLongestPause = 8.0;
constexpr std::int64_t kLongestWish = 300;
constexpr std::size_t kMaxIgnoredBytes = 64U << 10U;

/// Bodies nobody reads are drained up to a limit, so that the connection can be used again.
class Draining : public BodySink {
 public:
  explicit Draining(BodySink* inner) : inner_(inner) {}

  bool begin(const HttpHead& head) override {
    wanted_ = inner_ != nullptr && (head.status < 300 || head.status == 416);
    return wanted_ ? inner_->begin(head) : true;
  }
  bool write(std::span<const std::byte> bytes) override {
    if (wanted_) {
      return inner_->write(bytes);
    }
    ignored_ += bytes.size();
    return ignored_ <= kMaxIgnoredBytes;
  }

 private:
  BodySink* inner_;
  bool wanted_ = false;
  std::size_t ignored_ = 0;
};

class TextSink : public BodySink {
 public:
  explicit TextSink(const Subject& subject) : subject_(subject) {}

  bool begin(const HttpHead&) override { return true; }
  bool write(std::span<const std::byte> bytes) override {
    if (text.size() + bytes.size() > kMaxPageBytes) {
      throw Error(ErrorCode::kInput, "the hub's answer for " + subject_.repo + " is longer than " +
                                         std::to_string(kMaxPageBytes) + " bytes");
    }
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return true;
  }
  std::string text;

 private:
  const Subject& subject_;
};

/// Statuses that waiting may cure.
bool is_busy(int status) {
  static constexpr std::array<int, 6> kBusy = {408, 429, 500, 502, 503, 504};
  return std::find(kBusy.begin(), kBusy.end(), status) != kBusy.end();
}

Url parse_endpoint(const std::string& endpoint) {
  const auto url = parse_url(endpoint);
  if (!url) {
    throw Error(ErrorCode::kUsage, "'" + escape_for_message(endpoint) + "' is no hub address");
  }
  return *url;
}

}  // namespace

bool Retries::next(std::optional<std::int64_t> wished_seconds, bool has_progressed) {
  used_ = has_progressed ? 0 : used_;
  if (used_ >= allowed_ || ++total_ > kMaxAttempts || wished_seconds.value_or(0) > kLongestWish) {
    return false;
  }
  double seconds = kFirstPause;
  for (int i = 0; i < used_; ++i) {
    seconds = std::min(2.0 * seconds, kLongestPause);
  }
  ++used_;
  if (wished_seconds) {
    seconds = static_cast<double>(*wished_seconds);
  } else if (has_progressed) {
    seconds = 0.0;
  }
  pause_(seconds);
  return true;
}

void with_retries(Retries retries, const std::string& what, const std::function<void()>& attempt,
                  const std::function<bool()>& has_progressed) {
  while (true) {
    std::string reason;
    try {
      attempt();
      return;
    } catch (const ServerBusy& busy) {
      reason = busy.what();
      if (retries.next(busy.seconds(), has_progressed && has_progressed())) {
        continue;
      }
    } catch (const TransferFailure& failure) {
      reason = failure.what();
      if (failure.is_worth_retrying() &&
          retries.next(std::nullopt, has_progressed && has_progressed())) {
        continue;
      }
    }
    throw Error(ErrorCode::kResource, what + ": " + reason);
  }
}

HubClient::HubClient(const HubSettings& settings, int retries, std::function<void()> heartbeat,
                     std::function<void(double)> pause)
    : settings_(settings),
      endpoint_(parse_endpoint(settings.endpoint)),
      retries_(retries),
      pause_(std::move(pause)),
      http_({settings.connect_seconds, settings.stall_seconds}, std::move(heartbeat)),
      last_(endpoint_) {}

void HubClient::check_allowed(const Url& url) const {
  // Plain http carries tokens and models in the open: only where the person wrote it, or at home.
  if (url.scheme != "https" && !url.is_loopback() && endpoint_.scheme != "http") {
    throw Error(ErrorCode::kInput, "the hub points to http://" + escape_for_message(url.host) +
                                       ", which is not encrypted; refused");
  }
  // A public server that sends its visitors to services of their own machine is up to something.
  if (url.is_loopback() && !endpoint_.is_loopback()) {
    throw Error(ErrorCode::kInput, "the hub points to " + escape_for_message(url.host) +
                                       ", which is this machine; refused");
  }
}

Url HubClient::address_of(const std::string& address) const {
  if (!address.starts_with('/')) {
    const auto url = parse_url(address);
    if (!url) {
      throw Error(ErrorCode::kInput, "the hub points to '" + escape_for_message(address) +
                                         "', which is no http address");
    }
    return *url;
  }
  const auto url = parse_url(settings_.endpoint + address);
  if (!url) {
    throw Error(ErrorCode::kUsage,
                "'" + escape_for_message(settings_.endpoint + address) + "' is no http address");
  }
  return *url;
}

Url HubClient::file_address(const Subject& subject) const {
  return address_of("/" + subject.repo + "/resolve/" + percent_encode(subject.revision, false) +
                    "/" + percent_encode(subject.file, true));
}

HttpHead HubClient::follow(HttpRequest request, const Url& start, Stop stop, BodySink& sink) {
  Url url = start;
  for (int hop = 0; hop <= kMaxRedirects; ++hop) {
    check_allowed(url);
    request.url = url.text();
    request.bearer = url.same_origin(endpoint_) ? settings_.token : std::string();
    last_ = url;
    HttpHead head = http_.perform(request, sink);
    if (!head.is_redirect()) {
      return head;
    }
    const auto next = resolve_reference(url, head.get("location"));
    if (!next) {
      throw Error(ErrorCode::kInput, escape_for_message(url.host) + " redirects to '" +
                                         escape_for_message(head.get("location")) +
                                         "', which is no http address");
    }
    if (stop == Stop::kAtOtherHost && !next->same_origin(url)) {
      check_allowed(*next);
      return head;
    }
    url = *next;
  }
  throw Error(ErrorCode::kInput, escape_for_message(endpoint_.host) + " redirects more than " +
                                     std::to_string(kMaxRedirects) + " times");
}

void HubClient::check_status(const HttpHead& head, const Subject& subject) {
  if (is_busy(head.status) || (head.status >= 400 && !last_.same_origin(endpoint_))) {
    // Signed storage addresses expire; each attempt begins at the hub and gets a new one.
    const auto wish = retry_after_seconds(head);
    throw ServerBusy(escape_for_message(last_.host) + " answers with status " +
                         std::to_string(head.status) +
                         (wish ? " and asks to wait " + std::to_string(*wish) + " seconds" : ""),
                     wish);
  }
  if (head.status >= 400) {
    throw Error(ErrorCode::kInput, refusal_text(head, subject, settings_));
  }
}

HubClient::Text HubClient::get_text(const std::string& address, const Subject& subject) {
  Text text;
  const auto attempt = [&] {
    TextSink sink(subject);
    Draining draining(&sink);
    HttpRequest request;
    request.deadline_seconds = kApiDeadlineSeconds;
    const Url url = address_of(address);
    const HttpHead head = follow(request, url, Stop::kAtBody, draining);
    check_status(head, subject);
    const auto link = next_link(head.get("link"));
    const auto next = link ? resolve_reference(last_, *link) : std::nullopt;
    text = {std::move(sink.text), next ? next->text() : ""};
  };
  with_retries(new_retries(), "asking " + endpoint_.host + " about " + subject.repo + " failed",
               attempt, {});
  return text;
}

FileHead HubClient::head_file(const Subject& subject) {
  FileHead file;
  const auto attempt = [&] {
    Draining draining(nullptr);
    HttpRequest request;
    request.head = true;
    request.deadline_seconds = kApiDeadlineSeconds;
    const HttpHead head = follow(request, file_address(subject), Stop::kAtOtherHost, draining);
    check_status(head, subject);
    const std::string linked = head.get("x-linked-etag");
    const std::string length = head.get(head.is_redirect() ? "x-linked-size" : "content-length");
    file.commit = head.get("x-repo-commit");
    file.etag = linked.empty() ? head.get("etag") : linked;
    file.bytes = parse_count(head.find("x-linked-size") ? head.get("x-linked-size") : length);
  };
  with_retries(
      new_retries(),
      "asking " + endpoint_.host + " about " + escape_for_message(subject.file) + " failed",
      attempt, {});
  return file;
}

void HubClient::get_file(const Subject& subject, std::int64_t from, const std::string& if_range,
                         BodySink& sink) {
  Draining draining(&sink);
  HttpRequest request;
  request.range_from = from;
  request.if_range = if_range;
  const HttpHead head = follow(request, file_address(subject), Stop::kAtBody, draining);
  if (head.status != 416) {
    check_status(head, subject);
  }
}

}  // namespace nolens::hub
