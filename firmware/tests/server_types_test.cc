// Networks whose elements are not bytes: bytes and elements of a tensor differ in number.
#include <gtest/gtest.h>

#include <cstring>

#include "tests/server_fixture.h"

namespace tinyseg {
namespace {

// Six int16 inputs to five floats: each input halved, but for the last.
class WideEngine final : public Engine {
 public:
  Status Start() override { return start_status; }
  MutableBytes input() override { return {reinterpret_cast<uint8_t*>(input_), sizeof(input_)}; }
  Status Run() override {
    for (int i = 0; i < 5; ++i) output_[i] = 0.5f * input_[i];
    return {};
  }
  MutableBytes output() override { return {reinterpret_cast<uint8_t*>(output_), sizeof(output_)}; }
  ArenaReport arena() const override { return {0x81828384u, 0x71727374u}; }
  uint32_t operator_count() const override { return 3; }
  uint64_t operator_ticks(uint32_t index) const override { return 1000 - 7 * index; }

  Status start_status;

 private:
  int16_t input_[6] = {};
  float output_[5] = {};
};

constexpr float kThreshold = 99.5f;

class ServerTypesTest : public ::testing::Test {
 protected:
  ServerTypesTest() {
    for (int i = 0; i < 256; ++i) table_[i] = static_cast<int16_t>(257 * i - 32768);
    PaintStack(stack_, stack_.end);
  }

  // All frames that answer a line.
  std::vector<Message> Receive(const Bytes& line) {
    sink_.bytes.clear();
    for (const uint8_t byte : line) server_.Feed(byte);
    return Decode(sink_.bytes).frames;
  }

  Message Ask(Request request, const Bytes& body = {}) {
    const std::vector<Message> frames = Receive(Encode({static_cast<uint8_t>(request), 9, body}));
    EXPECT_EQ(frames.size(), 1u);
    return frames.empty() ? Message{} : frames[0];
  }

  static Bytes Ticks() { return Number(0, 8); }

