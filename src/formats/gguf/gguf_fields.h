// Typed access to the metadata of a GGUF file, with ranges and messages that name file and key.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nolens/config.h"

#include "formats/gguf/gguf_file.h"

namespace nolens {

class GgufFields {
 public:
  /// \param prefix  put before every key, such as "gemma4."
  GgufFields(const GgufFile& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  [[nodiscard]] const GgufFile& file() const noexcept { return file_; }
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

  // Each returns nothing if the key is absent. \throws Error{kModel} for another type or a value
  // outside [min, max]; NaN is outside.
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view key, std::int64_t min,
                                                    std::int64_t max) const;
  [[nodiscard]] std::optional<double> real(std::string_view key, double min, double max) const;
  [[nodiscard]] std::optional<bool> boolean(std::string_view key) const;
  [[nodiscard]] std::optional<std::string_view> text(std::string_view key) const;
  /// An array of `count` integers or bools, or one integer for all of them.
  [[nodiscard]] std::optional<std::vector<std::int64_t>> per_layer(std::string_view key,
                                                                   std::int64_t count,
                                                                   std::int64_t min,
                                                                   std::int64_t max) const;
  [[nodiscard]] bool is_array(std::string_view key) const {
    const GgufValue* value = find(key);
    return value != nullptr && value->is_array();
  }
  /// Token ids below `vocab_size`.
  [[nodiscard]] std::vector<TokenId> ids(std::string_view key, std::int64_t vocab_size) const;

  /// "<file>: key '<prefix><key>' <what>"
  [[noreturn]] void fail(std::string_view key, const std::string& what) const;
  [[noreturn]] void fail_missing(std::string_view key) const;

 private:
  [[nodiscard]] const GgufValue* find(std::string_view key) const {
    return file_.find(prefix_ + std::string(key));
  }
  std::int64_t checked(std::string_view key, std::int64_t value, std::int64_t min,
                       std::int64_t max) const;

  const GgufFile& file_;
  std::string prefix_;
};

/// One integer of a table: where it is stored, what it may be, what it is if absent (nothing: it
/// must be there).
template <typename Target>
struct GgufIntegerRule {
  std::string_view key;
  std::int64_t Target::*field;
  std::int64_t min;
  std::int64_t max;
  std::optional<std::int64_t> absent;
};

template <typename Target>
struct GgufRealRule {
  std::string_view key;
  double Target::*field;
  double min;
  double max;
  std::optional<double> absent;
};

/// Reads every key of a table.
template <typename Target>
void read_rules(const GgufFields& fields, std::span<const GgufIntegerRule<Target>> integers,
                std::span<const GgufRealRule<Target>> reals, Target& target) {
  for (const auto& rule : integers) {
    const auto value = fields.integer(rule.key, rule.min, rule.max);
    if (!value && !rule.absent) {
      fields.fail_missing(rule.key);
    }
    target.*rule.field = value ? *value : *rule.absent;
  }
  for (const auto& rule : reals) {
    const auto value = fields.real(rule.key, rule.min, rule.max);
    if (!value && !rule.absent) {
      fields.fail_missing(rule.key);
    }
    target.*rule.field = value ? *value : *rule.absent;
  }
}

}  // namespace nolens
