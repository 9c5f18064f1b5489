// HttpClient over libcurl's easy interface.
#include <array>
#include <chrono>
#include <cstdlib>
#include <exception>

#include <curl/curl.h>

#include "nolens/error.h"
#include "nolens/hub.h"

#include "core/escape.h"
#include "hub/http.h"

namespace nolens::hub {
namespace {

// A proxy may not turn a download into something else than http.
constexpr const char* kProtocols = "http,https";
constexpr const char* kUserAgent = "nolens";

struct ListDeleter {
  void operator()(curl_slist* list) const noexcept { curl_slist_free_all(list); }
};
using HeaderLines = std::unique_ptr<curl_slist, ListDeleter>;

void add_line(HeaderLines& lines, const std::string& line) {
  curl_slist* longer = curl_slist_append(lines.get(), line.c_str());
  if (longer == nullptr) {
    throw std::bad_alloc();
  }
  static_cast<void>(lines.release());
  lines.reset(longer);
}

using Clock = std::chrono::steady_clock;

/// What one exchange carries through libcurl's callbacks.
struct Exchange {
  BodySink& sink;
  const std::function<void()>& heartbeat;
  Clock::duration longest_silence;
  HeadParser parser{};
  Clock::time_point last_sign = Clock::now();  ///< when bytes last went either way
  curl_off_t bytes = 0;
  bool is_silent = false;  ///< nothing for too long
  bool has_begun = false;
  bool is_refused = false;    ///< the head was no head
  bool is_satisfied = false;  ///< the sink wants no more
  std::exception_ptr error{};

  /// Runs `step`; exceptions may not cross libcurl's frames.
  template <typename Step>
  bool guarded(const Step& step) noexcept {
    try {
      return step();
    } catch (...) {
      error = std::current_exception();
      return false;
    }
  }
};

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::size_t bytes = size * count;
  const bool goes_on = exchange.guarded([&] {
    if (exchange.has_begun) {
      return true;  // trailers
    }
    switch (exchange.parser.feed(std::string_view(data, bytes))) {
      case HeadParser::State::kMore: return true;
      case HeadParser::State::kRefused: exchange.is_refused = true; return false;
      case HeadParser::State::kComplete: break;
    }
    exchange.has_begun = true;
    exchange.is_satisfied = !exchange.sink.begin(exchange.parser.head());
    return !exchange.is_satisfied;
  });
  return goes_on ? bytes : 0;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::size_t bytes = size * count;
  const bool goes_on = exchange.guarded([&] {
    exchange.is_satisfied = !exchange.sink.write(std::as_bytes(std::span(data, bytes)));
    exchange.last_sign = Clock::now();  // a slow disk is no silent server
    return !exchange.is_satisfied;
  });
  return goes_on ? bytes : 0;
}

/// libcurl's own CURLOPT_LOW_SPEED_TIME takes the mean of several seconds and notices silence late.
int on_progress(void* user, curl_off_t, curl_off_t received, curl_off_t, curl_off_t sent) {
  auto& exchange = *static_cast<Exchange*>(user);
  const bool goes_on = exchange.guarded([&] {
    if (exchange.heartbeat) {
      exchange.heartbeat();
    }
    if (received + sent != exchange.bytes) {
      exchange.bytes = received + sent;
      exchange.last_sign = Clock::now();
    }
    exchange.is_silent = Clock::now() - exchange.last_sign > exchange.longest_silence;
    return !exchange.is_silent;
  });
  return goes_on ? 0 : 1;
}

bool is_worth_retrying(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_PARTIAL_FILE:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_BAD_CONTENT_ENCODING: return true;
    default: return false;
  }
}

std::string remedy(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE
             ? "; install ca-certificates, or name the certificates of your network in "
               "SSL_CERT_FILE"
             : "";
}

}  // namespace

struct HttpClient::Impl {
  HttpTimeouts timeouts;
  std::function<void()> heartbeat;
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy{curl_easy_init(), curl_easy_cleanup};

