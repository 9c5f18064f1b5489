#include "curves.h"

#include <gtest/gtest.h>

#include "curves_svg.h"
#include "fixture.h"

namespace nolens::train {
namespace {

TEST(CurveFile, ARestartDropsTheRowsThatWillBeWrittenAgain) {
  const TemporaryFolder folder;
  const auto file = folder.path() / "loss.csv";
  {
    CurveFile curve(file, {"loss", "rate"}, 0);
    for (std::int64_t step = 1; step <= 5; ++step) {
      curve.add(step, {static_cast<double>(step) / 2.0, 0.1});
    }
  }
  // A crash in the middle of a line.
  write_text(file, read_text(file) + "6,0.2");
  CurveFile curve(file, {"loss", "rate"}, 3);
  curve.add(4, {9.0, 0.1});
  EXPECT_EQ(read_text(file), "step,loss,rate\n1,0.5,0.1\n2,1,0.1\n3,1.5,0.1\n4,9,0.1\n");
}

TEST(CurveFile, AFreshRunStartsAnEmptyFile) {
  const TemporaryFolder folder;
  write_text(folder.path() / "loss.csv", "step,loss\n1,2\n");
  const CurveFile curve(folder.path() / "loss.csv", {"loss"}, 0);
  EXPECT_EQ(read_text(folder.path() / "loss.csv"), "step,loss\n");
}

TEST(CurvesSvg, DrawsAPanelForEveryColumnThatIsNotZeroThroughout) {
  const TemporaryFolder folder;
  write_text(folder.path() / "a.csv", "step,loss,unused\n1,3,0\n2,2,0\n3,nan,0\n4,1,0\n");
  write_curves_svg(folder.path() / "a.csv", {"loss", "unused", "absent"}, "Title",
                   folder.path() / "a.svg");
  const std::string svg = read_text(folder.path() / "a.svg");
  EXPECT_NE(svg.find("<polyline"), std::string::npos);
  EXPECT_EQ(svg.find("<polyline"), svg.rfind("<polyline"));
  EXPECT_NE(svg.find(">loss<"), std::string::npos);
  EXPECT_EQ(svg.find("unused"), std::string::npos);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(CurvesSvg, AnEmptyFileIsRefused) {
  const TemporaryFolder folder;
  write_text(folder.path() / "a.csv", "");
  EXPECT_THROW(write_curves_svg(folder.path() / "a.csv", {"loss"}, "", folder.path() / "a.svg"),
               Error);
}

}  // namespace
}  // namespace nolens::train
