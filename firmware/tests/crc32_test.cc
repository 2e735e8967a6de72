#include "core/crc32.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "tests/reference_codec.h"

namespace tinyseg {
namespace {

uint32_t CrcOf(const char* text) {
  return Crc32Of({reinterpret_cast<const uint8_t*>(text), std::strlen(text)});
}

TEST(Crc32Test, GivesTheCatalogueCheckValue) { EXPECT_EQ(CrcOf("123456789"), 0xCBF43926u); }

TEST(Crc32Test, GivesKnownValues) {
  EXPECT_EQ(CrcOf(""), 0u);
  EXPECT_EQ(CrcOf("a"), 0xE8B7BE43u);
  EXPECT_EQ(CrcOf("The quick brown fox jumps over the lazy dog"), 0x414FA339u);
}

TEST(Crc32Test, CoversEveryByteValue) {
  Bytes bytes;
  for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<uint8_t>(i));
  EXPECT_EQ(Crc32Of(ViewOf(bytes)), 0x29058C73u);  // Python's zlib.crc32(bytes(range(256))).
}

TEST(Crc32Test, IsZeroForAnEmptyViewWithoutMemory) { EXPECT_EQ(Crc32Of({}), 0u); }

TEST(Crc32Test, EqualsBitwiseDivisionForEveryLength) {
  std::mt19937 random(1);
  Bytes bytes;
  for (size_t length = 0; length <= 600; ++length) {
    ASSERT_EQ(Crc32Of(ViewOf(bytes)), ReferenceCrc32(bytes)) << length;
    bytes.push_back(static_cast<uint8_t>(random()));
  }
}

TEST(Crc32Test, DoesNotDependOnHowBytesAreSplit) {
  std::mt19937 random(2);
  Bytes bytes(300);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  const uint32_t whole = Crc32Of(ViewOf(bytes));
  for (size_t split = 0; split <= bytes.size(); ++split) {
    Crc32 crc;
    crc.Add({bytes.data(), split});
    for (size_t i = split; i < bytes.size(); ++i) crc.Add(bytes[i]);
    ASSERT_EQ(crc.value(), whole) << split;
  }
}

TEST(Crc32Test, CanBeReadWhileInProgress) {
  Crc32 crc;
  EXPECT_EQ(crc.value(), 0u);
  crc.Add('a');
  EXPECT_EQ(crc.value(), 0xE8B7BE43u);
  EXPECT_EQ(crc.value(), 0xE8B7BE43u);
}

}  // namespace
}  // namespace tinyseg
