// How many tokens a picture may have so that it is read in time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nolens/chat.h"

#include "serve/api/request_fields.h"
#include "serve/api/service.h"

namespace nolens::serve {

/// What was chosen for the pictures of a request that name no budget themselves.
struct ImageBudget {
  std::int64_t tokens = 0;      ///< one of kSoftTokenBudgets
  double seconds = 0.0;         ///< asked for
  double tokens_per_second = 0.0;  ///< measured
  std::string reason;
};

/// Seconds from a request's `image_latency` (3, "3s", "800ms"), otherwise the server's; nothing if neither is set.
std::optional<double> read_image_latency(RequestFields& fields, const Service& service);

/// Sets the largest budget with which all pictures of `messages` are read within `seconds` at the rate that the
/// engine has been measured at; the smallest if none is. Nothing if there is no picture to set one for. Blocks for
/// a short prompt if nothing was measured yet.
std::optional<ImageBudget> fit_images(std::vector<Message>& messages, double seconds, Service& service);

/// "3", "3s", "800ms" as seconds. Nothing if it is no such thing, or not above 0.
std::optional<double> parse_seconds(const std::string& text);

}  // namespace nolens::serve
