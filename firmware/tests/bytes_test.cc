#include "core/bytes.h"

#include <gtest/gtest.h>

namespace tinyseg {
namespace {

TEST(ReadLittleEndianTest, ReadsTheLowestByteFirst) {
  const uint8_t bytes[] = {0x78, 0x56, 0x34, 0x92};
  EXPECT_EQ(ReadLittleEndian(bytes, 1), 0x78u);
  EXPECT_EQ(ReadLittleEndian(bytes, 2), 0x5678u);
  EXPECT_EQ(ReadLittleEndian(bytes, 3), 0x345678u);
  EXPECT_EQ(ReadLittleEndian(bytes, 4), 0x92345678u);
}

TEST(ReadLittleEndianTest, ReadsNothingForAWidthOfZero) {
  EXPECT_EQ(ReadLittleEndian(nullptr, 0), 0u);
}

TEST(ReadLittleEndianTest, ReadsEveryBitAlone) {
  for (uint32_t bit = 0; bit < 32; ++bit) {
    uint8_t bytes[4] = {};
    bytes[bit / 8] = static_cast<uint8_t>(1 << bit % 8);
    EXPECT_EQ(ReadLittleEndian(bytes, 4), uint32_t{1} << bit);
  }
}

TEST(ByteViewTest, IsEmptyByDefault) {
  EXPECT_EQ(ByteView().data, nullptr);
  EXPECT_EQ(ByteView().size, 0u);
  EXPECT_EQ(MutableBytes().data, nullptr);
  EXPECT_EQ(MutableBytes().size, 0u);
}

}  // namespace
}  // namespace tinyseg
