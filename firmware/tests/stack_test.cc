#include "core/stack.h"

#include <gtest/gtest.h>

#include <vector>

namespace tinyseg {
namespace {

constexpr size_t kWords = 32;
constexpr size_t kGuard = 8;     // As core/stack.cc.
constexpr size_t kOutside = 12;  // Words on either side that are not the stack's.
constexpr uint32_t kForeign = 0x0DDBA11u;

// What may overwrite the paint: small numbers, neighbours of the paint, values that share all bits
// but one, bytes, or halves with it, and values above and below.
std::vector<uint32_t> OtherValues() {
  std::vector<uint32_t> values = {0,
                                  1,
                                  0xFFFFFFFFu,
                                  kStackPaint - 1,
                                  kStackPaint + 1,
                                  ~kStackPaint,
                                  0xE1D2C35Au,  // The paint's bytes, swapped.
                                  kStackPaint & 0xFFFFu,
                                  kStackPaint & 0xFFFF0000u,
                                  kStackPaint << 1,
                                  kStackPaint >> 1};
  for (int bit = 0; bit < 32; ++bit) values.push_back(kStackPaint ^ uint32_t{1} << bit);
  return values;
}

class StackTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (size_t i = 0; i < kOutside; ++i) {
      EXPECT_EQ(memory_[i], kForeign) << i;
      EXPECT_EQ(memory_[kOutside + kWords + i], kForeign) << i;
    }
  }

  std::vector<uint32_t> Words() const { return {stack_.begin, stack_.end}; }

  std::vector<uint32_t> memory_ = [] {
    std::vector<uint32_t> memory(kOutside + kWords + kOutside, kForeign);
    for (size_t i = 0; i < kWords; ++i) memory[kOutside + i] = 0;
    return memory;
  }();
  uint32_t* words_ = memory_.data() + kOutside;
  StackRegion stack_ = {words_, words_ + kWords};
};

// A word that no program is likely to hold.
TEST_F(StackTest, PaintsWithItsOwnWord) {
  EXPECT_EQ(kStackPaint, 0x5AC3D2E1u);
  PaintStack(stack_, stack_.end);
  EXPECT_EQ(Words(), std::vector<uint32_t>(kWords, 0x5AC3D2E1u));
}

TEST_F(StackTest, TellsItsSizeInBytes) {
  EXPECT_EQ(stack_.size(), 4 * kWords);
  EXPECT_EQ((StackRegion{words_ + 3, words_ + 10}.size()), 28u);
  EXPECT_EQ((StackRegion{words_, words_}.size()), 0u);
}

TEST_F(StackTest, IsUnusedWhenPaintedWhole) {
  PaintStack(stack_, stack_.end);
  EXPECT_EQ(StackUsed(stack_), 0u);
  EXPECT_FALSE(StackOverflowed(stack_));
}

TEST_F(StackTest, IsUnusedEvenIfThePaintGoesOnAboveIt) {
  PaintStack({words_, words_ + kWords}, words_ + kWords);
  EXPECT_EQ(StackUsed({words_, words_ + 20}), 0u);
}

TEST_F(StackTest, IsFullWhenNeverPainted) {
  EXPECT_EQ(StackUsed(stack_), stack_.size());
  EXPECT_TRUE(StackOverflowed(stack_));
}

TEST_F(StackTest, PaintsOnlyWhatIsNotInUse) {
  PaintStack(stack_, stack_.begin + 20);
  for (size_t i = 0; i < kWords; ++i) EXPECT_EQ(words_[i], i < 20 ? kStackPaint : 0u) << i;
  EXPECT_EQ(StackUsed(stack_), 4 * (kWords - 20));
}

TEST_F(StackTest, PaintsNothingWhenAllIsInUse) {
  PaintStack(stack_, stack_.begin);
  EXPECT_EQ(Words(), std::vector<uint32_t>(kWords));
}

TEST_F(StackTest, PaintsNothingWhenMoreThanAllIsInUse) {
  PaintStack(stack_, stack_.begin - 2);
  EXPECT_EQ(Words(), std::vector<uint32_t>(kWords));
}

TEST_F(StackTest, CountsDownToTheDeepestWordEverWritten) {
  PaintStack(stack_, stack_.end);
  words_[20] = 1;
  EXPECT_EQ(StackUsed(stack_), 4 * (kWords - 20));
  words_[12] = 1;
  EXPECT_EQ(StackUsed(stack_), 4 * (kWords - 12));
  words_[25] = 1;  // Less deep.
  EXPECT_EQ(StackUsed(stack_), 4 * (kWords - 12));
}

TEST_F(StackTest, CountsEveryWordWithAnyOtherValue) {
  for (size_t i = 0; i < kWords; ++i) {
    for (const uint32_t value : OtherValues()) {
      PaintStack(stack_, stack_.end);
      words_[i] = value;
      ASSERT_EQ(StackUsed(stack_), 4 * (kWords - i)) << i << " " << value;
    }
  }
}

TEST_F(StackTest, CountsWordsThatLookUnusedAboveTheDeepest) {
  PaintStack(stack_, stack_.end);
  words_[10] = 1;
  words_[11] = kStackPaint;
  EXPECT_EQ(StackUsed(stack_), 4 * (kWords - 10));
}

TEST_F(StackTest, HasOverflowedWhenAnyGuardWordHasAnyOtherValue) {
  for (size_t i = 0; i < kWords; ++i) {
    for (const uint32_t value : OtherValues()) {
      PaintStack(stack_, stack_.end);
      words_[i] = value;
      ASSERT_EQ(StackOverflowed(stack_), i < kGuard) << i << " " << value;
    }
  }
}

TEST_F(StackTest, HasNotOverflowedWhenAllButTheGuardWasWritten) {
  for (const uint32_t value : OtherValues()) {
    PaintStack(stack_, stack_.end);
    for (size_t i = kGuard; i < kWords; ++i) words_[i] = value;
    ASSERT_FALSE(StackOverflowed(stack_)) << value;
    ASSERT_EQ(StackUsed(stack_), 4 * (kWords - kGuard)) << value;
  }
}

TEST_F(StackTest, HasOverflowedWhenTheWholeGuardWasWritten) {
  for (const uint32_t value : OtherValues()) {
    PaintStack(stack_, stack_.end);
    for (size_t i = 0; i < kWords; ++i) words_[i] = value;
    ASSERT_TRUE(StackOverflowed(stack_)) << value;
    ASSERT_EQ(StackUsed(stack_), stack_.size()) << value;
  }
}

}  // namespace
}  // namespace tinyseg
