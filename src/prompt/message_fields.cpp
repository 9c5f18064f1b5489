#include "prompt/message_fields.h"

#include <algorithm>

#include "nolens/error.h"

#include "core/escape.h"

namespace nolens {

const std::string* optional_string(const Json& object, std::string_view key,
                                   const std::string& where) {
  const auto entry = object.find(key);
  if (entry == object.end() || entry->is_null()) {
    return nullptr;
  }
  if (!entry->is_string()) {
    throw Error(ErrorCode::kInput,
                where + "." + std::string(key) + " must be a string, found " + entry->type_name());
  }
  return &entry->get_ref<const std::string&>();
}

const std::string& required_string(const Json& object, std::string_view key,
                                   const std::string& where) {
  const std::string* value = optional_string(object, key, where);
  if (value == nullptr) {
    throw Error(ErrorCode::kInput, where + " needs a string \"" + std::string(key) + "\"");
  }
  return *value;
}

void refuse_unknown_keys(const Json& object, std::initializer_list<std::string_view> known,
                         const std::string& where) {
  for (const auto& entry : object.items()) {
    const std::string& key = entry.key();
    if (key != "type" && key != "cache_control" &&
        std::find(known.begin(), known.end(), key) == known.end()) {
      throw Error(ErrorCode::kInput, where + " has an unknown key \"" +
                                         escape_for_message(key, 40) +
                                         "\", which would have no effect; remove it");
    }
  }
}

}  // namespace nolens
