// One metadata value of a GGUF file, as a view of the file's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nolens {

/// Ids of the format.
enum class GgufType : std::uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

[[nodiscard]] std::string_view gguf_type_name(GgufType type) noexcept;
/// Bytes of a scalar of this type; 0 for strings and arrays.
[[nodiscard]] std::size_t gguf_scalar_bytes(GgufType type) noexcept;

/// A scalar, a string, or an array of either. What it points to was checked when the file was read:
/// every element lies inside the file, and every bool is 0 or 1. Accessors return nothing where the
/// value is of another kind.
class GgufValue {
 public:
  /// \param type   of the elements, never kArray
  /// \param count  1 if `is_array` is false
  /// \param data   the elements; strings with their length prefixes
  GgufValue(GgufType type, bool is_array, std::int64_t count, const std::byte* data)
      : data_(data), count_(count), type_(type), is_array_(is_array) {}

  [[nodiscard]] bool is_array() const noexcept { return is_array_; }
  [[nodiscard]] GgufType element_type() const noexcept { return type_; }
  [[nodiscard]] std::int64_t count() const noexcept { return count_; }
  /// Such as "u32" or "array of 48 i32", for messages.
  [[nodiscard]] std::string describe() const;

  /// The bytes of the elements, as they lie in the file.
  [[nodiscard]] std::string_view stored() const noexcept;

  /// An integer of any width; u64 beyond 2^63 - 1 is none.
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  /// f32, f64 or an integer.
  [[nodiscard]] std::optional<double> real() const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] std::optional<std::string_view> text() const;

  /// An array of integers of any width, or of bools as 0 and 1.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> integers() const;
  [[nodiscard]] std::optional<std::vector<float>> reals() const;
  /// An array of strings; the views lead into the file.
  [[nodiscard]] std::optional<std::vector<std::string_view>> texts() const;

 private:
  [[nodiscard]] std::optional<std::int64_t> integer_at(std::int64_t index) const;
  [[nodiscard]] std::optional<double> real_at(std::int64_t index) const;

  const std::byte* data_;
  std::int64_t count_;
  GgufType type_;
  bool is_array_;
};

}  // namespace nolens
