#include <gtest/gtest.h>

#include "engine/kernels/requantize.h"
#include "tests/engine_reference.h"

namespace tinyseg {
namespace engine {
namespace {

// Values around each power of two, where roundings differ.
std::vector<int32_t> Corners() {
  std::vector<int32_t> values = {0};
  for (int bit = 0; bit < 30; ++bit) {
    for (int32_t around = -2; around <= 2; ++around) {
      values.push_back((1 << bit) + around);
      values.push_back(-(1 << bit) + around);
      values.push_back(3 * (1 << bit) / 2 + around);
      values.push_back(-3 * (1 << bit) / 2 + around);
    }
  }
  return values;
}

TEST(EngineScaleTest, RoundsTwiceAsTensorFlowLite) {
  for (int32_t shift = -31; shift <= 0; ++shift) {
    for (const int32_t multiplier : {1 << 30, (1 << 30) + 1, 1500000001, INT32_MAX, 12345, 0}) {
      const Factor factor = {multiplier, shift};
      const Scale scale(factor);
      for (const int32_t value : Corners()) {
        ASSERT_EQ(scale(value), Requantized(value, factor))
            << value << " * " << multiplier << " >> " << -shift;
      }
    }
  }
}

TEST(EngineScaleTest, ShiftsLeftBeforeItMultiplies) {
  Random random(1);
  for (int32_t shift = 1; shift <= 12; ++shift) {
    for (int i = 0; i < 1000; ++i) {
      const Factor factor = random.FactorOf(shift);
      const int32_t value = random.Between(-(1 << 17), 1 << 17);
      ASSERT_EQ(Scale(factor)(value), Requantized(value, factor)) << value << " shift " << shift;
    }
  }
}

TEST(EngineScaleTest, EqualsTheReferenceForRandomValues) {
  Random random(2);
  for (int i = 0; i < 200000; ++i) {
    const Factor factor = random.FactorOf(random.Between(-26, 0));
    const int32_t value = random.Between(-(1 << 30), 1 << 30) >> random.Between(0, 24);
    ASSERT_EQ(Scale(factor)(value), Requantized(value, factor)) << value;
  }
}

TEST(EngineRoundingTest, DividesTiesAwayFromZero) {
  for (int32_t shift = 0; shift <= 31; ++shift) {
    for (const int32_t value : Corners()) {
      ASSERT_EQ(RoundingShiftRight(value, shift), DivideAwayFromZero(value, int64_t{1} << shift))
          << value << " >> " << shift;
    }
  }
}

TEST(EngineClampTest, NarrowsARow) {
  std::vector<int8_t> row = {-128, -5, 0, 5, 127};
  ClampRow(row.data(), 5, -5, 4);
  EXPECT_EQ(row, (std::vector<int8_t>{-5, -5, 0, 4, 4}));
  EXPECT_EQ(Saturate(-129), -128);
  EXPECT_EQ(Saturate(128), 127);
  EXPECT_EQ(Saturate(7), 7);
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
