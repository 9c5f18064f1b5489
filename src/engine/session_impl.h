// What a Session holds; private to the engine.
#pragma once

#include <utility>

#include "engine/context.h"

namespace nolens {

struct Session::Impl {
  Context context;
  explicit Impl(Context session_context) : context(std::move(session_context)) {}
};

}  // namespace nolens
