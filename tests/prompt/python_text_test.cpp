#include "prompt/python_text.h"

#include <gtest/gtest.h>

namespace nolens {
namespace {

TEST(PythonStrip, DropsUnicodeWhiteSpaceAtBothEndsOnly) {
  EXPECT_EQ(python_strip(" \t\n a b \r\v\f"), "a b");
  EXPECT_EQ(python_strip("\u00A0\u3000\u2028x\u2029\u202F\u205F"), "x");
  EXPECT_EQ(python_strip("\u1680\u2000\u200Ay\u0085"), "y");
  EXPECT_EQ(python_strip(std::string_view("\x1C\x1D\x1E\x1Fz", 5)), "z");
  EXPECT_EQ(python_strip(" \u3000 "), "");
  EXPECT_EQ(python_strip(""), "");
}

TEST(PythonStrip, KeepsWhatPythonDoesNotCallSpace) {
  EXPECT_EQ(python_strip("\u200Bx\uFEFF"), "\u200Bx\uFEFF");
  EXPECT_EQ(python_strip("\u180Ex"), "\u180Ex");
  EXPECT_EQ(python_strip(std::string_view("\0x", 2)), std::string_view("\0x", 2));
}

TEST(PythonStrip, LeavesBytesThatAreNoUtf8) {
  EXPECT_EQ(python_strip(" \xA0x\xA0 "), "\xA0x\xA0");
  EXPECT_EQ(python_strip("\xE3\x80"), "\xE3\x80");
  EXPECT_EQ(python_strip("\x80\x80\x80\x80\x80"), "\x80\x80\x80\x80\x80");
  EXPECT_EQ(python_strip("\xF0\x80\xA0 "), "\xF0\x80\xA0");
}

TEST(LowerForSorting, FoldsLatinGreekCyrillicAndArmenian) {
  EXPECT_EQ(lower_for_sorting("ÀÖØÞĀŸŹ"), "àöøþāÿź");
  EXPECT_EQ(lower_for_sorting("ΆΈΌΏΑΣ"), "άέόώασ");
  EXPECT_EQ(lower_for_sorting("ЀЏАЯѠ"), "ѐџаяѡ");
  EXPECT_EQ(lower_for_sorting("ԱՖ"), "աֆ");
  EXPECT_EQ(lower_for_sorting("ẠỸ"), "ạỹ");
}

TEST(LowerForSorting, LeavesOtherText) {
  EXPECT_EQ(lower_for_sorting("×÷ßſ日本_-09"), "×÷ßſ日本_-09");
  EXPECT_EQ(lower_for_sorting("A\xFF\xC3"), "a\xFF\xC3");
}

TEST(AsciiCase, TouchesAsciiLettersOnly) {
  EXPECT_EQ(upper_ascii("string é1"), "STRING é1");
  EXPECT_EQ(lower_ascii("Image/PNG É"), "image/png É");
}

}  // namespace
}  // namespace nolens
