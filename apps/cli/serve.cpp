// nolens serve
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "nolens/error.h"

#include "commands.h"
#include "interrupt.h"
#include "loading.h"
#include "options.h"
#include "serve/api/endpoints.h"
#include "serve/api/image_latency.h"
#include "serve/http/api_keys.h"
#include "serve/http/http_server.h"
#include "serve/page_routes.h"
#include "terminal.h"

namespace nolens::cli {
namespace {

using serve::ApiKeys;
using serve::HttpOptions;
using serve::HttpServer;
using serve::LogRecord;
using serve::Service;

constexpr std::int64_t kMegabyte = std::int64_t{1} << 20U;

struct ServeOptions {
  ModelOptions model;
  ContextOptions context;
  MediaInputOptions media;
  EngineOptions engine;
  HttpOptions http;
  std::string key_file;
  std::string model_id;
  std::string log_format = "text";
  std::int64_t prefix_cache_mb = 1024;
  std::int64_t body_mb = 64;
  std::int64_t header_seconds = 10;
  std::int64_t drain_seconds = 30;
  std::int64_t images = ImageLimits{}.max_images;
  double audio_seconds = 600.0;
  double video_seconds = 600.0;
  std::int64_t max_tokens = 0;
  std::int64_t ping_seconds = 10;
  std::string image_latency;
  bool strict_params = false;
};

std::string text_line(const LogRecord& record) {
  if (record.status == 0) {
    return (record.is_warning ? "warning: " : "") + record.message + "\n";
  }
  return record.method + " " + record.path + " " + std::to_string(record.status) + " " +
         with_decimals(record.milliseconds, 1) + " ms " + std::to_string(record.bytes) + " bytes " +
         record.peer + " " + record.request_id + (record.message.empty() ? "" : ": " + record.message) + "\n";
}

std::string json_line_of(const LogRecord& record) {
  nlohmann::ordered_json line;
  line["level"] = record.is_warning ? "warning" : "info";
  if (!record.message.empty()) {
    line["message"] = record.message;
  }
  if (record.status != 0) {
    line["request_id"] = record.request_id;
    line["peer"] = record.peer;
    line["method"] = record.method;
    line["path"] = record.path;
    line["status"] = record.status;
    line["bytes"] = record.bytes;
    line["ms"] = record.milliseconds;
    line["key"] = record.key;
  }
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

/// Signals that end or reload the server are taken by wait(), not by handlers.
class Signals {
 public:
  static constexpr int kLoaded = SIGUSR1;  ///< sent by this process itself
  /// Before any thread is started: they inherit what is blocked.
  Signals() {
    sigemptyset(&set_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, kLoaded}) {
      sigaddset(&set_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  }
  [[nodiscard]] int wait() const {
    int signal = 0;
    sigwait(&set_, &signal);
    return signal;
  }

 private:
  sigset_t set_{};
};

constexpr std::size_t kMaxIdBytes = 128;

/// A name that fits into an address: letters, digits, dots, lines.
std::string served_name(const ServeOptions& options, const Model& model) {
  std::string name = options.model_id.empty() ? model.config().name : options.model_id;
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  };
  if (!options.model_id.empty() &&
      (name.size() > kMaxIdBytes || !std::all_of(name.begin(), name.end(), fits))) {
    throw Error(ErrorCode::kUsage, "--model-id may have " + std::to_string(kMaxIdBytes) +
                                       " letters, digits, dots, hyphens and underscores");
  }
  std::replace_if(name.begin(), name.end(), [&](char c) { return !fits(c); }, '-');
  return name.empty() ? "model" : name.substr(0, kMaxIdBytes);
}

std::shared_ptr<Service> load_service(const ServeOptions& options) {
  const LoadedModel loaded = load_model(options.model);
  EngineOptions engine = options.engine;
  engine.session = options.context.session();
  engine.prefix_cache_bytes = options.prefix_cache_mb * kMegabyte;
  serve::ServiceOptions service;
  service.model_id = served_name(options, *loaded.model);
  service.demo = options.model.model.empty();
  service.family = loaded.model->chat_family();
  service.media = options.media.media();
  service.media.image.max_images = options.images;
  service.media.clip.max_audio_seconds = options.audio_seconds;
  service.media.clip.max_video_seconds = options.video_seconds;
  service.max_tokens = options.max_tokens;
  service.strict_params = options.strict_params;
  if (!options.image_latency.empty()) {
    const std::optional<double> seconds = serve::parse_seconds(options.image_latency);
    if (!seconds.has_value()) {
      throw Error(ErrorCode::kUsage, "--image-latency is '" + options.image_latency +
                                         "': expected a time above 0 such as 3s or 800ms");
    }
    service.image_latency = *seconds;
  }
  service.ping_interval = std::chrono::seconds(options.ping_seconds);
  return std::make_shared<Service>(loaded.model, engine, std::move(service));
}

std::string describe(const Service& service, const HttpServer& server) {
  const ModelConfig& config = service.model->config();
  std::string inputs = "text";
  inputs += config.vision.has_value() ? ", pictures, clips" : "";
  inputs += config.audio.has_value() ? ", sound" : "";
  return "serving " + service.options.model_id + " (" + inputs + "; context " +
         std::to_string(service.engine.context_length()) + ", " +
         std::to_string(service.engine.options().parallel) + " answers at once) on " + server.url() + "\n";
}

void reload_keys(ApiKeys& keys) {
  try {
    keys.reload();
    print_error("API keys read again\n");
  } catch (const Error& error) {
    print_error(std::string("warning: the API keys stay as they were: ") + error.what() + "\n");
  }
}

int run_serve(ServeOptions options) {
  const Signals signals;
  const auto keys = options.key_file.empty() ? std::make_shared<ApiKeys>()
                                             : std::make_shared<ApiKeys>(options.key_file);
  options.http.limits.body_bytes = static_cast<std::size_t>(options.body_mb * kMegabyte);
  options.http.limits.header_time = std::chrono::seconds(options.header_seconds);
  options.http.limits.drain_time = std::chrono::seconds(options.drain_seconds);
  options.http.log = [json = options.log_format == "json"](const LogRecord& record) {
    print_error(json ? json_line_of(record) : text_line(record));
  };
  serve::ServiceSlot slot;
  std::vector<serve::Route> routes = serve::api_routes(slot);
  for (serve::Route& route : serve::page_routes()) {
    routes.push_back(std::move(route));
  }
  HttpServer server(options.http, std::move(routes), keys);
  server.start();
  // Beside the loading, so that a signal can end it.
  std::future<std::shared_ptr<Service>> loading = std::async(std::launch::async, [&options] {
    const auto tell = [](void*) { kill(getpid(), Signals::kLoaded); };
    const std::unique_ptr<void, decltype(tell)> at_end(&options, tell);
    return load_service(options);
  });
  std::shared_ptr<Service> service;
  int signal = 0;
  while ((signal = signals.wait()) == SIGHUP || signal == Signals::kLoaded) {
    if (signal == SIGHUP) {
      reload_keys(*keys);
    } else if (service == nullptr) {
      service = loading.get();
      service->http_counts = [&server] { return server.counts(); };
      slot.open(service);
      print(describe(*service, server));
    }
  }
  if (service == nullptr) {
    std::_Exit(128 + signal);
  }
  print_error("stopping: running answers have " + std::to_string(options.drain_seconds) +
              " seconds; a second signal stops at once\n");
  std::thread([signals] {
    const int second = signals.wait();
    std::_Exit(128 + second);
  }).detach();
  server.stop();
  return 0;
}

void add_http_options(CLI::App& command, ServeOptions& options) {
  HttpOptions& http = options.http;
  command.add_option("--host", http.host, "Address to listen on; others than this machine need --api-key-file")
      ->capture_default_str()->type_name("ADDRESS");
  command.add_option("--port", http.port, "Port; 0 = any free one")->capture_default_str()->type_name("N");
  command.add_option("--api-key-file", options.key_file, "Keys that clients must send, one a line; SIGHUP reads it again")
      ->type_name("FILE");
  command.add_flag("--allow-unauthenticated", http.allow_unauthenticated,
                   "Listen beyond this machine without keys");
  command.add_option("--allowed-host", http.allowed_hosts, "Further name under which clients may address the server")
      ->type_name("NAME");
  command.add_option("--cors-origin", http.allowed_origins, "Web origin that may read answers, such as https://example.org")
      ->type_name("ORIGIN");
  command.add_option("--tls-certificate", http.certificate, "PEM file; with --tls-key: serve https")->type_name("FILE");
  command.add_option("--tls-key", http.private_key, "PEM file without a password")->type_name("FILE");
  command.add_flag("--tls-self-signed", http.tls_self_signed,
                   "Serve https with a certificate made now: browsers warn, cameras work");
  command.add_option("--max-connections", http.limits.connections, "Open connections")->capture_default_str()
      ->check(CLI::Range(1, 65535))->type_name("N");
  command.add_option("--max-body-mb", options.body_mb, "Largest request")->capture_default_str()
      ->check(CLI::Range(1, 4096))->type_name("MB");
  command.add_option("--header-seconds", options.header_seconds, "Time a client has to send its head")
      ->capture_default_str()->check(CLI::Range(1, 3600))->type_name("S");
  command.add_option("--drain-seconds", options.drain_seconds, "Time that running answers have after SIGTERM")
      ->capture_default_str()->check(CLI::Range(0, 86400))->type_name("S");
  command.add_option("--log-format", options.log_format, "text, or json: an object a line")
      ->capture_default_str()->check(CLI::IsMember({"text", "json"}))->type_name("FORMAT");
}

void add_service_options(CLI::App& command, ServeOptions& options) {
  command.add_option("--parallel", options.engine.parallel, "Answers written at the same time")
      ->capture_default_str()->check(CLI::Range(1, 1024))->type_name("N");
  command.add_option("--queue", options.engine.queue_length, "Requests that may wait; more get 429")
      ->capture_default_str()->check(CLI::Range(0, 1 << 20))->type_name("N");
  command.add_option("--prefix-cache-mb", options.prefix_cache_mb,
                     "Memory for keys and values of prompts that may come again; 0 = none")
      ->capture_default_str()->check(CLI::Range(0, 1 << 20))->type_name("MB");
  command.add_option("--model-id", options.model_id, "Name under which clients see the model")->type_name("NAME");
  command.add_option("--default-max-tokens", options.max_tokens,
                     "Longest answer of a request that does not say; 0 = what the context leaves")
      ->capture_default_str()->check(CLI::Range(0, 1 << 20))->type_name("N");
  command.add_option("--max-images", options.images, "Pictures in one request")->capture_default_str()
      ->check(CLI::Range(1, 1024))->type_name("N");
  command.add_option("--max-audio-seconds", options.audio_seconds, "Longest sound")->capture_default_str()
      ->check(CLI::Range(1, 86400))->type_name("S");
  command.add_option("--max-video-seconds", options.video_seconds, "Longest clip")->capture_default_str()
      ->check(CLI::Range(1, 86400))->type_name("S");
  command.add_option("--ping-seconds", options.ping_seconds, "Sign of life in streams that have nothing to say")
      ->capture_default_str()->check(CLI::Range(1, 3600))->type_name("S");
  command.add_option("--image-latency", options.image_latency,
                     "Time in which a request's pictures are to be read: chooses their budget, and says so")
      ->type_name("TIME");
  command.add_flag("--strict-params", options.strict_params, "Refuse unknown parameters instead of naming them");
}

}  // namespace

void add_serve(CLI::App& app, Action& action) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command =
      app.add_subcommand("serve", "Serve an OpenAI-compatible API and a web page on this machine");
  add_model_options(*command, options->model);
  add_context_options(*command, options->context);
  add_media_options(*command, options->media);
  add_http_options(*command, *options);
  add_service_options(*command, *options);
  command->callback([options, &action] { action = [options] { return run_serve(*options); }; });
}

}  // namespace nolens::cli
