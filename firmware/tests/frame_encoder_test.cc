#include <gtest/gtest.h>

#include <algorithm>

#include "core/frame.h"
#include "tests/patterns.h"
#include "tests/reference_codec.h"

namespace tinyseg {
namespace {

TEST(FrameEncoderTest, WritesTheGoldenFrame) {
  // Content 01 07 | 00 11 22 | CRC-32 E02C84E0; a code byte before 01 07, and one for the zero.
  const Bytes golden = {0x00, 0x03, 0x01, 0x07, 0x07, 0x11, 0x22, 0xE0, 0x84, 0x2C, 0xE0, 0x00};
  EXPECT_EQ(Encode({1, 7, {0x00, 0x11, 0x22}}), golden);
}

TEST(FrameEncoderTest, WritesTheShortestFrame) {
  const Bytes content = ReferenceContent({0, 0, {}});
  ASSERT_EQ(content, (Bytes{0, 0, 0xFF, 0x12, 0xD9, 0x41}));  // CRC-32 of 00 00 is 41D912FF.
  EXPECT_EQ(Encode({0, 0, {}}), (Bytes{0, 1, 1, 5, 0xFF, 0x12, 0xD9, 0x41, 0}));
}

TEST(FrameEncoderTest, IsReadByTheReferenceForEveryLength) {
  for (size_t length = 0; length <= kLongestPattern; ++length) {
    for (const Bytes& body : Patterns(length)) {
      const Message message = {0x81, 0xFE, body};
      const Bytes line = Encode(message);
      ASSERT_EQ(line.front(), 0);
      ASSERT_EQ(line.back(), 0);
      const Bytes stuffed(line.begin() + 1, line.end() - 1);
      ASSERT_EQ(std::count(stuffed.begin(), stuffed.end(), 0), 0) << length;
      ASSERT_EQ(ReferenceUnstuff(stuffed), ReferenceContent(message)) << length;
    }
  }
}

TEST(FrameEncoderTest, AddsAtMostOneByteIn254) {
  for (size_t length = 0; length <= kLongestPattern; ++length) {
    const size_t content = kFrameHeader + length + kFrameTrailer;
    for (const Bytes& body : Patterns(length)) {
      const size_t stuffed = Encode({1, 1, body}).size() - 2;
      ASSERT_LE(stuffed, content + content / 254 + 1) << length;
    }
  }
}

TEST(FrameEncoderTest, DoesNotDependOnHowTheBodyIsSplit) {
  Bytes body = Patterns(kLongestPattern).back();
  const Bytes whole = Encode({3, 9, body});
  for (size_t split = 0; split <= body.size(); ++split) {
    RecordingSink sink;
    FrameEncoder encoder(sink, 3, 9);
    encoder.Add({body.data(), split});
    encoder.Add({});
    encoder.Add({body.data() + split, body.size() - split});
    encoder.Finish();
    ASSERT_EQ(sink.bytes, whole) << split;
  }
}

TEST(FrameEncoderTest, WritesNumbersLittleEndian) {
  const uint64_t value = 0x8877665544332211u;
  for (size_t width = 1; width <= 8; ++width) {
    RecordingSink sink;
    FrameEncoder encoder(sink, 1, 2);
    encoder.AddNumber(value, width);
    encoder.Finish();
    Bytes body;
    for (size_t i = 1; i <= width; ++i) body.push_back(static_cast<uint8_t>(0x11 * i));
    EXPECT_EQ(sink.bytes, Encode({1, 2, body})) << width;
  }
}

}  // namespace
}  // namespace tinyseg
