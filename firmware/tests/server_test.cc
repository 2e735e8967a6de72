#include "core/server.h"

#include <gtest/gtest.h>

#include "tests/model_file.h"
#include "tests/server_fixture.h"

namespace tinyseg {
namespace {

class ServerTest : public ServerFixture {
 protected:
  ServerTest() { log_ = StartAndReadLog(); }

  std::string log_;
};

const Bytes kTensor = {1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0xFF, 0x80};

// Of twelve pixels; those above 133 are foreground.
const Bytes kImage = {133, 134, 255, 0, 1, 2, 3, 200, 132, 135, 250, 250};

Bytes RunReply(const Bytes& result) { return Number(FakeEngine::kRunTicks, 8) + result; }

TEST_F(ServerTest, TellsThatItIsReady) {
  EXPECT_EQ(log_, "tinyseg on fake_board: ready with fake_net\r\n");
  EXPECT_EQ(device_.engine.starts, 1);
}

TEST_F(ServerTest, SendsNothingUnasked) {
  EXPECT_EQ(device_.Receive(Bytes(10, 0)).frames.size(), 0u);
  EXPECT_EQ(device_.Receive({3, 4, 5}).frames.size(), 0u);
}

TEST_F(ServerTest, ReturnsThePingsBody) {
  for (const Bytes& body : {Bytes{}, Bytes{0}, Bytes{0, 0xFF, 0}, Bytes(64, 0), Bytes(64, 0xA5)}) {
    ExpectReply(Ask(Request::kPing, body), Request::kPing, body);
  }
}

TEST_F(ServerTest, RepeatsEverySequenceNumber) {
  for (int sequence = 0; sequence < 256; ++sequence) {
    const uint8_t byte = static_cast<uint8_t>(sequence);
    ExpectReply(Ask(Request::kPing, {1}, byte), Request::kPing, {1}, byte);
  }
}

TEST_F(ServerTest, RepeatsTheSequenceInEveryKindOfReply) {
  uint8_t sequence = 100;
  for (const Request request : {Request::kInfo, Request::kProfile, Request::kRunTensor,
                                Request::kRunImage, Request::kProfile}) {
    const Message reply = Ask(request, Bytes(FakeEngine::kInputs, 1), ++sequence);
    EXPECT_EQ(reply.type, static_cast<uint8_t>(request) | kReplyBit);
    EXPECT_EQ(reply.sequence, sequence);
  }
}

TEST_F(ServerTest, TellsBoardModelAndMemory) {
  const Bytes expected = Bytes{kProtocolVersion, 0, 1, 1} + Number(0, 4) + Number(25000000, 4) +
                         Number(1000, 4) + Number(900, 4) + Number(4 * FakeDevice::kStackWords, 4) +
                         Number(4 * FakeDevice::kStackWordsUsed, 4) + Number(12, 4) +
                         Number(10, 4) + Number(0, 4) + Number(0xC3C2C1C0, 4) +
                         Bytes{0xD1, 0xD2, 0xD3} + Bytes(29, 0) + Bytes{10} +
                         BytesOfText("fake_board") + Bytes{8} + BytesOfText("fake_net") + Bytes{0};
  ExpectReply(Ask(Request::kInfo), Request::kInfo, expected);
}

TEST_F(ServerTest, TellsElementTypesOfTheTensors) {
  device_.model.input_type = ElementType::kFloat32;
  device_.model.output_type = ElementType::kInt16;
  const Message reply = Ask(Request::kInfo);
  EXPECT_EQ(reply.body[2], 3);
  EXPECT_EQ(reply.body[3], 2);
}

TEST_F(ServerTest, RunsATensor) {
  const Bytes output(kTensor.begin(), kTensor.begin() + FakeEngine::kOutputs);
  ExpectReply(Ask(Request::kRunTensor, kTensor), Request::kRunTensor, RunReply(output));
  EXPECT_EQ(device_.engine.runs, 1);
}

TEST_F(ServerTest, RunsAgainWithNewInput) {
  for (uint8_t value = 1; value < 10; ++value) {
    const Bytes body(FakeEngine::kInputs, value);
    ExpectReply(Ask(Request::kRunTensor, body), Request::kRunTensor,
                RunReply(Bytes(FakeEngine::kOutputs, value)));
  }
}

TEST_F(ServerTest, ReturnsTheMaskOfAnImage) {
  ExpectReply(Ask(Request::kRunImage, kImage), Request::kRunImage, RunReply({0x61, 0x40}));
}

TEST_F(ServerTest, RepeatsAGreyImageToAllChannels) {
  // Four pixels of three channels: elements 0..2 and 9 are bright.
  ExpectReply(Ask(Request::kRunImage, {255, 0, 0, 255}), Request::kRunImage,
              RunReply({0xE0, 0x40}));
}

TEST_F(ServerTest, CountsTicksFromTheInferencesBegin) {
  FakeClock::now += 999;
  const Message reply = Ask(Request::kRunTensor, kTensor);
  EXPECT_EQ(Bytes(reply.body.begin(), reply.body.begin() + 8), Number(FakeEngine::kRunTicks, 8));
}

TEST_F(ServerTest, HasNoProfileBeforeTheFirstInference) {
  ExpectReply(Ask(Request::kProfile), Request::kProfile, {});
}

TEST_F(ServerTest, TellsTicksOfEachOperator) {
  Ask(Request::kRunTensor, kTensor);
  ExpectReply(Ask(Request::kProfile), Request::kProfile,
              Number(FakeEngine::kRunTicks, 8) + Number(FakeEngine::kRunTicks + 1, 8));
}

TEST_F(ServerTest, AnswersEachOfSeveralRequestsInOneLine) {
  const uint8_t ping = static_cast<uint8_t>(Request::kPing);
  const Decoded sent =
      device_.Receive(Encode({ping, 1, {1}}) + Encode({ping, 2, {2}}) + Encode({ping, 3, {3}}));
  ASSERT_EQ(sent.frames.size(), 3u);
  for (uint8_t i = 0; i < 3; ++i) EXPECT_EQ(sent.frames[i].sequence, i + 1);
}

TEST_F(ServerTest, IgnoresTheBodyOfRequestsThatNeedNone) {
  EXPECT_EQ(Ask(Request::kInfo, {1, 2, 3}).body, Ask(Request::kInfo).body);
  EXPECT_EQ(Ask(Request::kProfile, {1, 2, 3}).body, Ask(Request::kProfile).body);
}

class ServerModelTest : public ServerFixture {};

TEST_F(ServerModelTest, AcceptsAModelWhoseChecksumsFit) {
  ModelFile file;
  file.Describe(&device_.model);
  EXPECT_EQ(StartAndReadLog(), "tinyseg on fake_board: ready with fake_net\r\n");
  const Message reply = Ask(Request::kInfo);
  EXPECT_EQ(reply.body[1], 0);
  EXPECT_EQ(ReadLittleEndian(&reply.body[36], 4), ModelFile::kSize);
  EXPECT_EQ(ReadLittleEndian(&reply.body[40], 4), device_.model.crc32);
}

// The mask of two rows of five pixels; the output itself is sent as it was computed.
TEST_F(ServerTest, MakesTheMaskAtAnOperatingPoint) {
  static const uint16_t kUnits[256] = {};
  OperatingPoint point = {};
  point.units = kUnits;
  point.threshold = 5;
  point.height = 2;
  point.width = 5;
  point.regions = 1;
  point.count = 1;
  point.largest_only = true;
  device_.model.point = &point;
  // Of pixels above 133: one alone, and three that touch.
  const Bytes pixels = {134, 0, 0, 200, 0, 0, 0, 0, 255, 134, 0, 0};
  const Message mask = Ask(Request::kRunImage, pixels);
  EXPECT_EQ(Bytes(mask.body.begin() + 8, mask.body.end()), (Bytes{0x10, 0xC0}));
  Bytes tensor;
  for (const uint8_t pixel : pixels) tensor.push_back(static_cast<uint8_t>(pixel ^ 0x80));
  const Message output = Ask(Request::kRunTensor, tensor);
  EXPECT_EQ(Bytes(output.body.begin() + 8, output.body.end()),
            Bytes(tensor.begin(), tensor.begin() + FakeEngine::kOutputs));
}

// As an engine whose output is that of the image: it becomes all ones.
Status AllOnes(Engine& engine, const ModelDescription& model, ByteView pixels) {
  if (pixels.size != model.input_elements) return {Code::kWrongLength, 1, "not the pixels"};
  if (pixels.data[0] == 99) return {Code::kInvokeFailed, 7, "the mirror image failed"};
  const Status status = engine.Run();
  for (size_t i = 0; i < engine.output().size; ++i) engine.output().data[i] = 127;
  return status;
}

TEST_F(ServerTest, LooksAgainAtImagesButNotAtTensors) {
  device_.model.look_again = AllOnes;
  const Message mask = Ask(Request::kRunImage, Bytes(12, 0));
  EXPECT_EQ(mask.body, Number(2 * FakeEngine::kRunTicks, 8) + Bytes({0xFF, 0xC0}));
  EXPECT_EQ(device_.engine.runs, 2);
  ExpectReply(Ask(Request::kRunTensor, kTensor), Request::kRunTensor,
              RunReply(Bytes(kTensor.begin(), kTensor.begin() + FakeEngine::kOutputs)));
  EXPECT_EQ(device_.engine.runs, 3);
}

TEST_F(ServerTest, TellsThatTheSecondLookFailed) {
  device_.model.look_again = AllOnes;
  Bytes pixels(12, 0);
  pixels[0] = 99;
  ExpectError(Ask(Request::kRunImage, pixels), Code::kInvokeFailed,
              static_cast<uint8_t>(Request::kRunImage), kSequence, 7);
  ExpectAlive();
}

}  // namespace
}  // namespace tinyseg
