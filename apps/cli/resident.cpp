#include "resident.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace nolens::cli {

void reset_peak_resident() {
  std::ofstream("/proc/self/clear_refs") << "5";  // proc(5): resets VmHWM
}

std::int64_t peak_resident_bytes() {
  constexpr std::string_view kField = "VmHWM:";
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(kField)) {
      return std::strtoll(line.c_str() + kField.size(), nullptr, 10) * 1024;
    }
  }
  return 0;
}

}  // namespace nolens::cli
