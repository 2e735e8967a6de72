#include <gtest/gtest.h>

#include <random>

#include "core/frame.h"
#include "tests/patterns.h"
#include "tests/reference_codec.h"

namespace tinyseg {
namespace {

const Message kMessage = {2, 5, {0x10, 0x00, 0x20, 0x30}};

// The length of a frame in the receive buffer.
size_t ContentSize(const Message& message) {
  return kFrameHeader + message.body.size() + kFrameTrailer;
}

void ExpectFrame(const Decoded& decoded, const Message& message) {
  EXPECT_EQ(decoded.errors.size(), 0u);
  ASSERT_EQ(decoded.frames.size(), 1u);
  EXPECT_TRUE(decoded.frames[0] == message);
}

void ExpectError(const Decoded& decoded, Code code, uint32_t detail) {
  EXPECT_EQ(decoded.frames.size(), 0u);
  ASSERT_EQ(decoded.errors.size(), 1u);
  EXPECT_EQ(decoded.errors[0].code, code);
  EXPECT_EQ(decoded.errors[0].detail, detail);
  EXPECT_STREQ(decoded.errors[0].text, code == Code::kTooLarge ? "frame exceeds the buffer"
                                       : code == Code::kTruncated
                                           ? "frame is cut short"
                                           : "frame was damaged on the line");
}

TEST(FrameDecoderTest, HasNoFrameAndNoErrorAtFirst) {
  const FrameDecoder decoder({});
  EXPECT_EQ(decoder.frame().type, 0);
  EXPECT_EQ(decoder.frame().sequence, 0);
  EXPECT_EQ(decoder.frame().body.size, 0u);
  EXPECT_TRUE(decoder.error().ok());
}

TEST(FrameDecoderTest, ReadsTheGoldenFrame) {
  const Bytes golden = {0x00, 0x03, 0x01, 0x07, 0x07, 0x11, 0x22, 0xE0, 0x84, 0x2C, 0xE0, 0x00};
  ExpectFrame(Decode(golden), {1, 7, {0x00, 0x11, 0x22}});
}

TEST(FrameDecoderTest, ReadsWhatTheEncoderWritesForEveryLength) {
  for (size_t length = 0; length <= kLongestPattern; ++length) {
    for (const Bytes& body : Patterns(length)) {
      const Message message = {4, 200, body};
      const Decoded decoded = Decode(Encode(message));
      ASSERT_EQ(decoded.frames.size(), 1u) << length;
      ASSERT_EQ(decoded.errors.size(), 0u) << length;
      ASSERT_TRUE(decoded.frames[0] == message) << length;
    }
  }
}

TEST(FrameDecoderTest, ReadsTheShortestCobsForEveryLength) {
  for (size_t length = 0; length <= kLongestPattern; ++length) {
    for (const Bytes& body : Patterns(length)) {
      const Message message = {4, 200, body};
      const Decoded decoded = Decode(ReferenceEncode(message));
      ASSERT_EQ(decoded.frames.size(), 1u) << length;
      ASSERT_TRUE(decoded.frames[0] == message) << length;
    }
  }
}

TEST(FrameDecoderTest, ReadsEveryTypeAndSequence) {
  for (int value = 0; value < 256; ++value) {
    const uint8_t byte = static_cast<uint8_t>(value);
    const Message message = {byte, static_cast<uint8_t>(255 - value), {byte}};
    ExpectFrame(Decode(Encode(message)), message);
  }
}

TEST(FrameDecoderTest, IgnoresZerosBetweenFrames) {
  const Bytes line = Bytes(5, 0) + Encode(kMessage) + Bytes(3, 0) + Encode(kMessage);
  const Decoded decoded = Decode(line);
  EXPECT_EQ(decoded.frames.size(), 2u);
  EXPECT_EQ(decoded.errors.size(), 0u);
}

TEST(FrameDecoderTest, ReadsFramesThatShareAZero) {
  const Bytes frame = Encode(kMessage);
  const Bytes line = frame + Bytes(frame.begin() + 1, frame.end());
  EXPECT_EQ(Decode(line).frames.size(), 2u);
}

TEST(FrameDecoderTest, NeedsNoZeroBeforeTheFirstFrame) {
  const Bytes frame = Encode(kMessage);
  ExpectFrame(Decode(Bytes(frame.begin() + 1, frame.end())), kMessage);
}

TEST(FrameDecoderTest, WaitsForTheFinalZero) {
  Bytes line = Encode(kMessage);
  line.pop_back();
  const Decoded decoded = Decode(line);
  EXPECT_EQ(decoded.frames.size() + decoded.errors.size(), 0u);
}

TEST(FrameDecoderTest, FillsItsBufferExactly) {
  for (const size_t length : {0u, 1u, 247u, 248u, 249u, 250u, 251u, 502u, 503u}) {
    for (const Bytes& body : Patterns(length)) {
      const Message message = {1, 1, body};
      ExpectFrame(Decode(Encode(message), ContentSize(message)), message);
    }
  }
}

TEST(FrameDecoderTest, RefusesOneByteTooMany) {
  for (const size_t length : {1u, 2u, 248u, 249u, 250u, 251u, 503u}) {
    for (const Bytes& body : Patterns(length)) {
      const Message message = {1, 1, body};
      const size_t capacity = ContentSize(message) - 1;
      ExpectError(Decode(Encode(message), capacity), Code::kTooLarge,
                  static_cast<uint32_t>(capacity));
    }
  }
}

TEST(FrameDecoderTest, ReadsTheNextFrameAfterOneMuchTooLarge) {
  const Bytes line = Encode({1, 1, Bytes(100000, 3)}) + Encode(kMessage);
  const Decoded decoded = Decode(line, ContentSize(kMessage));
  ASSERT_EQ(decoded.errors.size(), 1u);
  EXPECT_EQ(decoded.errors[0].code, Code::kTooLarge);
  ASSERT_EQ(decoded.frames.size(), 1u);
  EXPECT_TRUE(decoded.frames[0] == kMessage);
}

TEST(FrameDecoderTest, NeverReadsAFrameIntoABufferShorterThanTheFixedPart) {
  for (size_t capacity = 0; capacity < kFrameHeader + kFrameTrailer; ++capacity) {
    ExpectError(Decode(Encode({1, 1, {}}), capacity), Code::kTooLarge,
                static_cast<uint32_t>(capacity));
  }
}

TEST(FrameDecoderTest, RefusesContentShorterThanTheFixedPart) {
  for (uint8_t size = 1; size < kFrameHeader + kFrameTrailer; ++size) {
    const Bytes line = Bytes{static_cast<uint8_t>(size + 1)} + Bytes(size, 0x42) + Bytes{0};
    ExpectError(Decode(line), Code::kTruncated, size);
  }
}

TEST(FrameDecoderTest, RefusesACorrectChecksumWithoutTypeAndSequence) {
  for (const Bytes& content : {Bytes{}, Bytes{0x42}}) {
    const uint32_t crc = ReferenceCrc32(content);
    const Bytes sent =
        content + Bytes{static_cast<uint8_t>(crc), static_cast<uint8_t>(crc >> 8),
                        static_cast<uint8_t>(crc >> 16), static_cast<uint8_t>(crc >> 24)};
    ExpectError(Decode(ReferenceStuff(sent) + Bytes{0}), Code::kTruncated,
                static_cast<uint32_t>(sent.size()));
  }
}

TEST(FrameDecoderTest, RefusesALoneCodeByteAsTruncated) {
  ExpectError(Decode({1, 0}), Code::kTruncated, 0);
  ExpectError(Decode({255, 0}), Code::kTruncated, 0);
}

TEST(FrameDecoderTest, RefusesABlockThatEndsEarly) {
  // Eight bytes are there, ten were announced.
  ExpectError(Decode(Bytes{11} + Bytes(8, 0x42) + Bytes{0}), Code::kTruncated, 8);
}

TEST(FrameDecoderTest, RefusesEveryCutFrameAndReadsTheNext) {
  const Bytes frame = Encode(kMessage);
  for (size_t size = 2; size + 1 < frame.size(); ++size) {
    const Bytes cut(frame.begin(), frame.begin() + static_cast<long>(size));
    const Decoded decoded = Decode(cut + frame);
    ASSERT_EQ(decoded.errors.size(), 1u) << size;
    ASSERT_EQ(decoded.frames.size(), 1u) << size;
    EXPECT_TRUE(decoded.frames[0] == kMessage) << size;
  }
}

TEST(FrameDecoderTest, TellsTheChecksumThatWasSent) {
  Bytes content = ReferenceContent(kMessage);
  content[3] ^= 1;
  const uint32_t sent = ReferenceCrc32(Bytes(content.begin(), content.end() - 4));
  ASSERT_NE(sent, ReadLittleEndian(&content[content.size() - 4], 4));
  ExpectError(Decode(Bytes{0} + ReferenceStuff(content) + Bytes{0}), Code::kBadChecksum,
              ReadLittleEndian(&content[content.size() - 4], 4));
}

TEST(FrameDecoderTest, RefusesEveryFlippedBitAndReadsTheNextFrame) {
  const Bytes frame = Encode({1, 1, Patterns(260).back()});
  for (size_t bit = 8; bit < 8 * (frame.size() - 1); ++bit) {
    Bytes damaged = frame;
    damaged[bit / 8] = static_cast<uint8_t>(damaged[bit / 8] ^ 1 << bit % 8);
    const Decoded decoded = Decode(damaged + Encode(kMessage));
    ASSERT_GE(decoded.errors.size(), 1u) << bit;
    ASSERT_EQ(decoded.frames.size(), 1u) << bit;
    ASSERT_TRUE(decoded.frames[0] == kMessage) << bit;
  }
}

TEST(FrameDecoderTest, ReadsFramesBetweenNoise) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    Bytes noise(1 + random() % 300);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random());
    const Decoded decoded = Decode(noise + Encode(kMessage) + noise + Encode(kMessage), 64);
    ASSERT_EQ(decoded.frames.size(), 2u) << round;
    EXPECT_TRUE(decoded.frames[0] == kMessage) << round;
    EXPECT_TRUE(decoded.frames[1] == kMessage) << round;
  }
}

