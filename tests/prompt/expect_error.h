// Expects an Error of one code whose sentence holds a piece of text.
#pragma once

#include <functional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nolens/error.h"

namespace nolens {

inline void expect_error(ErrorCode code, const std::string& piece,
                         const std::function<void()>& action) {
  try {
    action();
    FAIL() << "no error, expected one with: " << piece;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    EXPECT_THAT(error.what(), testing::HasSubstr(piece));
  }
}

}  // namespace nolens
