// The numbers on the line, as docs/firmware.md has them: a host of another version relies on them.
#include "core/protocol.h"

#include <gtest/gtest.h>

#include <type_traits>

#include "core/engine.h"
#include "core/frame.h"
#include "core/status.h"

namespace tinyseg {
namespace {

template <typename T>
int NumberOf(T value) {
  static_assert(std::is_same_v<std::underlying_type_t<T>, uint8_t>, "one byte on the line");
  return static_cast<int>(value);
}

TEST(ProtocolTest, NumbersRequests) {
  EXPECT_EQ(NumberOf(Request::kPing), 1);
  EXPECT_EQ(NumberOf(Request::kInfo), 2);
  EXPECT_EQ(NumberOf(Request::kRunTensor), 3);
  EXPECT_EQ(NumberOf(Request::kRunImage), 4);
  EXPECT_EQ(NumberOf(Request::kProfile), 5);
}

TEST(ProtocolTest, MarksReplies) {
  EXPECT_EQ(kProtocolVersion, 1);
  EXPECT_EQ(kReplyBit, 128);
  EXPECT_EQ(kLogFrame, 254);
  EXPECT_EQ(kErrorFrame, 255);
  EXPECT_EQ(kNoSequence, 0);
}

TEST(ProtocolTest, HasFramesOfTwoBytesBeforeAndFourBehindTheBody) {
  EXPECT_EQ(kFrameHeader, 2u);
  EXPECT_EQ(kFrameTrailer, 4u);
}

TEST(CodeTest, NumbersErrors) {
  const Code codes[] = {Code::kOk,
                        Code::kBadChecksum,
                        Code::kTruncated,
                        Code::kTooLarge,
                        Code::kUnknownRequest,
                        Code::kWrongLength,
                        Code::kModelDamaged,
                        Code::kArenaTooSmall,
                        Code::kUnknownOperator,
                        Code::kInvokeFailed,
                        Code::kStackOverflow,
                        Code::kModelMismatch,
                        Code::kPrepareFailed,
                        Code::kBadProgram,
                        Code::kBorderFailed,
                        Code::kStopped};
  int number = 0;
  for (const Code code : codes) EXPECT_EQ(NumberOf(code), number++);
}

TEST(StatusTest, IsFineByDefault) {
  const Status status;
  EXPECT_EQ(status.code, Code::kOk);
  EXPECT_EQ(status.detail, 0u);
  EXPECT_STREQ(status.text, "");
  EXPECT_TRUE(status.ok());
}

TEST(StatusTest, IsFineWithItsCodeAlone) {
  for (int code = 0; code <= 12; ++code) {
    EXPECT_EQ((Status{static_cast<Code>(code), 0, ""}.ok()), code == 0) << code;
    EXPECT_EQ((Status{static_cast<Code>(code), 7, "text"}.ok()), code == 0) << code;
  }
}

TEST(ElementTypeTest, NumbersTypes) {
  EXPECT_EQ(NumberOf(ElementType::kInt8), 1);
  EXPECT_EQ(NumberOf(ElementType::kInt16), 2);
  EXPECT_EQ(NumberOf(ElementType::kFloat32), 3);
  EXPECT_EQ(NumberOf(ElementType::kInt32), 4);
}

TEST(ElementTypeTest, TellsBytesOfAnElement) {
  EXPECT_EQ(ElementSize(ElementType::kInt8), 1u);
  EXPECT_EQ(ElementSize(ElementType::kInt16), 2u);
  EXPECT_EQ(ElementSize(ElementType::kFloat32), 4u);
  EXPECT_EQ(ElementSize(ElementType::kInt32), 4u);
}

TEST(ArenaReportTest, IsEmptyByDefault) {
  EXPECT_EQ(ArenaReport().size, 0u);
  EXPECT_EQ(ArenaReport().used, 0u);
}

TEST(EngineTest, IsOwnedByWhoMadeIt) { EXPECT_FALSE(std::is_destructible_v<Engine>); }

}  // namespace
}  // namespace tinyseg
