#include "core/operating_point.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace tinyseg {
namespace {

using Values = std::vector<int>;

class OperatingPointTest : public ::testing::Test {
 protected:
  OperatingPointTest() {
    for (int i = 0; i < 256; ++i) units_[i] = static_cast<uint16_t>(257 * i);
    point_.units = units_;
    point_.threshold = 0;
    point_.regions = 1;
    point_.count = 1;
  }

  // Applies the point to stored values, row by row.
  std::vector<uint8_t> Apply(uint32_t height, uint32_t width, const Values& values) {
    point_.height = height;
    point_.width = width;
    std::vector<uint8_t> output(values.begin(), values.end());
    ApplyPoint(point_, output.data());
    return output;
  }

  // The same for pictures in which # is 1 and - lies below the threshold.
  std::string Draw(uint32_t width, const std::string& picture) {
    Values values;
    for (const char pixel : picture) values.push_back(pixel == '#' ? 1 : -1);
    std::string drawn;
    for (const uint8_t pixel :
         Apply(static_cast<uint32_t>(picture.size()) / width, width, values)) {
      drawn.push_back(pixel ? '#' : '-');
    }
    return drawn;
  }

  uint16_t units_[256];
  OperatingPoint point_ = {};
};

using Mask = std::vector<uint8_t>;

TEST_F(OperatingPointTest, TellsWhatIsAboveTheThreshold) {
  for (const int threshold : {-128, -1, 0, 126, 127}) {
    point_.threshold = static_cast<int8_t>(threshold);
    const Values values = {-128, -127, -2, -1, 0, 1, 126, 127};
    Mask expected;
    for (const int value : values) expected.push_back(value > threshold);
    EXPECT_EQ(Apply(2, 4, values), expected) << threshold;
  }
}

TEST_F(OperatingPointTest, LeavesAnImageBlankWhosePeakIsBelowTheBound) {
  point_.count = 3;
  // Of 127, 5 and 5 the units are 255, 133 and 133 times 257.
  const uint64_t sum = 257 * (255 + 133 + 133);
  const Values values = {5, -128, 127, 5, 5, 4};
  for (const uint64_t bound : {sum - 1, sum}) {
    point_.blank_below = bound;
    EXPECT_EQ(Apply(2, 3, values), (Mask{1, 0, 1, 1, 1, 1})) << bound;
  }
  point_.blank_below = sum + 1;
  EXPECT_EQ(Apply(2, 3, values), Mask(6, 0));
}

TEST_F(OperatingPointTest, TakesAShareOfThePeak) {
  point_.relative = 1 << 15;  // A half.
  // The peak is 128 of 257 units, so that 64 of them, -64, are not above a half.
  EXPECT_EQ(Apply(2, 2, {0, -64, -63, -128}), (Mask{1, 0, 1, 0}));
  // But the threshold holds where it is lower.
  point_.threshold = -100;
  EXPECT_EQ(Apply(2, 2, {0, -64, -99, -100}), (Mask{1, 1, 1, 0}));
  point_.relative = 1 << 16;
  point_.threshold = 127;
  EXPECT_EQ(Apply(1, 3, {3, 3, 2}), (Mask{0, 0, 0}));
}

TEST_F(OperatingPointTest, SumsTheHighestValuesAsSortingDoes) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const uint32_t count = 1 + random() % 40;
    const int low = static_cast<int>(random() % 200) - 128;
    const uint32_t range = 1 + random() % static_cast<uint32_t>(128 - low);
    Values values(count);
    for (int& value : values) value = low + static_cast<int>(random() % range);
    Values sorted = values;
    std::sort(sorted.rbegin(), sorted.rend());
    point_.count = 1 + random() % count;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < point_.count; ++i) sum += units_[sorted[i] + 128];
    point_.threshold = -128;
    point_.blank_below = sum + 1;
    EXPECT_EQ(Apply(1, count, values), Mask(count, 0));
    point_.blank_below = sum;
    Mask expected;
    for (const int value : values) expected.push_back(value > -128);
    EXPECT_EQ(Apply(1, count, values), expected);
  }
}

TEST_F(OperatingPointTest, JoinsPixelsAtCorners) {
  point_.largest_only = true;
  EXPECT_EQ(Draw(5,
                 "#--##"
                 "-#---"
                 "--#-#"
                 "----#"),
            "#----"
            "-#---"
            "--#--"
            "-----");
}

TEST_F(OperatingPointTest, KeepsTheFirstOfEqualParts) {
  point_.largest_only = true;
  EXPECT_EQ(Draw(6,
                 "-----#"
                 "##---#"
                 "------"),
            "-----#"
            "-----#"
            "------");
}

TEST_F(OperatingPointTest, LeavesOutSmallParts) {
  point_.smallest = 2;
  EXPECT_EQ(Draw(5,
                 "#--##"
                 "---#-"
                 "#----"
                 "#---#"),
            "---##"
            "---#-"
            "#----"
            "#----");
  point_.smallest = 4;
  point_.largest_only = true;
  EXPECT_EQ(Draw(4,
                 "###-"
                 "----"),
            "--------");
}

TEST_F(OperatingPointTest, FollowsASpiral) {
  point_.smallest = 33;
  const std::string spiral =
      "#######"
      "------#"
      "#####-#"
      "#---#-#"
      "#-#-#-#"
      "#-###-#"
      "#-----#"
      "#######";
  EXPECT_EQ(Draw(7, spiral), spiral);
}

TEST_F(OperatingPointTest, KeepsRegionsApart) {
  point_.largest_only = true;
  point_.regions = 2;
  // Pixel beside pixel: the first region is 1 0 1 1, the second 1 1 0 1.
  EXPECT_EQ(Apply(1, 4, {9, 9, 0, 9, 9, 0, 9, 9}), (Mask{0, 1, 0, 1, 1, 0, 1, 0}));
  point_.regions_first = true;
  EXPECT_EQ(Apply(1, 4, {9, 0, 9, 9, 9, 9, 0, 9}), (Mask{0, 0, 1, 1, 1, 1, 0, 0}));
}

}  // namespace
}  // namespace tinyseg
