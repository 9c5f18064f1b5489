#include "prompt/tool_syntax.h"

#include <algorithm>
#include <array>

#include "nolens/error.h"

#include "prompt/python_text.h"

namespace nolens {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kInput, where + " " + what);
}

/// Writes the comma between the parts of a list, none before the first.
class Separator {
 public:
  void next(PromptBuilder& out) {
    if (!first_) {
      out.text(",");
    }
    first_ = false;
  }

 private:
  bool first_ = true;
};

/// What `{{ map['key'] }}` prints: nothing for a key that is not there.
std::string printed(const TemplateValue& map, std::string_view key) {
  const TemplateValue* value = map.find(key);
  return value == nullptr ? std::string() : value->printed();
}

bool truthy(const TemplateValue* value) noexcept {
  return value != nullptr && value->truthy();
}

std::string printed_type(const TemplateValue& schema) {
  return upper_ascii(printed(schema, "type"));
}

/// `required:[…]`, each name quoted.
void write_names(const TemplateValue& names, const std::string& where, PromptBuilder& out) {
  if (!names.is_list()) {
    fail(where, "must be an array of property names");
  }
  out.text("required:[");
  Separator separator;
  for (const TemplateValue& name : names.items()) {
    separator.next(out);
    out.quoted(name.printed());
  }
  out.text("]");
}

void write_properties(const TemplateValue& properties, bool skip_schema_keys,
                      const std::string& where, PromptBuilder& out);

/// The type inside `items`: one name or a list of names, upper-cased.
void write_item_type(const TemplateValue& type, const std::string& where, PromptBuilder& out) {
  if (type.is_string()) {
    out.quoted(upper_ascii(type.text()));
    return;
  }
  if (!type.is_list()) {
    fail(where, "must be a string or an array of strings");
  }
  out.text("[");
  Separator separator;
  for (const TemplateValue& name : type.items()) {
    separator.next(out);
    out.quoted(upper_ascii(name.printed()));
  }
  out.text("]");
}

/// `items:{…}` of an array: the known keys in their own way, all others as values.
void write_items(const TemplateValue& items, const std::string& where, PromptBuilder& out) {
  out.text("items:{");
  Separator separator;
  for (const TemplateValue::Entry* entry : items.sorted_entries()) {
    const auto& [key, value] = *entry;
    if (value.is_null()) {
      continue;
    }
    separator.next(out);
    const std::string inner = where + ".items." + key;
    if (key == "properties") {
      out.text("properties:{");
      if (value.is_map()) {
        write_properties(value, false, inner, out);
      }
      out.text("}");
    } else if (key == "required") {
      write_names(value, inner, out);
    } else if (key == "type") {
      out.text("type:");
      write_item_type(value, inner, out);
    } else {
      out.text(key + ":");
      write_value(value, KeyStyle::kQuoted, out);
    }
  }
  out.text("}");
}

/// One property: `{description:…,…,type:…}` after its name.
void write_property(const TemplateValue& schema, const std::string& where, PromptBuilder& out) {
  Separator separator;
  out.text("{");
  if (truthy(schema.find("description"))) {
    separator.next(out);
    out.text("description:");
    out.quoted(printed(schema, "description"));
  }
  const std::string type = printed_type(schema);
  if (type == "STRING" && truthy(schema.find("enum"))) {
    separator.next(out);
    out.text("enum:");
    write_value(*schema.find("enum"), KeyStyle::kQuoted, out);
  } else if (type == "ARRAY") {
    const TemplateValue* items = schema.find("items");
    if (items != nullptr && items->is_map() && items->truthy()) {
      separator.next(out);
      write_items(*items, where, out);
    }
  }
  if (truthy(schema.find("nullable"))) {
    separator.next(out);
    out.text("nullable:true");
  }
  if (type == "OBJECT") {
    const TemplateValue* properties = schema.find("properties");
    const bool has_properties = properties != nullptr && properties->is_map();
    separator.next(out);
    out.text("properties:{");
    // Without properties the template takes the schema's own unknown keys for them.
    write_properties(has_properties ? *properties : schema, !has_properties, where, out);
    out.text("}");
    if (truthy(schema.find("required"))) {
      separator.next(out);
      write_names(*schema.find("required"), where + ".required", out);
    }
  }
  separator.next(out);
  out.text("type:");
  out.quoted(type);
  out.text("}");
}

