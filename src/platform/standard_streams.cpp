#include "platform/standard_streams.h"

#include <fcntl.h>
#include <unistd.h>

namespace nolens {

void open_missing_standard_streams() noexcept {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    // The lowest free number is taken, which is `descriptor`: those below are open by now.
    if (::fcntl(descriptor, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) < 0) {
      return;  // a system without /dev/null: nothing better can be done
    }
  }
}

}  // namespace nolens
