// What all endpoints work with.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "nolens/engine.h"
#include "nolens/media.h"

#include "serve/api/keep_alive.h"
#include "serve/api/metrics.h"
#include "serve/http/journal.h"

namespace nolens::serve {

struct ServiceOptions {
  std::string model_id;          ///< as clients name it
  bool demo = false;             ///< the bundled demonstration model
  ChatFamily family = ChatFamily::kGemma4;
  MediaOptions media{};
  std::size_t max_messages = 1024;
  std::int64_t max_tokens = 0;   ///< longest answer unless a request says; 0 = what the context leaves
  double image_latency = 0.0;    ///< seconds in which a request's pictures are to be read; 0 = no wish
  bool strict_params = false;    ///< unknown parameters are an error
  std::chrono::seconds ping_interval{10};
};

/// Shared by the handlers, which run at the same time.
struct Service {
  ServiceOptions options;
  std::shared_ptr<const Model> model;
  Engine engine;
  Metrics metrics;
  KeepAlive keep_alive;
  std::function<HttpCounts()> http_counts;  ///< of the server in front; may be empty
  std::int64_t created;  ///< seconds since 1970, for lists of models

  Service(std::shared_ptr<const Model> served, const EngineOptions& engine_options, ServiceOptions service_options);
};

/// Where handlers find the service, which is not there while its model is being loaded.
class ServiceSlot {
 public:
  void open(std::shared_ptr<Service> service) {
    const std::lock_guard lock(mutex_);
    service_ = std::move(service);
  }
  [[nodiscard]] std::shared_ptr<Service> get() const {
    const std::lock_guard lock(mutex_);
    return service_;
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<Service> service_;
};

}  // namespace nolens::serve
