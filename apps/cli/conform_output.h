// The report of `nolens conform` for people and for scripts.
#pragma once

#include <string>

#include "nolens/conform.h"

#include "json_output.h"

namespace nolens::cli {

/// A table with one line a stage and a last line that says how it went.
std::string conform_text(const ConformReport& report, const Model& model, bool exact);

/// docs/conform.md, "Output for scripts".
OutputJson conform_json(const ConformReport& report, const Model& model, bool exact);

/// Which stage differs first and by how much; empty if all are within their tolerances.
std::string conform_verdict(const ConformReport& report);

}  // namespace nolens::cli
