#include "platform/terminate.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <unistd.h>

#include "nolens/error.h"

namespace nolens {
namespace {

const char* memory_message = "";

[[noreturn]] void end() {
  try {
    if (const std::exception_ptr cause = std::current_exception()) {
      std::rethrow_exception(cause);
    }
  } catch (const std::bad_alloc&) {
    // Nothing here may allocate.
    static_cast<void>(!::write(STDERR_FILENO, memory_message, std::strlen(memory_message)));
    ::_exit(exit_code(ErrorCode::kResource));
  } catch (...) {
    std::abort();
  }
  std::abort();
}

}  // namespace

void report_memory_shortage_on_terminate(const char* message) noexcept {
  memory_message = message;
  std::set_terminate(end);
}

}  // namespace nolens
