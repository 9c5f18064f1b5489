#include "drawings.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "drawing_questions.h"

namespace nolens::train {
namespace {

std::vector<std::uint8_t> bytes(const Drawing& drawing) {
  return {drawing.image.rgb().begin(), drawing.image.rgb().end()};
}

TEST(Drawings, TheSameNumberGivesTheSamePicture) {
  for (std::uint64_t i = 0; i < 20; ++i) {
    CounterRng a(3, i);
    CounterRng b(3, i);
    EXPECT_EQ(bytes(draw_picture(a, 0.5)), bytes(draw_picture(b, 0.5)));
  }
}

TEST(Drawings, OfficialOnesLookLikeTheOfficialPictures) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    CounterRng rng(11, i);
    const Drawing drawing = draw_picture(rng, 0.0);
    ASSERT_EQ(drawing.image.width(), 64);
    ASSERT_EQ(drawing.image.height(), 64);
    std::map<std::array<std::uint8_t, 3>, int> colours;
    const auto rgb = drawing.image.rgb();
    for (std::size_t p = 0; p < rgb.size(); p += 3) {
      ++colours[{rgb[p], rgb[p + 1], rgb[p + 2]}];
    }
    std::vector<std::pair<int, std::array<std::uint8_t, 3>>> by_count;
    for (const auto& [colour, count] : colours) {
      by_count.emplace_back(count, colour);
    }
    std::sort(by_count.rbegin(), by_count.rend());
    // The ground is the most frequent colour, and pale; shapes fill at most a quarter.
    for (const std::uint8_t channel : by_count[0].second) {
      EXPECT_GE(channel, 230);
    }
    EXPECT_GT(by_count[0].first, 64 * 64 * 3 / 5);
    EXPECT_LT(by_count.size(), 80U);  // ground, fill, blends at the edge
  }
}

TEST(Drawings, TheCentreLiesOnTheShape) {
  for (std::uint64_t i = 0; i < 300; ++i) {
    CounterRng rng(13, i);
    const Drawing drawing = draw_picture(rng, 0.5);
    const auto x =
        static_cast<std::int64_t>(drawing.centre_x * static_cast<float>(drawing.image.width()));
    const auto y =
        static_cast<std::int64_t>(drawing.centre_y * static_cast<float>(drawing.image.height()));
    const auto rgb = drawing.image.rgb();
    const auto inside = static_cast<std::size_t>((y * drawing.image.width() + x) * 3);
    int distance = 0;  // to the corner, which is ground
    for (std::size_t c = 0; c < 3; ++c) {
      distance += std::abs(rgb[inside + c] - rgb[c]);
    }
    EXPECT_GT(distance, 60) << i;
  }
}

TEST(DrawingQuestions, AnswersAreTrueAndEveryKindOccurs) {
  std::set<std::string> answers;
  int yes = 0;
  int no = 0;
  for (std::uint64_t i = 0; i < 300; ++i) {
    CounterRng rng(17, i);
    const Drawing drawing = draw_picture(rng, 0.0);
    const std::string shape(kShapeNames[static_cast<std::size_t>(drawing.shape)]);
    const std::string colour(kColourNames[static_cast<std::size_t>(drawing.colour)]);
    for (const QuestionAnswer& pair : ask_about(drawing, 8, 0.5, rng)) {
      answers.insert(pair.answer);
      std::string question = pair.question;
      std::transform(question.begin(), question.end(), question.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (pair.answer != "yes" && pair.answer != "no") {
        EXPECT_TRUE(pair.answer == shape || pair.answer == colour ||
                    pair.answer == "a " + colour + " " + shape)
            << pair.question << " -> " << pair.answer;
        continue;
      }
      (pair.answer == "yes" ? yes : no)++;
      bool present = false;
      for (const std::string_view name : kShapeNames) {
        present = present || (question.find(name) != std::string::npos && name == shape);
      }
      for (const std::string_view name : kColourNames) {
        present = present || (question.find(name) != std::string::npos && name == colour);
      }
      const bool negated = question.find(" not ") != std::string::npos ||
                           question.find("is no ") != std::string::npos;
      EXPECT_EQ(pair.answer == "yes", present != negated) << pair.question;
    }
  }
  EXPECT_EQ(answers.size(), 2U + 3U + 8U + 24U);
  EXPECT_NEAR(static_cast<double>(yes) / (yes + no), 0.5, 0.08);
}

}  // namespace
}  // namespace nolens::train
