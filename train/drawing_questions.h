// Questions with their answers about a drawing.
#pragma once

#include <string>
#include <vector>

#include "counter_rng.h"
#include "drawings.h"

namespace nolens::train {

struct QuestionAnswer {
  std::string question;
  std::string answer;
};

/// `count` questions: shape, colour and yes/no questions in equal parts, in easy-VQA's wordings,
/// and with chance `free_share` each in the trainer's own wordings.
std::vector<QuestionAnswer> ask_about(const Drawing& drawing, std::int64_t count, double free_share,
                                      CounterRng& rng);

/// "a blue rectangle".
std::string caption_of(const Drawing& drawing);

}  // namespace nolens::train
