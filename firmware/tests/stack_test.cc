#include "core/stack.h"

#include <gtest/gtest.h>

#include <vector>

namespace tinyseg {
namespace {

constexpr size_t kWords = 32;
constexpr size_t kGuard = 8;  // As core/stack.cc.

class StackTest : public ::testing::Test {
 protected:
  std::vector<uint32_t> words_ = std::vector<uint32_t>(kWords);
  StackRegion stack_ = {words_.data(), words_.data() + kWords};
};

TEST_F(StackTest, TellsItsSizeInBytes) { EXPECT_EQ(stack_.size(), 4 * kWords); }

TEST_F(StackTest, IsUnusedWhenPaintedWhole) {
  PaintStack(stack_, stack_.end);
  EXPECT_EQ(StackUsed(stack_), 0u);
  EXPECT_FALSE(StackOverflowed(stack_));
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
  EXPECT_EQ(words_, std::vector<uint32_t>(kWords));
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

TEST_F(StackTest, CountsWordsThatLookUnusedAboveTheDeepest) {
  PaintStack(stack_, stack_.end);
  words_[10] = 1;
  words_[11] = kStackPaint;
  EXPECT_EQ(StackUsed(stack_), 4 * (kWords - 10));
}

TEST_F(StackTest, HasOverflowedWhenAnyGuardWordWasWritten) {
  for (size_t i = 0; i < kWords; ++i) {
    PaintStack(stack_, stack_.end);
    words_[i] = 0;
    EXPECT_EQ(StackOverflowed(stack_), i < kGuard) << i;
  }
}

}  // namespace
}  // namespace tinyseg
