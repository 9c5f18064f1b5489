// Elements may lie at any alignment: every one is copied out.
#include "formats/gguf/gguf_value.h"

#include <bit>
#include <cstring>
#include <limits>

namespace nolens {
namespace {

static_assert(std::endian::native == std::endian::little, "GGUF values are read as they lie");

constexpr std::size_t kLengthBytes = 8;

template <typename T>
T load(const std::byte* data, std::int64_t index) {
  T value;
  std::memcpy(&value, data + index * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

std::string_view load_text(const std::byte* data) {
  const auto length = load<std::uint64_t>(data, 0);
  return {reinterpret_cast<const char*>(data) + kLengthBytes, static_cast<std::size_t>(length)};
}

}  // namespace

std::string_view gguf_type_name(GgufType type) noexcept {
  switch (type) {
    case GgufType::kU8: return "u8";
    case GgufType::kI8: return "i8";
    case GgufType::kU16: return "u16";
    case GgufType::kI16: return "i16";
    case GgufType::kU32: return "u32";
    case GgufType::kI32: return "i32";
    case GgufType::kF32: return "f32";
    case GgufType::kBool: return "bool";
    case GgufType::kString: return "string";
    case GgufType::kArray: return "array";
    case GgufType::kU64: return "u64";
    case GgufType::kI64: return "i64";
    case GgufType::kF64: return "f64";
  }
  return "unknown";
}

std::size_t gguf_scalar_bytes(GgufType type) noexcept {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool: return 1;
    case GgufType::kU16:
    case GgufType::kI16: return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32: return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64: return 8;
    case GgufType::kString:
    case GgufType::kArray: break;
  }
  return 0;
}

std::string GgufValue::describe() const {
  const std::string name(gguf_type_name(type_));
  return is_array_ ? "array of " + std::to_string(count_) + " " + name : name;
}

std::string_view GgufValue::stored() const noexcept {
  std::size_t bytes = gguf_scalar_bytes(type_) * static_cast<std::size_t>(count_);
  for (std::int64_t i = 0; type_ == GgufType::kString && i < count_; ++i) {
    bytes += kLengthBytes + load_text(data_ + bytes).size();
  }
  return {reinterpret_cast<const char*>(data_), bytes};
}

std::optional<std::int64_t> GgufValue::integer_at(std::int64_t index) const {
  switch (type_) {
    case GgufType::kU8: return load<std::uint8_t>(data_, index);
    case GgufType::kI8: return load<std::int8_t>(data_, index);
    case GgufType::kU16: return load<std::uint16_t>(data_, index);
    case GgufType::kI16: return load<std::int16_t>(data_, index);
    case GgufType::kU32: return load<std::uint32_t>(data_, index);
    case GgufType::kI32: return load<std::int32_t>(data_, index);
    case GgufType::kI64: return load<std::int64_t>(data_, index);
    case GgufType::kU64: {
      const auto value = load<std::uint64_t>(data_, index);
      if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return static_cast<std::int64_t>(value);
      }
      return std::nullopt;
    }
    default: return std::nullopt;
  }
}

std::optional<double> GgufValue::real_at(std::int64_t index) const {
  switch (type_) {
    case GgufType::kF32: return static_cast<double>(load<float>(data_, index));
    case GgufType::kF64: return load<double>(data_, index);
    default: break;
  }
  const auto value = integer_at(index);
  return value ? std::optional(static_cast<double>(*value)) : std::nullopt;
}

std::optional<std::int64_t> GgufValue::integer() const {
  return is_array_ ? std::nullopt : integer_at(0);
}

std::optional<double> GgufValue::real() const {
  return is_array_ ? std::nullopt : real_at(0);
}

std::optional<bool> GgufValue::boolean() const {
  if (is_array_ || type_ != GgufType::kBool) {
    return std::nullopt;
  }
  return load<std::uint8_t>(data_, 0) != 0;
}

std::optional<std::string_view> GgufValue::text() const {
  if (is_array_ || type_ != GgufType::kString) {
    return std::nullopt;
  }
  return load_text(data_);
}

std::optional<std::vector<std::int64_t>> GgufValue::integers() const {
  if (!is_array_) {
    return std::nullopt;
  }
  std::vector<std::int64_t> values;
  values.reserve(static_cast<std::size_t>(count_));
  for (std::int64_t i = 0; i < count_; ++i) {
    const auto value = type_ == GgufType::kBool
                           ? std::optional<std::int64_t>(load<std::uint8_t>(data_, i))
                           : integer_at(i);
    if (!value) {
      return std::nullopt;
    }
    values.push_back(*value);
  }
  return values;
}

std::optional<std::vector<float>> GgufValue::reals() const {
  if (!is_array_) {
    return std::nullopt;
  }
  std::vector<float> values;
  values.reserve(static_cast<std::size_t>(count_));
  for (std::int64_t i = 0; i < count_; ++i) {
    const auto value = real_at(i);
    if (!value) {
      return std::nullopt;
    }
    values.push_back(static_cast<float>(*value));
  }
  return values;
}

std::optional<std::vector<std::string_view>> GgufValue::texts() const {
  if (!is_array_ || type_ != GgufType::kString) {
    return std::nullopt;
  }
  std::vector<std::string_view> values;
  values.reserve(static_cast<std::size_t>(count_));
  const std::byte* position = data_;
  for (std::int64_t i = 0; i < count_; ++i) {
    values.push_back(load_text(position));
    position += kLengthBytes + values.back().size();
  }
  return values;
}

}  // namespace nolens
