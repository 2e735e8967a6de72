#include <gtest/gtest.h>

#include "tests/model_file.h"
#include "tests/server_fixture.h"

namespace tinyseg {
namespace {

constexpr uint8_t kPing = static_cast<uint8_t>(Request::kPing);
constexpr uint8_t kRunTensor = static_cast<uint8_t>(Request::kRunTensor);
constexpr uint8_t kRunImage = static_cast<uint8_t>(Request::kRunImage);

class ServerErrorTest : public ServerFixture {
 protected:
  ServerErrorTest() { StartAndReadLog(); }
};

TEST_F(ServerErrorTest, TellsOfADamagedFrameAndStaysAlive) {
  Bytes line = Encode({kPing, 9, {1, 2, 3}});
  line[4] ^= 0x40;
  const uint32_t sent = Crc32Of(ViewOf({kPing, 9, 1, 2, 3}));
  ExpectError(Exchange(line), Code::kBadChecksum, 0, kNoSequence, sent);
  ExpectAlive();
}

TEST_F(ServerErrorTest, TellsOfACutFrameAndStaysAlive) {
  ExpectError(Exchange({0, 3, 1, 2, 0}), Code::kTruncated, 0, kNoSequence, 2);
  ExpectAlive();
}

TEST_F(ServerErrorTest, TellsOfAFrameTooLargeAndStaysAlive) {
  const Bytes line = Encode({kPing, 9, Bytes(65, 1)});
  ExpectError(Exchange(line), Code::kTooLarge, 0, kNoSequence, FakeDevice::kCapacity);
  ExpectAlive();
}

TEST_F(ServerErrorTest, TellsOfNoiseAndAnswersTheRequestAfterIt) {
  const Decoded sent = device_.Receive(Bytes(1000, 0x55) + Encode({kPing, 9, {}}));
  ASSERT_EQ(sent.frames.size(), 2u);
  ExpectError(sent.frames[0], Code::kTooLarge, 0, kNoSequence, FakeDevice::kCapacity);
  EXPECT_TRUE(sent.frames[1] == (Message{kPing | kReplyBit, 9, {}}));
}

TEST_F(ServerErrorTest, TellsOfEveryUnknownRequestAndStaysAlive) {
  for (int type = 0; type < 256; ++type) {
    if (type >= 1 && type <= 5) continue;
    const uint8_t byte = static_cast<uint8_t>(type);
    ExpectError(Exchange(Encode({byte, 8, {1}})), Code::kUnknownRequest, byte, 8, byte);
  }
  EXPECT_EQ(ErrorText(Exchange(Encode({99, 8, {}}))), "no such request");
  ExpectAlive();
}

TEST_F(ServerErrorTest, TellsTheBytesThatATensorNeeds) {
  for (const size_t size : {0u, 1u, 4u, 11u, 13u, 64u}) {
    const Message reply = Ask(Request::kRunTensor, Bytes(size, 1));
    ExpectError(reply, Code::kWrongLength, kRunTensor, kSequence, FakeEngine::kInputs);
  }
  EXPECT_EQ(device_.engine.runs, 0);
  ExpectAlive();
}

TEST_F(ServerErrorTest, TellsThePixelsThatAnImageNeeds) {
  for (const size_t size : {0u, 1u, 3u, 5u, 11u, 13u, 64u}) {
    const Message reply = Ask(Request::kRunImage, Bytes(size, 1));
    ExpectError(reply, Code::kWrongLength, kRunImage, kSequence, FakeEngine::kInputs);
  }
  EXPECT_EQ(device_.engine.runs, 0);
  ExpectAlive();
}

TEST_F(ServerErrorTest, TellsWhyAnInferenceFailedAndRunsTheNext) {
  const Bytes body(FakeEngine::kInputs, 1);
  for (const Request request : {Request::kRunTensor, Request::kRunImage}) {
    device_.engine.run_status = {Code::kInvokeFailed, 17, "CONV_2D went wrong"};
    const Message reply = Ask(request, body);
    ExpectError(reply, Code::kInvokeFailed, static_cast<uint8_t>(request), kSequence, 17);
    EXPECT_EQ(ErrorText(reply), "CONV_2D went wrong");
    ExpectAlive();
    device_.engine.run_status = {};
    EXPECT_EQ(Ask(request, body).type, static_cast<uint8_t>(request) | kReplyBit);
  }
}

TEST_F(ServerErrorTest, TellsOfAStackThatOverflowedInARun) {
  device_.engine.stack_word = device_.stack.begin;
  const Bytes body(FakeEngine::kInputs, 1);
  const Message reply = Ask(Request::kRunTensor, body);
  ExpectError(reply, Code::kStackOverflow, kRunTensor, kSequence, device_.stack.size());
  EXPECT_EQ(ErrorText(reply), "stack is too small; raise __stack_size");
  ExpectAlive();
  // What the overflow overwrote stays in doubt until a reset.
  device_.engine.stack_word = nullptr;
  ExpectError(Ask(Request::kRunImage, body), Code::kStackOverflow, kRunImage, kSequence,
              device_.stack.size());
  const Message info = Ask(Request::kInfo);
  EXPECT_EQ(ReadLittleEndian(&info.body[24], 4), device_.stack.size());
}

TEST_F(ServerErrorTest, BlamesTheStackForAFailedRun) {
  device_.engine.stack_word = device_.stack.begin + 7;
  device_.engine.run_status = {Code::kInvokeFailed, 17, "CONV_2D went wrong"};
  ExpectError(Ask(Request::kRunTensor, Bytes(FakeEngine::kInputs, 1)), Code::kStackOverflow,
              kRunTensor, kSequence, device_.stack.size());
}

TEST_F(ServerErrorTest, RefusesAWrongLengthWhateverTheStack) {
  device_.stack.begin[0] = 0;
  ExpectError(Ask(Request::kRunTensor, Bytes(5, 1)), Code::kWrongLength, kRunTensor, kSequence,
              FakeEngine::kInputs);
}

TEST_F(ServerErrorTest, RunsWithAStackThatIsUsedUpToItsGuard) {
  device_.engine.stack_word = device_.stack.begin + 8;
  const Message reply = Ask(Request::kRunTensor, Bytes(FakeEngine::kInputs, 1));
  EXPECT_EQ(reply.type, kRunTensor | kReplyBit);
}

TEST_F(ServerErrorTest, StaysAliveAfterEveryMixOfErrors) {
  const std::vector<Bytes> lines = {{0, 3, 1, 2, 0},
                                    {0, 1, 0},
                                    {0, 255, 0},
                                    Bytes(500, 0xFF) + Bytes{0},
                                    Encode({kPing, 1, Bytes(200, 0)}),
                                    Encode({99, 1, {}}),
                                    Encode({kRunTensor, 1, {}})};
  for (const Bytes& first : lines) {
    for (const Bytes& second : lines) {
      const Decoded sent = device_.Receive(first + second);
      ASSERT_EQ(sent.frames.size(), 2u);
      EXPECT_EQ(sent.frames[0].type, kErrorFrame);
      EXPECT_EQ(sent.frames[1].type, kErrorFrame);
      ExpectAlive();
    }
  }
}

struct StartFailure {
  const char* name;
  Status status;
  const char* log;
};

class ServerStartErrorTest : public ServerFixture,
                             public ::testing::WithParamInterface<StartFailure> {
 protected:
  ServerStartErrorTest() {
    device_.engine.start_status = GetParam().status;
    log_ = StartAndReadLog();
  }

  std::string log_;
};

TEST_P(ServerStartErrorTest, IsTheLinesTextWithItsNumber) {
  EXPECT_EQ(log_, std::string("tinyseg on fake_board: ") + GetParam().log + "\r\n");
}

TEST_P(ServerStartErrorTest, IsPartOfTheInfo) {
  const Status& status = GetParam().status;
  const Message info = Ask(Request::kInfo);
  EXPECT_EQ(info.type, static_cast<uint8_t>(Request::kInfo) | kReplyBit);
  ASSERT_GT(info.body.size(), 80u);
  EXPECT_EQ(info.body[1], static_cast<uint8_t>(status.code));
  EXPECT_EQ(ReadLittleEndian(&info.body[4], 4), status.detail);
  const std::string text = status.text;
  EXPECT_EQ(TextOf(info.body, info.body.size() - text.size()), text);
  EXPECT_EQ(info.body[info.body.size() - text.size() - 1], text.size());
}

TEST_P(ServerStartErrorTest, AnswersEveryRun) {
  const Status& status = GetParam().status;
  for (const uint8_t type : {kRunTensor, kRunImage}) {
    for (const size_t size : {0u, 4u, 12u}) {
      const Message reply = Exchange(Encode({type, 6, Bytes(size, 1)}));
      ExpectError(reply, status.code, type, 6, status.detail);
      EXPECT_EQ(ErrorText(reply), status.text);
    }
  }
  EXPECT_EQ(device_.engine.runs, 0);
}

TEST_P(ServerStartErrorTest, LeavesTheDeviceAlive) {
  ExpectAlive();
  ExpectReply(Ask(Request::kProfile), Request::kProfile, {});
  ExpectError(Exchange(Encode({50, 6, {}})), Code::kUnknownRequest, 50, 6, 50);
}

INSTANTIATE_TEST_SUITE_P(
    Engine, ServerStartErrorTest,
    ::testing::Values(StartFailure{"ArenaTooSmall",
                                   {Code::kArenaTooSmall, 123456,
                                    "arena is too small, bytes needed"},
                                   "arena is too small, bytes needed (123456)"},
                      StartFailure{"UnknownOperator",
                                   {Code::kUnknownOperator, 7, "operator is not registered"},
                                   "operator is not registered (7)"},
                      StartFailure{"ModelMismatch",
                                   {Code::kModelMismatch, 0xFFFFFFFFu, "input differs in size"},
                                   "input differs in size (4294967295)"},
                      StartFailure{"PrepareFailedWithoutANumber",
                                   {Code::kPrepareFailed, 0, "TFLM cannot prepare the model"},
                                   "TFLM cannot prepare the model"}),
    [](const auto& info) { return info.param.name; });

class ServerModelErrorTest : public ServerFixture {};

TEST_F(ServerModelErrorTest, NeverStartsTheEngineOnADamagedModel) {
  ModelFile file;
  file.Describe(&device_.model);
  file.content()[50] ^= 4;
  const uint32_t found = Crc32Of(device_.model.content);
  const std::string log = StartAndReadLog();
  EXPECT_NE(log.find("CRC-32 differs"), std::string::npos) << log;
  EXPECT_NE(log.find("(" + std::to_string(found) + ")\r\n"), std::string::npos) << log;
  EXPECT_EQ(device_.engine.starts, 0);
  ExpectError(Ask(Request::kRunImage, Bytes(12, 1)), Code::kModelDamaged, kRunImage, kSequence,
              found);
  const Message info = Ask(Request::kInfo);
  EXPECT_EQ(info.body[1], static_cast<uint8_t>(Code::kModelDamaged));
  EXPECT_EQ(ReadLittleEndian(&info.body[4], 4), found);
  ExpectAlive();
}

}  // namespace
}  // namespace tinyseg
