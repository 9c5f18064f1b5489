#include "serve/api/image_latency.h"

#include <charconv>
#include <future>
#include <iterator>
#include <memory>

#include "serve/api/refusals.h"

namespace nolens::serve {
namespace {

constexpr double kMaxSeconds = 3600.0;

/// As many tokens as a rate needs to mean something.
constexpr std::int64_t kProbeTokens = 64;

/// Tokens a second; reads a prompt of its own if no request has been read yet.
double prefill_rate(Service& service) {
  const double known = service.engine.stats().prefill_rate;
  if (known > 0.0) {
    return known;
  }
  EngineRequest request;
  std::string text;
  const Tokenizer& tokenizer = service.model->tokenizer();
  while (static_cast<std::int64_t>(tokenizer.encode(text).size()) < kProbeTokens) {
    text += " word";
  }
  request.prompt = {PromptText{text}};
  request.generate.max_tokens = 1;
  request.reuse_prefix = false;
  const auto over = std::make_shared<std::promise<void>>();
  EngineCallbacks callbacks;
  callbacks.on_done = [over](EngineResult&&) { over->set_value(); };
  callbacks.on_error = [over](const Error&) { over->set_value(); };
  service.engine.submit(std::move(request), std::move(callbacks));
  over->get_future().wait();
  return service.engine.stats().prefill_rate;
}

std::string whole(double value) { return std::to_string(static_cast<std::int64_t>(value + 0.5)); }

}  // namespace

std::optional<double> parse_seconds(const std::string& text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string unit(end, text.data() + text.size());
  if (error != std::errc() || (!unit.empty() && unit != "s" && unit != "ms")) {
    return std::nullopt;
  }
  value = unit == "ms" ? value / 1000.0 : value;
  return value > 0.0 && value <= kMaxSeconds ? std::optional(value) : std::nullopt;
}

std::optional<double> read_image_latency(RequestFields& fields, const Service& service) {
  const Json* wanted = fields.value("image_latency");
  if (wanted == nullptr) {
    return service.options.image_latency > 0.0 ? std::optional(service.options.image_latency) : std::nullopt;
  }
  const std::optional<double> seconds =
      wanted->is_number() || wanted->is_string()
          ? parse_seconds(wanted->is_string() ? wanted->get<std::string>() : wanted->dump())
          : std::nullopt;
  if (!seconds.has_value()) {
    fields.fail("image_latency", "must be a time above 0 such as 3, \"3s\" or \"800ms\"");
  }
  return seconds;
}

std::optional<ImageBudget> fit_images(std::vector<Message>& messages, double seconds, Service& service) {
  std::vector<ImagePart*> images;
  for (Message& message : messages) {
    for (ContentPart& part : message.content) {
      auto* image = std::get_if<ImagePart>(&part);
      if (image != nullptr && image->max_soft_tokens == 0) {
        images.push_back(image);
      }
    }
  }
  if (images.empty() || !service.model->config().vision.has_value()) {
    return std::nullopt;
  }
  ImageBudget budget;
  budget.seconds = seconds;
  budget.tokens_per_second = prefill_rate(service);
  const double affordable = seconds * budget.tokens_per_second;
  const auto count = static_cast<double>(images.size());
  budget.tokens = *std::begin(kSoftTokenBudgets);
  for (const std::int64_t tokens : kSoftTokenBudgets) {
    if (static_cast<double>(tokens) * count <= affordable) {
      budget.tokens = tokens;
    }
  }
  const bool fits = static_cast<double>(budget.tokens) * count <= affordable;
  budget.reason = whole(budget.tokens_per_second) + " tokens a second read " + whole(affordable) + " tokens in time for " +
                  std::to_string(images.size()) + (images.size() == 1 ? " picture" : " pictures") +
                  (fits ? "" : ": the smallest budget takes longer");
  for (ImagePart* image : images) {
    image->max_soft_tokens = budget.tokens;
  }
  return budget;
}

}  // namespace nolens::serve
