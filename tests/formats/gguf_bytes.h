// Builds GGUF files byte by byte, valid or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf/gguf_value.h"

namespace nolens::testing {

template <typename T>
std::string raw(T value) {
  std::string bytes(sizeof(T), '\0');
  std::memcpy(bytes.data(), &value, sizeof(T));
  return bytes;
}

/// Length prefix and bytes.
inline std::string raw_text(std::string_view text) {
  return raw<std::uint64_t>(text.size()) + std::string(text);
}

/// Type id and value, as they stand after a key.
inline std::string value_u32(std::uint32_t value) {
  return raw(GgufType::kU32) + raw(value);
}
inline std::string value_i32(std::int32_t value) {
  return raw(GgufType::kI32) + raw(value);
}
inline std::string value_i64(std::int64_t value) {
  return raw(GgufType::kI64) + raw(value);
}
inline std::string value_f32(float value) {
  return raw(GgufType::kF32) + raw(value);
}
inline std::string value_bool(std::uint8_t value) {
  return raw(GgufType::kBool) + raw(value);
}
inline std::string value_text(std::string_view text) {
  return raw(GgufType::kString) + raw_text(text);
}
inline std::string value_array(GgufType element, std::uint64_t count, const std::string& elements) {
  return raw(GgufType::kArray) + raw(element) + raw(count) + elements;
}
inline std::string value_texts(const std::vector<std::string>& texts) {
  std::string elements;
  for (const std::string& text : texts) {
    elements += raw_text(text);
  }
  return value_array(GgufType::kString, texts.size(), elements);
}
template <typename T>
std::string value_numbers(GgufType element, const std::vector<T>& values) {
  std::string elements;
  for (const T value : values) {
    elements += raw(value);
  }
  return value_array(element, values.size(), elements);
}

/// The parts of a file; every one may be wrong. Numbers of keys and tensors follow from the content
/// unless they are set.
struct GgufBytes {
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::optional<std::uint64_t> tensor_count;
  std::optional<std::uint64_t> key_count;
  std::map<std::string, std::string> keys;  ///< value with its type id
  std::string more_keys;                    ///< behind `keys`; not counted
  std::vector<std::string> tensors;
  std::size_t alignment = 32;
  std::string data;

  void add_tensor(std::string_view name, const std::vector<std::uint64_t>& ne, std::uint32_t type,
                  std::uint64_t offset) {
    std::string info = raw_text(name) + raw(static_cast<std::uint32_t>(ne.size()));
    for (const std::uint64_t extent : ne) {
      info += raw(extent);
    }
    tensors.push_back(info + raw(type) + raw(offset));
  }

  [[nodiscard]] std::string head() const {
    std::string bytes = magic + raw(version);
    bytes += raw<std::uint64_t>(tensor_count.value_or(tensors.size()));
    bytes += raw<std::uint64_t>(key_count.value_or(keys.size()));
    for (const auto& [key, value] : keys) {
      bytes += raw_text(key) + value;
    }
    bytes += more_keys;
    for (const std::string& info : tensors) {
      bytes += info;
    }
    return bytes;
  }

  [[nodiscard]] std::string str() const {
    std::string bytes = head();
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    return bytes + data;
  }
};

inline std::span<const std::byte> byte_span(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace nolens::testing
