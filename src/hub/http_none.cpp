// Built where there is no libcurl.
#include "nolens/error.h"
#include "nolens/hub.h"

#include "core/check.h"
#include "hub/http.h"

namespace nolens::hub {

struct HttpClient::Impl {};

HttpClient::HttpClient(const HttpTimeouts&, std::function<void()>) {
  throw Error(ErrorCode::kUsage,
              "this nolens was built without libcurl and cannot download; install "
              "libcurl4-openssl-dev and build again, or use huggingface_hub's 'hf download', whose "
              "cache nolens reads");
}

HttpClient::~HttpClient() = default;

HttpHead HttpClient::perform(const HttpRequest&, BodySink&) {
  NOLENS_CHECK(impl_ != nullptr);  // the constructor has thrown
  return {};
}

}  // namespace nolens::hub

namespace nolens {

std::string hub_http_library() {
  return {};
}

}  // namespace nolens
