#include "prompt/template_value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <nlohmann/json.hpp>

#include "nolens/error.h"

#include "formats/json.h"
#include "prompt/python_text.h"

namespace nolens {
namespace {

/// Builds the tree from nlohmann's event parser, which does not recurse.
class TreeBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return add(TemplateValue::null()); }
  bool boolean(bool value) override { return add(TemplateValue::boolean(value)); }
  bool number_integer(number_integer_t value) override {
    return add(TemplateValue::number(std::to_string(value)));
  }
  bool number_unsigned(number_unsigned_t value) override {
    return add(TemplateValue::number(std::to_string(value)));
  }
  // Integers too long for 64 bits arrive here as well; their text is what Python prints.
  bool number_float(number_float_t value, const string_t& text) override {
    const bool is_float = text.find_first_of(".eE") != std::string::npos;
    return add(TemplateValue::number(is_float ? python_float(value) : text));
  }
  bool string(string_t& text) override { return add(TemplateValue::string(std::move(text))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(TemplateValue::map()); }
  bool start_array(std::size_t) override { return open(TemplateValue::list()); }
  bool key(string_t& text) override {
    keys_.back() = std::move(text);
    return true;
  }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) override {
    return false;
  }

  TemplateValue take() { return std::move(root_); }

 private:
  bool open(TemplateValue container) {
    stack_.push_back(std::move(container));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    TemplateValue value = std::move(stack_.back());
    stack_.pop_back();
    keys_.pop_back();
    return add(std::move(value));
  }
  bool add(TemplateValue value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else if (stack_.back().is_map()) {
      stack_.back().entries().emplace_back(std::move(keys_.back()), std::move(value));
    } else {
      stack_.back().items().push_back(std::move(value));
    }
    return true;
  }

  TemplateValue root_;
  std::vector<TemplateValue> stack_;
  std::vector<std::string> keys_;  // of the open containers; unused for lists
};

/// Python's repr() of a string, except that non-ASCII text is left as it is.
std::string python_repr(const std::string& text) {
  const bool double_quoted =
      text.find('\'') != std::string::npos && text.find('"') == std::string::npos;
  const char quote = double_quoted ? '"' : '\'';
  constexpr char kHex[] = "0123456789abcdef";
  std::string result(1, quote);
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    if (letter == quote || letter == '\\') {
      result += '\\';
      result += letter;
    } else if (letter == '\n') {
      result += "\\n";
    } else if (letter == '\r') {
      result += "\\r";
    } else if (letter == '\t') {
      result += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      result += "\\x";
      result += kHex[byte >> 4U];
      result += kHex[byte & 15U];
    } else {
      result += letter;
    }
  }
  return result + quote;
}

}  // namespace

TemplateValue TemplateValue::parse(std::string_view json, const std::string& name) {
  // The first pass holds the limits and writes the messages; recursion below is bounded by its
  // depth limit.
  static_cast<void>(parse_json(json, name, ErrorCode::kInput));
  TreeBuilder builder;
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &builder)) {
    throw Error(ErrorCode::kInput, name + ": the JSON text holds a number out of range");
  }
  return builder.take();
}

TemplateValue TemplateValue::boolean(bool value) {
  TemplateValue result;
  result.kind_ = Kind::kBoolean;
  result.text_ = value ? "True" : "False";
  return result;
}

TemplateValue TemplateValue::number(std::string text) {
  TemplateValue result;
  result.kind_ = Kind::kNumber;
  result.text_ = std::move(text);
  return result;
}

TemplateValue TemplateValue::string(std::string text) {
  TemplateValue result;
  result.kind_ = Kind::kString;
  result.text_ = std::move(text);
  return result;
}

TemplateValue TemplateValue::list() {
  TemplateValue result;
  result.kind_ = Kind::kList;
  return result;
}

TemplateValue TemplateValue::map() {
  TemplateValue result;
  result.kind_ = Kind::kMap;
  return result;
}

bool TemplateValue::truthy() const noexcept {
  switch (kind_) {
    case Kind::kNull: return false;
    case Kind::kBoolean: return text_ == "True";
    case Kind::kNumber: return text_ != "0" && text_ != "0.0" && text_ != "-0.0";
    case Kind::kString: return !text_.empty();
    case Kind::kList: return !items_.empty();
    case Kind::kMap: return !entries_.empty();
  }
  return false;
}

std::vector<const TemplateValue::Entry*> TemplateValue::sorted_entries() const {
  std::vector<std::pair<std::string, const Entry*>> keyed;
  keyed.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    keyed.emplace_back(lower_for_sorting(entry.first), &entry);
  }
  // UTF-8 bytes sort as the code points Python compares.
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<const Entry*> result;
  result.reserve(keyed.size());
  for (const auto& [key, entry] : keyed) {
    result.push_back(entry);
  }
  return result;
}

const TemplateValue* TemplateValue::find(std::string_view key) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.first == key) {
      return &entry.second;
    }
  }
  return nullptr;
}

std::string TemplateValue::printed() const {
  std::string result;
  const auto nested = [](const TemplateValue& value) {
    return value.is_string() ? python_repr(value.text()) : value.printed();
  };
  switch (kind_) {
    case Kind::kNull: return "None";
    case Kind::kBoolean:
    case Kind::kNumber:
    case Kind::kString: return text_;
    case Kind::kList:
      for (const TemplateValue& item : items_) {
        result += (result.empty() ? "" : ", ") + nested(item);
      }
      return "[" + result + "]";
    case Kind::kMap:
      for (const Entry& entry : entries_) {
        result += (result.empty() ? "" : ", ") + python_repr(entry.first) + ": ";
        result += nested(entry.second);
      }
      return "{" + result + "}";
  }
  return result;
}

std::string python_float(double value) {
  if (!std::isfinite(value)) {
    return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  }
  std::array<char, 64> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                          std::chars_format::scientific);
  static_cast<void>(error);  // 64 characters hold every double
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const std::size_t mark = text.find('e');
  std::string_view mantissa = text.substr(0, mark);
  const std::string sign = mantissa.front() == '-' ? "-" : "";
  mantissa.remove_prefix(sign.size());
  std::string digits(mantissa);
  std::erase(digits, '.');
  int exponent = 0;
  const char* exponent_begin = text.data() + mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_begin, end, exponent);

  // float_repr_style 'short': fixed notation for exponents -4 … 15.
  if (exponent < -4 || exponent >= 16) {
    std::string result = sign + digits.substr(0, 1);
    if (digits.size() > 1) {
      result += "." + digits.substr(1);
    }
    const std::string magnitude = std::to_string(std::abs(exponent));
    return result + (exponent < 0 ? "e-" : "e+") + (magnitude.size() < 2 ? "0" : "") + magnitude;
  }
  if (exponent < 0) {
    return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  }
  const auto integer_digits = static_cast<std::size_t>(exponent) + 1;
  if (digits.size() <= integer_digits) {
    return sign + digits + std::string(integer_digits - digits.size(), '0') + ".0";
  }
  return sign + digits.substr(0, integer_digits) + "." + digits.substr(integer_digits);
}

}  // namespace nolens
