// How the template writes tool declarations, arguments and results.
#pragma once

#include <cstdint>
#include <string>

#include "prompt/prompt_builder.h"
#include "prompt/template_value.h"

namespace nolens {

/// Keys of maps are bare in calls and results, quoted inside declarations.
enum class KeyStyle : std::uint8_t { kBare, kQuoted };

/// A value: strings between quote tokens, true, false, null, numbers, [a,b], {key:value,…}.
void write_value(const TemplateValue& value, KeyStyle keys, PromptBuilder& out);

/// key:value pairs of a map, sorted, separated by commas, with bare keys.
void write_pairs(const TemplateValue& map, PromptBuilder& out);

/// `declaration:NAME{…}` of one OpenAI tool declaration, with the template's quirks: the
/// description is always written, and a `parameters` or `response` without a type stays unclosed.
/// `where` names the tool in messages. \throws Error{kInput} where the template raises.
void write_declaration(const TemplateValue& tool, const std::string& where, PromptBuilder& out);

}  // namespace nolens
