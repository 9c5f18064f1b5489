// The JSON objects scripts rely on (docs/cli.md, "Contracts").
#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "answer.h"

namespace nolens::cli {

/// Keeps the order in which fields are set.
using OutputJson = nlohmann::ordered_json;

/// One line; bytes that are no UTF-8 become U+FFFD.
std::string json_line(const OutputJson& value);

/// The object of `nolens ask --json`.
OutputJson answer_json(const Answer& answer, const Model& model, const Session& session,
                       double load_ms, const GenerateOptions& options);

}  // namespace nolens::cli
