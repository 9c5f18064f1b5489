// A JSON value as the chat template sees it after Python's json.loads: key order kept, integers of
// any length, numbers in the text Jinja prints.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nolens {

class TemplateValue {
 public:
  enum class Kind : std::uint8_t { kNull, kBoolean, kNumber, kString, kList, kMap };
  using Entry = std::pair<std::string, TemplateValue>;

  /// Parses a whole document with the limits of parse_json. `name` stands for it in messages.
  /// \throws Error{kInput}
  static TemplateValue parse(std::string_view json, const std::string& name);

  static TemplateValue null() { return {}; }
  static TemplateValue boolean(bool value);
  /// `text` is what Python prints for the number.
  static TemplateValue number(std::string text);
  static TemplateValue string(std::string text);
  static TemplateValue list();
  static TemplateValue map();

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] bool is_null() const noexcept { return kind_ == Kind::kNull; }
  [[nodiscard]] bool is_string() const noexcept { return kind_ == Kind::kString; }
  [[nodiscard]] bool is_list() const noexcept { return kind_ == Kind::kList; }
  [[nodiscard]] bool is_map() const noexcept { return kind_ == Kind::kMap; }
  /// Python's bool(): null, false, 0, "", [] and {} are false.
  [[nodiscard]] bool truthy() const noexcept;

  /// Text of a string; the printed form of a number or boolean.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::vector<TemplateValue>& items() const noexcept { return items_; }
  [[nodiscard]] std::vector<TemplateValue>& items() noexcept { return items_; }
  /// Entries of a map in the order of the document.
  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }
  [[nodiscard]] std::vector<Entry>& entries() noexcept { return entries_; }
  /// Entries in the order of Jinja's dictsort: by lower-cased key, equal ones as in the document.
  [[nodiscard]] std::vector<const Entry*> sorted_entries() const;

  /// Value of a key, nullptr if this is no map or has no such key.
  [[nodiscard]] const TemplateValue* find(std::string_view key) const noexcept;

  /// What `{{ value }}` prints: Python's str(). Strings as they are, inside containers as repr().
  [[nodiscard]] std::string printed() const;

 private:
  Kind kind_ = Kind::kNull;
  std::string text_;
  std::vector<TemplateValue> items_;
  std::vector<Entry> entries_;
};

/// Python's repr() of a float: shortest digits that read back, "1000.0", "1e+16", "2.5e-07".
std::string python_float(double value);

}  // namespace nolens