TEST(FrameDecoderTest, KeepsNothingOfAFormerFrame) {
  Bytes buffer(64);
  FrameDecoder decoder({buffer.data(), buffer.size()});
  // Ends in the middle of a block, with a zero due.
  EXPECT_EQ(FeedAll(decoder, {0, 2, 9, 200, 7, 7, 0}).errors.size(), 1u);
  ExpectFrame(FeedAll(decoder, Encode(kMessage)), kMessage);
  ExpectFrame(FeedAll(decoder, Encode({9, 9, {}})), {9, 9, {}});
  ExpectFrame(FeedAll(decoder, Encode(kMessage)), kMessage);
}

TEST(FrameDecoderTest, ReportsEachEventOnceAtTheFinalZero) {
  Bytes buffer(64);
  FrameDecoder decoder({buffer.data(), buffer.size()});
  const Bytes line = Encode(kMessage);
  for (size_t i = 0; i + 1 < line.size(); ++i) {
    ASSERT_EQ(decoder.Feed(line[i]), FrameDecoder::Event::kNone) << i;
  }
  EXPECT_EQ(decoder.Feed(0), FrameDecoder::Event::kFrame);
  EXPECT_EQ(decoder.Feed(0), FrameDecoder::Event::kNone);
}

}  // namespace
}  // namespace tinyseg
