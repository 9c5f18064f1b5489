// The one exception type of the library, and what its codes mean for a caller.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace nolens {

/// Says whose fault a failure is, which is what a caller acts on. Every program of the project
/// turns the code into an exit code with exit_code().
enum class ErrorCode : std::uint8_t {
  kInternal,     ///< a bug of ours
  kUsage,        ///< the caller asked for something that cannot be asked
  kModel,        ///< a model, tokenizer or checkpoint file is missing, broken or unknown
  kInput,        ///< a picture, sound, message or prompt is broken or does not fit
  kResource,     ///< memory, disk or a configured limit
  kInterrupted,  ///< the user or a callback stopped the work
};

/// Process exit code: 1 internal, 2 usage, 3 model, 4 input, 5 resource, 130 interrupted.
[[nodiscard]] constexpr int exit_code(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kUsage: return 2;
    case ErrorCode::kModel: return 3;
    case ErrorCode::kInput: return 4;
    case ErrorCode::kResource: return 5;
    case ErrorCode::kInterrupted: return 130;
    case ErrorCode::kInternal: break;
  }
  return 1;
}

/// Every failure the library reports but std::bad_alloc, which passes through. One sentence or two name
/// the object (file, tensor, field, argument), what was expected, what was found, and the remedy where
/// there is one. Bytes from files appear in it only after escape_for_message().
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace nolens
