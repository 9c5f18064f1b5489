// The body of a request as what each endpoint takes: only refusals may come out, and each names a status of the
// client's.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "nolens/error.h"
#include "nolens/model.h"

#include "serve/api/body.h"
#include "serve/api/chat_request.h"
#include "serve/api/decision_request.h"
#include "serve/api/refusals.h"
#include "serve/api/responses_request.h"
#include "serve/api/service.h"

namespace {

using nolens::serve::HttpError;

nolens::serve::Service& service() {
  static nolens::serve::Service instance = [] {
    nolens::serve::ServiceOptions options;
    options.model_id = "tiny";
    options.media.image.max_pixels = 100'000;
    options.media.program = "/nonexistent";  // sound and clips would need a process: refused here
    const auto path = std::filesystem::path(NOLENS_SOURCE_DIR) / "tests/golden/models/tiny_stored";
    return nolens::serve::Service(nolens::Model::load(path, {.num_threads = 1}), {}, options);
  }();
  return instance;
}

template <class Read>
void attempt(Read&& read) {
  try {
    read();
  } catch (const nolens::Error& error) {
    if (nolens::serve::refusal(error).message.empty()) {
      std::abort();
    }
  } catch (const HttpError& error) {
    if (error.status < 400 || error.status > 499 || error.message.empty()) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  nolens::serve::HttpRequest request;
  request.headers = {{"content-type", "application/json"}};
  request.body.assign(reinterpret_cast<const char*>(data), size);
  attempt([&] {
    const nolens::Json body = nolens::serve::read_body(request);
    attempt([&] { nolens::serve::read_chat_request(body, service()); });
    attempt([&] { nolens::serve::read_responses_request(body, service()); });
    attempt([&] { nolens::serve::read_decision_request(body, service()); });
  });
  return 0;
}
