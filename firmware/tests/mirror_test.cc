#include "core/mirror.h"

#include <gtest/gtest.h>

#include <string>

namespace tinyseg {
namespace {

std::string Mirrored(MirroredRows rows, const std::string& tensor) {
  std::string mirrored(tensor.size(), '?');
  for (size_t i = 0; i < tensor.size(); ++i) mirrored[rows(i)] = tensor[i];
  return mirrored;
}

TEST(MirroredRowsTest, ExchangesLeftAndRightOfEachRow) {
  EXPECT_EQ(Mirrored({3, 1}, "abcdef"), "cbafed");
  EXPECT_EQ(Mirrored({1, 1}, "abc"), "abc");
}

TEST(MirroredRowsTest, KeepsTheBytesOfAPlaceTogether) {
  EXPECT_EQ(Mirrored({3, 2}, "aAbBcCdDeEfF"), "cCbBaAfFeEdD");
  EXPECT_EQ(Mirrored({2, 3}, "rgbRGB"), "RGBrgb");
}

TEST(MirroredRowsTest, TwiceIsTheSamePlace) {
  for (const MirroredRows rows : {MirroredRows{5, 1}, MirroredRows{4, 3}}) {
    for (size_t i = 0; i < 3 * rows.width * rows.bytes; ++i) EXPECT_EQ(rows(rows(i)), i);
  }
}

TEST(MeanOfTest, RoundsHalvesUp) {
  for (int one = -128; one < 128; ++one) {
    for (int other = -128; other < 128; ++other) {
      const int sum = one + other + 1;
      const int expected = sum >= 0 ? sum / 2 : -((1 - sum) / 2);
      EXPECT_EQ(static_cast<int8_t>(MeanOf(static_cast<uint8_t>(one), static_cast<uint8_t>(other))),
                expected)
          << one << " " << other;
    }
  }
}

}  // namespace
}  // namespace tinyseg
