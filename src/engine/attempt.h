// Failures as values, where one request must not take others along.
#pragma once

#include <new>
#include <optional>

#include "nolens/error.h"

namespace nolens {

/// What went wrong, if anything did. Memory can end anywhere.
template <class Action>
std::optional<Error> attempt(Action&& action) {
  try {
    action();
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  } catch (const std::bad_alloc&) {
    return Error(ErrorCode::kResource,
                 "memory for the request: none is left; use a shorter context, fewer parallel answers or a "
                 "smaller prefix cache");
  }
}

}  // namespace nolens
