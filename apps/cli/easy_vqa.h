// The easy-VQA test: questions about drawn shapes with one-word answers.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "nolens/log.h"
#include "nolens/model.h"
#include "nolens/session.h"

namespace nolens::cli {

/// Kinds of questions, told by their answers.
enum class AnswerKind : std::uint8_t { kYesNo, kShape, kColour };
inline constexpr std::size_t kNumAnswerKinds = 3;

struct EasyVqaScore {
  std::array<std::int64_t, kNumAnswerKinds> asked{};
  std::array<std::int64_t, kNumAnswerKinds> right{};
};

struct EasyVqaOptions {
  std::filesystem::path data;  ///< folder with questions.json and images/<id>.png
  std::int64_t limit = 0;      ///< number of questions from the beginning; 0 = all
  bool blank = false;          ///< every picture is one flat colour
  SessionOptions session{};
};

/// Asks greedily; a picture's questions share its prefill. An answer is right if it equals the
/// expected one after white space and a final period are removed and letters are made small.
/// \throws Error{kInput} if the data are broken
EasyVqaScore run_easy_vqa(const std::shared_ptr<const Model>& model, const EasyVqaOptions& options,
                          const ProgressSink& progress);

}  // namespace nolens::cli
