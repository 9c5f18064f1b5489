// Checks for our own bugs. Wrong files and wrong callers get an Error with a better sentence.
#pragma once

#include <cassert>
#include <string>

#include "nolens/error.h"

namespace nolens {

[[noreturn]] inline void check_failed(const char* condition, const char* file, int line) {
  throw Error(ErrorCode::kInternal, std::string("internal error: '") + condition + "' is false at " +
                                        file + ":" + std::to_string(line) +
                                        "; this is a bug, please report it");
}

}  // namespace nolens

/// Always on; throws Error{kInternal}. Not for hot loops.
#define NOLENS_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::nolens::check_failed(#condition, __FILE__, __LINE__))

/// Debug builds only; for hot loops and noexcept code.
#define NOLENS_DCHECK(condition) assert(condition)
