#include "resident.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace nolens::cli {
namespace {

/// Whether a line of smaps names a mapped file of weights. Fields begin with their name and a
/// colon; lines of mappings end with a path, if they have one.
bool is_weight_file(std::string_view line) {
  return line.ends_with(".nolens") || line.ends_with(".gguf") || line.ends_with(".safetensors");
}

/// Begins a mapping: "7f12a000-7f12b000 r--p …".
bool begins_mapping(std::string_view line) {
  const std::size_t dash = line.find('-');
  return dash != std::string_view::npos && dash < line.find(' ') && dash < line.find(':');
}

}  // namespace

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

std::int64_t resident_bytes_beside_weights() {
  constexpr std::string_view kField = "Rss:";
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  std::int64_t total = 0;
  bool counts = false;
  while (std::getline(maps, line)) {
    if (begins_mapping(line)) {
      counts = !is_weight_file(line);
    } else if (counts && line.starts_with(kField)) {
      total += std::strtoll(line.c_str() + kField.size(), nullptr, 10) * 1024;
    }
  }
  return total;
}

}  // namespace nolens::cli