  int16_t table_[256];
  uint8_t digest_[kSha256Size] = {};
  uint32_t words_[64] = {};
  StackRegion stack_ = {words_, words_ + 64};
  Bytes buffer_ = Bytes(FrameBufferSize(6, ElementType::kInt16));
  RecordingSink sink_;
  WideEngine engine_;
  ModelDescription model_ = {
      "wide", {},     0,          digest_, ElementType::kInt16, 6, 3, ElementType::kFloat32,
      5,      table_, &kThreshold};
  Server server_{engine_,
                 model_,
                 {buffer_.data(), buffer_.size()},
                 sink_,
                 {"fake_board", 0x91929394u, FakeClock::Reset, FakeClock::Ticks},
                 stack_};
};

TEST_F(ServerTypesTest, ReturnsHowTheStartWent) {
  EXPECT_TRUE(server_.Start().ok());
  engine_.start_status = {Code::kArenaTooSmall, 5, "arena"};
  const Status status = server_.Start();
  EXPECT_EQ(status.code, Code::kArenaTooSmall);
  EXPECT_EQ(status.detail, 5u);
  EXPECT_STREQ(status.text, "arena");
}

TEST_F(ServerTypesTest, TellsNoNumberWithGoodNews) {
  engine_.start_status = {Code::kOk, 5, "in flash"};
  EXPECT_TRUE(server_.Start().ok());
  const std::vector<Message> frames = Decode(sink_.bytes).frames;
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(TextOf(frames[0].body), "tinyseg on fake_board: ready with wide\r\n");
}

TEST_F(ServerTypesTest, WritesEveryNumberOfDigits) {
  uint32_t detail = 1;
  for (int digits = 1; digits <= 10; ++digits) {
    sink_.bytes.clear();
    engine_.start_status = {Code::kPrepareFailed, detail, "no"};
    server_.Start();
    const std::vector<Message> frames = Decode(sink_.bytes).frames;
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(TextOf(frames[0].body),
              "tinyseg on fake_board: no (" + std::to_string(detail) + ")\r\n");
    detail = 10 * detail + static_cast<uint32_t>(digits) % 10;
  }
}

TEST_F(ServerTypesTest, RunsATensorOfBytes) {
  const int16_t input[] = {1, -2, 300, -32768, 32767, 12};
  Bytes body(sizeof(input));
  std::memcpy(body.data(), input, sizeof(input));
  const float output[] = {0.5f, -1.0f, 150.0f, -16384.0f, 16383.5f};
  Bytes expected(sizeof(output));
  std::memcpy(expected.data(), output, sizeof(output));
  const Message reply = Ask(Request::kRunTensor, body);
  EXPECT_EQ(reply.body, Ticks() + expected);
}

TEST_F(ServerTypesTest, TellsTheBytesOfATensorButThePixelsOfAnImage) {
  for (const size_t size : {0u, 1u, 2u, 6u, 11u, 13u, 24u}) {
    const Message reply = Ask(Request::kRunTensor, Bytes(size, 1));
    ASSERT_EQ(reply.type, kErrorFrame) << size;
    EXPECT_EQ(reply.body,
              Bytes({5, 3}) + Number(12, 4) + BytesOfText("input tensor has another size"));
  }
  for (const size_t size : {0u, 1u, 3u, 5u, 7u, 12u}) {
    const Message reply = Ask(Request::kRunImage, Bytes(size, 1));
    ASSERT_EQ(reply.type, kErrorFrame) << size;
    EXPECT_EQ(reply.body,
              Bytes({5, 4}) + Number(6, 4) + BytesOfText("image has another number of pixels"));
  }
}

TEST_F(ServerTypesTest, ReturnsTheMaskOfAnImage) {
  // Outputs are half of 257 * pixel - 32768: above 99.5 from pixel 129 on.
  EXPECT_EQ(Ask(Request::kRunImage, {128, 129, 0, 255, 130, 7}).body, Ticks() + Bytes{0x58});
  EXPECT_EQ(Ask(Request::kRunImage, {128, 129}).body, Ticks() + Bytes{0x18});
  EXPECT_EQ(Ask(Request::kRunImage, {129, 128}).body, Ticks() + Bytes{0xE0});
}

TEST_F(ServerTypesTest, TellsEveryFieldInItsPlace) {
  for (size_t i = 0; i < kSha256Size; ++i) digest_[i] = static_cast<uint8_t>(200 - i);
  model_.crc32 = 0xA1A2A3A4u;
  words_[40] = 0;
  engine_.start_status = {Code::kModelMismatch, 0xB1B2B3B4u, "input differs"};
  model_.content = {};
  server_.Start();
  Bytes expected = Bytes{1, 11, 2, 3} + Number(0xB1B2B3B4u, 4) + Number(0x91929394u, 4) +
                   Number(0x81828384u, 4) + Number(0x71727374u, 4) + Number(256, 4) +
                   Number(96, 4) + Number(6, 4) + Number(5, 4) + Number(0, 4) +
                   Number(0xA1A2A3A4u, 4) + Bytes(digest_, digest_ + kSha256Size) + Bytes{10} +
                   BytesOfText("fake_board") + Bytes{4} + BytesOfText("wide") + Bytes{13} +
                   BytesOfText("input differs");
  EXPECT_EQ(Ask(Request::kInfo).body, expected);
}

TEST_F(ServerTypesTest, CutsTextsThatAreTooLongForTheirLength) {
  for (const size_t length : {0u, 1u, 254u, 255u, 256u, 257u, 700u}) {
    const std::string name(length, 'n');
    model_.name = name.c_str();
    const Bytes body = Ask(Request::kInfo).body;
    const size_t told = length < 255 ? length : 255;
    const Bytes texts(body.begin() + 76, body.end());
    EXPECT_EQ(texts, Bytes{10} + BytesOfText("fake_board") + Bytes{static_cast<uint8_t>(told)} +
                         Bytes(told, 'n') + Bytes{0})
        << length;
  }
}

TEST_F(ServerTypesTest, TellsTheTicksOfOperatorsInTheirOrder) {
  EXPECT_EQ(Ask(Request::kProfile).body, Number(1000, 8) + Number(993, 8) + Number(986, 8));
}

TEST(FrameBufferSizeTest, HoldsTheLargestRequest) {
  EXPECT_EQ(FrameBufferSize(100, ElementType::kInt8), 106u);
  EXPECT_EQ(FrameBufferSize(100, ElementType::kInt16), 206u);
  EXPECT_EQ(FrameBufferSize(100, ElementType::kFloat32), 406u);
}

TEST(FrameBufferSizeTest, HoldsAPingWhereTheInputIsTiny) {
  EXPECT_EQ(FrameBufferSize(1, ElementType::kInt8), 70u);
  EXPECT_EQ(FrameBufferSize(63, ElementType::kInt8), 70u);
  EXPECT_EQ(FrameBufferSize(65, ElementType::kInt8), 71u);
  EXPECT_EQ(FrameBufferSize(16, ElementType::kFloat32), 70u);
  EXPECT_EQ(FrameBufferSize(17, ElementType::kFloat32), 74u);
}

}  // namespace
}  // namespace tinyseg
