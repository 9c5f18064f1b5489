// Strict JSON over nlohmann's SAX parser, which is iterative. Everything it accepts but we do not
// (byte-order marks, duplicate keys, any depth) is refused here.
#include "formats/json.h"

#include <iterator>
#include <utility>
#include <vector>

#include "core/escape.h"

namespace nolens {
namespace {

constexpr std::size_t kMaxReasonBytes = 200;

/// Reads characters and remembers how far the lexer has come, for positions in messages.
class TrackingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  TrackingIterator(const char* position, const char** furthest)
      : position_(position), furthest_(furthest) {}
  reference operator*() const { return *position_; }
  TrackingIterator& operator++() {
    *furthest_ = ++position_;
    return *this;
  }
  TrackingIterator operator++(int) {
    TrackingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const TrackingIterator& other) const { return position_ == other.position_; }
  bool operator!=(const TrackingIterator& other) const { return position_ != other.position_; }

 private:
  const char* position_;
  const char** furthest_;
};

std::string at(std::string_view text, std::size_t offset) {
  std::size_t line = 1;
  std::size_t line_begin = 0;
  for (std::size_t i = 0; i < offset && i < text.size(); ++i) {
    if (text[i] == '\n' && i + 1 < offset) {
      ++line;
      line_begin = i + 1;
    }
  }
  return ", line " + std::to_string(line) + ", column " +
         std::to_string(offset > line_begin ? offset - line_begin : 1);
}

/// nlohmann's "[json.exception.…] parse error at line 1, column 2: reason" -> "reason".
std::string reason_of(std::string_view what) {
  if (const auto bracket = what.find("] "); bracket != std::string_view::npos) {
    what.remove_prefix(bracket + 2);
  }
  constexpr std::string_view kPrefix = "parse error at line ";
  if (what.substr(0, kPrefix.size()) == kPrefix) {
    if (const auto colon = what.find(": "); colon != std::string_view::npos) {
      what.remove_prefix(colon + 2);
    }
  }
  return escape_for_message(what, kMaxReasonBytes);
}

/// nlohmann's SAX interface -> JsonEvents, with our limits.
class LimitedSax {
 public:
  LimitedSax(const JsonLimits& limits, JsonEvents& events) : limits_(limits), events_(events) {}

  bool null() { return scalar(Json(nullptr)); }
  bool boolean(bool value) { return scalar(Json(value)); }
  bool number_integer(Json::number_integer_t value) { return scalar(Json(value)); }
  bool number_unsigned(Json::number_unsigned_t value) { return scalar(Json(value)); }
  bool number_float(Json::number_float_t value, const std::string&) { return scalar(Json(value)); }
  bool string(std::string& value) { return scalar(Json(std::move(value))); }
  bool binary(Json::binary_t&) { throw JsonRefusal("binary values are not JSON"); }
  bool key(std::string& name) {
    events_.key(std::move(name));
    return true;
  }
  bool start_object(std::size_t) {
    enter();
    events_.begin_object();
    return true;
  }
  bool end_object() {
    --depth_;
    events_.end_object();
    return true;
  }
  bool start_array(std::size_t) {
    enter();
    events_.begin_array();
    return true;
  }
  bool end_array() {
    --depth_;
    events_.end_array();
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) {
    throw JsonRefusal("not valid JSON: " + reason_of(error.what()));
  }

 private:
  bool scalar(Json&& value) {
    count();
    events_.scalar(std::move(value));
    return true;
  }
  void count() {
    if (++values_ > limits_.max_values) {
      throw JsonRefusal("more than " + std::to_string(limits_.max_values) + " JSON values");
    }
  }
  void enter() {
    count();
    if (++depth_ > limits_.max_depth) {
      throw JsonRefusal("JSON nested deeper than " + std::to_string(limits_.max_depth) + " levels");
    }
  }

  const JsonLimits& limits_;
  JsonEvents& events_;
  std::size_t values_ = 0;
  int depth_ = 0;
};

/// Builds the tree. Only the innermost open container grows, so pointers to the outer ones stay.
class TreeBuilder final : public JsonEvents {
 public:
  void scalar(Json&& value) override { insert(std::move(value)); }
  void key(std::string&& name) override {
    auto& object = open_.back()->get_ref<Json::object_t&>();
    const auto [slot, is_new] = object.try_emplace(std::move(name));
    if (!is_new) {
      throw JsonRefusal("duplicate key \"" + escape_for_message(slot->first) + "\"");
    }
    member_ = &slot->second;
  }
  void begin_object() override { open_.push_back(insert(Json::object())); }
  void end_object() override { open_.pop_back(); }
  void begin_array() override { open_.push_back(insert(Json::array())); }
  void end_array() override { open_.pop_back(); }

  Json root;

 private:
  Json* insert(Json&& value) {
    if (open_.empty()) {
      root = std::move(value);
      return &root;
    }
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<Json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    *member_ = std::move(value);
    return member_;
  }

  std::vector<Json*> open_;
  Json* member_ = nullptr;  // where the value of the last key goes
};

}  // namespace

void parse_json_events(std::string_view text, const std::string& name, ErrorCode code,
                       const JsonLimits& limits, JsonEvents& events) {
  if (text.size() > limits.max_bytes) {
    throw Error(code, name + ": " + std::to_string(text.size()) + " bytes of JSON, at most " +
                          std::to_string(limits.max_bytes) + " are accepted");
  }
  if (text.empty()) {
    throw Error(code, name + ": empty, expected a JSON document, line 1, column 1");
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    throw Error(code, name +
                          ": begins with a byte-order mark, which JSON does not allow; save it as "
                          "plain UTF-8, line 1, column 1");
  }
  const char* furthest = text.data();
  const TrackingIterator begin(text.data(), &furthest);
  const TrackingIterator end(text.data() + text.size(), &furthest);
  LimitedSax sax(limits, events);
  try {
    Json::sax_parse(begin, end, &sax, Json::input_format_t::json, /*strict=*/true,
                    /*ignore_comments=*/false);
  } catch (const JsonRefusal& refusal) {
    throw Error(code, name + ": " + refusal.what() +
                          at(text, static_cast<std::size_t>(furthest - text.data())));
  } catch (const Json::exception& error) {
    throw Error(code, name + ": not valid JSON: " + reason_of(error.what()) +
                          at(text, static_cast<std::size_t>(furthest - text.data())));
  }
}

Json parse_json(std::string_view text, const std::string& name, ErrorCode code,
                const JsonLimits& limits) {
  TreeBuilder builder;
  parse_json_events(text, name, code, limits, builder);
  return std::move(builder.root);
}

bool has_text(const Json& json, const char* key, std::string_view text) noexcept {
  const auto found = json.is_object() ? json.find(key) : json.end();
  const auto* const value =
      found == json.end() ? nullptr : found->get_ptr<const Json::string_t*>();
  return value != nullptr && *value == text;
}

}  // namespace nolens