  template <typename Value>
  void set(CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy.get(), option, value);
    if (code != CURLE_OK) {
      throw Error(ErrorCode::kInternal, std::string("internal error: libcurl refuses an option: ") +
                                            curl_easy_strerror(code));
    }
  }

  void set_common() {
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, kProtocols);
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_CONNECTTIMEOUT, static_cast<long>(timeouts.connect_seconds));
    set(CURLOPT_USERAGENT, kUserAgent);
    set(CURLOPT_HTTP_CONTENT_DECODING, 1L);
    // "Accept-Encoding: identity" below asks for plain bytes; this decodes answers that do not
    // care.
    set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    set(CURLOPT_SSL_VERIFYPEER, 1L);
    set(CURLOPT_SSL_VERIFYHOST, 2L);
    if (const char* bundle = std::getenv("SSL_CERT_FILE"); bundle != nullptr && *bundle != '\0') {
      set(CURLOPT_CAINFO, bundle);
    }
    set(CURLOPT_NOPROGRESS, 0L);
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  }
};

HttpClient::HttpClient(const HttpTimeouts& timeouts, std::function<void()> heartbeat) {
  static const CURLcode initialized = curl_global_init(CURL_GLOBAL_DEFAULT);
  impl_ = std::make_unique<Impl>();
  if (initialized != CURLE_OK || impl_->easy == nullptr) {
    throw Error(ErrorCode::kResource, "libcurl cannot be initialized");
  }
  impl_->timeouts = timeouts;
  impl_->heartbeat = std::move(heartbeat);
}

HttpClient::~HttpClient() = default;

HttpHead HttpClient::perform(const HttpRequest& request, BodySink& sink) {
  const int stall_seconds = impl_->timeouts.stall_seconds;
  Exchange exchange{sink, impl_->heartbeat, std::chrono::seconds(stall_seconds)};
  HeaderLines lines;
  add_line(lines, "Accept-Encoding: identity");
  if (!request.bearer.empty()) {
    add_line(lines, "Authorization: Bearer " + request.bearer);
  }
  if (request.range_from > 0) {
    add_line(lines, "Range: bytes=" + std::to_string(request.range_from) + "-");
    if (!request.if_range.empty()) {
      add_line(lines, "If-Range: " + request.if_range);
    }
  }
  // A reset keeps connections and forgets the last exchange's headers.
  curl_easy_reset(impl_->easy.get());
  impl_->set_common();
  impl_->set(CURLOPT_URL, request.url.c_str());
  impl_->set(CURLOPT_NOBODY, request.head ? 1L : 0L);
  impl_->set(CURLOPT_HTTPHEADER, lines.get());
  impl_->set(CURLOPT_TIMEOUT, static_cast<long>(request.deadline_seconds));
  impl_->set(CURLOPT_HEADERDATA, static_cast<void*>(&exchange));
  impl_->set(CURLOPT_WRITEDATA, static_cast<void*>(&exchange));
  impl_->set(CURLOPT_XFERINFODATA, static_cast<void*>(&exchange));
  std::array<char, CURL_ERROR_SIZE> details{};
  impl_->set(CURLOPT_ERRORBUFFER, details.data());
  const CURLcode code = curl_easy_perform(impl_->easy.get());
  impl_->set(CURLOPT_ERRORBUFFER, static_cast<char*>(nullptr));
  if (exchange.error) {
    std::rethrow_exception(exchange.error);
  }
  if (exchange.is_silent) {
    throw TransferFailure("nothing came for " + std::to_string(stall_seconds) + " seconds", true);
  }
  if (exchange.is_refused) {
    throw TransferFailure("the answer's headers are no HTTP or larger than " +
                              std::to_string(kMaxHeadBytes) + " bytes",
                          false);
  }
  if (code != CURLE_OK && !exchange.is_satisfied) {
    const std::string_view text = details[0] != '\0' ? details.data() : curl_easy_strerror(code);
    throw TransferFailure(escape_for_message(text, 300) + remedy(code), is_worth_retrying(code));
  }
  if (!exchange.has_begun) {
    throw TransferFailure("the answer has no head", true);
  }
  return exchange.parser.head();
}

}  // namespace nolens::hub

namespace nolens {

std::string hub_http_library() {
  return std::string("libcurl ") + curl_version_info(CURLVERSION_NOW)->version;
}

}  // namespace nolens