// Recursion is bounded by the depth limit of TemplateValue::parse.
void write_properties(const TemplateValue& properties, bool skip_schema_keys,
                      const std::string& where, PromptBuilder& out) {
  constexpr std::array<std::string_view, 5> kSchemaKeys = {"description", "type", "properties",
                                                           "required", "nullable"};
  Separator separator;
  for (const TemplateValue::Entry* entry : properties.sorted_entries()) {
    const auto& [key, schema] = *entry;
    if (skip_schema_keys &&
        std::find(kSchemaKeys.begin(), kSchemaKeys.end(), key) != kSchemaKeys.end()) {
      continue;
    }
    separator.next(out);
    out.text(key + ":");
    write_property(schema, where + "." + key, out);
  }
}

void write_parameters(const TemplateValue& parameters, const std::string& where,
                      PromptBuilder& out) {
  out.text(",parameters:{");
  const TemplateValue* properties = parameters.find("properties");
  if (truthy(properties)) {
    if (!properties->is_map()) {
      fail(where + ".properties", "must be an object");
    }
    out.text("properties:{");
    write_properties(*properties, false, where + ".properties", out);
    out.text("},");
  }
  if (truthy(parameters.find("required"))) {
    write_names(*parameters.find("required"), where + ".required", out);
    out.text(",");
  }
  if (truthy(parameters.find("type"))) {
    out.text("type:");
    out.quoted(printed_type(parameters));
    out.text("}");
  }
}

void write_response(const TemplateValue& response, PromptBuilder& out) {
  out.text(",response:{");
  if (truthy(response.find("description"))) {
    out.text("description:");
    out.quoted(printed(response, "description"));
    out.text(",");
  }
  if (printed_type(response) == "OBJECT") {
    out.text("type:");
    out.quoted("OBJECT");
    out.text("}");
  }
}

}  // namespace

void write_value(const TemplateValue& value, KeyStyle keys, PromptBuilder& out) {
  Separator separator;
  switch (value.kind()) {
    case TemplateValue::Kind::kNull: out.text("null"); break;
    case TemplateValue::Kind::kBoolean: out.text(value.truthy() ? "true" : "false"); break;
    case TemplateValue::Kind::kNumber: out.text(value.text()); break;
    case TemplateValue::Kind::kString: out.quoted(value.text()); break;
    case TemplateValue::Kind::kList:
      out.text("[");
      for (const TemplateValue& item : value.items()) {
        separator.next(out);
        write_value(item, keys, out);
      }
      out.text("]");
      break;
    case TemplateValue::Kind::kMap:
      out.text("{");
      for (const TemplateValue::Entry* entry : value.sorted_entries()) {
        separator.next(out);
        if (keys == KeyStyle::kQuoted) {
          out.quoted(entry->first);
        } else {
          out.text(entry->first);
        }
        out.text(":");
        write_value(entry->second, keys, out);
      }
      out.text("}");
      break;
  }
}

void write_pairs(const TemplateValue& map, PromptBuilder& out) {
  Separator separator;
  for (const TemplateValue::Entry* entry : map.sorted_entries()) {
    separator.next(out);
    out.text(entry->first + ":");
    write_value(entry->second, KeyStyle::kBare, out);
  }
}

void write_declaration(const TemplateValue& tool, const std::string& where, PromptBuilder& out) {
  const TemplateValue* function = tool.find("function");
  if (function == nullptr || !function->is_map()) {
    fail(where, "must be an object with a \"function\" object");
  }
  const TemplateValue* name = function->find("name");
  if (name == nullptr || !name->is_string() || name->text().empty()) {
    fail(where + ".function.name", "must be a non-empty string");
  }
  out.text("declaration:" + name->text() + "{description:");
  out.quoted(printed(*function, "description"));
  const TemplateValue* parameters = function->find("parameters");
  if (truthy(parameters)) {
    if (!parameters->is_map()) {
      fail(where + ".function.parameters", "must be an object");
    }
    write_parameters(*parameters, where + ".function.parameters", out);
  }
  if (const TemplateValue* response = function->find("response")) {
    write_response(*response, out);
  }
  out.text("}");
}

}  // namespace nolens
