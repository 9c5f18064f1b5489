// Numbers for Prometheus.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "nolens/engine.h"

#include "serve/http/journal.h"

namespace nolens::serve {

/// Counts and times since the start. Every function may be called from any thread.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// Time from a request's arrival to its first token.
  void observe_first_token(std::chrono::duration<double> time);
  /// A request that was answered, and how long it took in all.
  void observe_request(const EngineResult& result, std::chrono::duration<double> time);
  /// The exposition format, with what the engine says of itself. Names that llama.cpp's dashboards ask for
  /// are there too, with its prefix.
  /// `http` are the answers of the HTTP server, if there is one.
  [[nodiscard]] std::string text(const EngineStats& stats, const HttpCounts& http);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace nolens::serve
