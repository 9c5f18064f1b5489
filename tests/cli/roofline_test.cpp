// The diagram as text: where points lie and what must not get into the file.
#include "roofline.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace nolens::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Roofline example() {
  Roofline roofline;
  roofline.title = "model";
  roofline.ceilings = {{"int8", 1e12}, {"fp32", 2.5e11}};
  roofline.bytes_per_second = 5e10;
  roofline.series = {"nolens"};
  return roofline;
}

struct Circle {
  double x;
  double y;
};

/// Centres of the points; the legend's circles, at y 45, are left out.
std::vector<Circle> circles(const std::string& svg) {
  std::vector<Circle> found;
  for (std::size_t at = svg.find("<circle cx=\""); at != std::string::npos;
       at = svg.find("<circle cx=\"", at + 1)) {
    const std::size_t y = svg.find("cy=\"", at) + 4;
    const Circle circle{std::stod(svg.substr(at + 12)), std::stod(svg.substr(y))};
    if (circle.y != 45.0) {
      found.push_back(circle);
    }
  }
  return found;
}

TEST(RooflineSvg, PutsTenTimesTheSpeedADecadeHigherAndTenTimesTheIntensityADecadeFurther) {
  Roofline roofline = example();
  roofline.points = {{"a", 1.0, 1e10, 0}, {"b", 10.0, 1e11, 0}, {"c", 100.0, 1e12, 0}};
  const std::vector<Circle> points = circles(roofline_svg(roofline));
  ASSERT_EQ(points.size(), 3U);
  EXPECT_GT(points[1].x, points[0].x);
  EXPECT_LT(points[1].y, points[0].y);
  EXPECT_NEAR(points[1].x - points[0].x, points[2].x - points[1].x, 0.2);
  EXPECT_NEAR(points[1].y - points[0].y, points[2].y - points[1].y, 0.2);
}

TEST(RooflineSvg, LabelsOfPointsInOnePlaceDoNotLieOnEachOther) {
  Roofline roofline = example();
  roofline.points = {{"first", 20.0, 1e11, 0}, {"second", 20.0, 1e11, 0}, {"third", 20.0, 1e11, 0}};
  const std::string svg = roofline_svg(roofline);
  std::vector<std::string> places;
  for (const char* label : {">first<", ">second<", ">third<"}) {
    const std::size_t end = svg.find(label);
    ASSERT_NE(end, std::string::npos) << label;
    const std::size_t begin = svg.rfind("<text ", end);
    places.push_back(svg.substr(begin, svg.find(" fill", begin) - begin));
  }
  EXPECT_NE(places[0], places[1]);
  EXPECT_NE(places[1], places[2]);
  EXPECT_NE(places[0], places[2]);
}

TEST(RooflineSvg, LeavesOutPointsThatALogarithmCannotPlace) {
  Roofline roofline = example();
  const double infinity = std::numeric_limits<double>::infinity();
  roofline.points = {{"zero", 0.0, 1e11, 0},
                     {"negative", 1.0, -1.0, 0},
                     {"infinite", infinity, 1e11, 0},
                     {"nan", 1.0, std::nan(""), 0},
                     {"good", 1.0, 1e11, 0}};
  const std::string svg = roofline_svg(roofline);
  EXPECT_EQ(circles(svg).size(), 1U);
  EXPECT_THAT(svg, HasSubstr(">good<"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(RooflineSvg, EscapesNamesThatLookLikeMarkup) {
  Roofline roofline = example();
  roofline.title = "<script>\"&\"\x1b</script>";
  const std::string svg = roofline_svg(roofline);
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&quot;&amp;&quot;"));
  EXPECT_THAT(svg, Not(HasSubstr("<script>")));
  EXPECT_THAT(svg, Not(HasSubstr("\x1b")));
}

TEST(RooflineSvg, DrawsWithoutAnyMeasurement) {
  EXPECT_THAT(roofline_svg({}), HasSubstr("</svg>"));
}

}  // namespace
}  // namespace nolens::cli
