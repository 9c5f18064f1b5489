// .nolens files as bytes, right or wrong on purpose.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "formats/checksum.h"
#include "formats/nolens_tensors.h"

namespace nolens {

struct NolensPart {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

inline std::string eight_bytes(std::uint64_t value) {
  std::string bytes;
  for (unsigned i = 0; i < 8; ++i) {
    bytes += static_cast<char>(value >> (8 * i) & 0xFFU);
  }
  return bytes;
}

inline std::uint64_t sum_of(const std::string& bytes) {
  Checksum sum;
  sum.update(std::as_bytes(std::span(bytes)));
  return sum.value();
}

/// A file with true checksums, data from byte `data_begin`. \param metadata  keys as they are
inline std::string nolens_bytes(const std::map<std::string, std::string>& metadata,
                                std::vector<NolensPart> parts, std::size_t data_begin = 4096) {
  const auto count = static_cast<std::int64_t>(8 * (parts.size() + 1));
  std::string data;
  std::string sums;
  nlohmann::json header = {{"__metadata__", metadata}};
  const auto add = [&](const NolensPart& part, std::size_t size) {
    header[part.name] = {{"dtype", part.dtype},
                         {"shape", part.shape},
                         {"data_offsets", {data.size(), data.size() + size}}};
  };
  for (const NolensPart& part : parts) {
    add(part, part.bytes.size());
    data += part.bytes;
    sums += eight_bytes(sum_of(part.bytes));
  }
  add({std::string(kNolensChecksums), "U8", {count}, {}}, static_cast<std::size_t>(count));
  std::string json = header.dump();
  json.resize(data_begin - 8, ' ');
  const std::string head = eight_bytes(json.size()) + json;
  return head + data + sums + eight_bytes(sum_of(head + sums));
}

inline std::map<std::string, std::string> nolens_metadata(const std::string& tensors = "{}") {
  return {{"nolens.version", "1"}, {"nolens.layout", "panels16x256"}, {"nolens.tensors", tensors}};
}

}  // namespace nolens
