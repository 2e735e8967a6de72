// What tests of the server share.
#ifndef TINYSEG_TESTS_SERVER_FIXTURE_H_
#define TINYSEG_TESTS_SERVER_FIXTURE_H_

#include <gtest/gtest.h>

#include <string>

#include "tests/fake_device.h"

namespace tinyseg {

inline Bytes BytesOfText(const std::string& text) { return Bytes(text.begin(), text.end()); }

inline std::string TextOf(const Bytes& bytes, size_t first = 0) {
  return std::string(bytes.begin() + static_cast<long>(first), bytes.end());
}

class ServerFixture : public ::testing::Test {
 protected:
  static constexpr uint8_t kSequence = 42;

  // Sends one line and returns the only frame that comes back.
  Message Exchange(const Bytes& line) {
    const Decoded sent = device_.Receive(line);
    EXPECT_EQ(sent.errors.size(), 0u);
    EXPECT_EQ(sent.frames.size(), 1u);
    return sent.frames.empty() ? Message{} : sent.frames[0];
  }

  Message Ask(Request request, const Bytes& body = {}, uint8_t sequence = kSequence) {
    return Exchange(Encode({static_cast<uint8_t>(request), sequence, body}));
  }

  // Starts the server and returns its line of text.
  std::string StartAndReadLog() {
    const Decoded sent = device_.Start();
    EXPECT_EQ(sent.errors.size(), 0u);
    EXPECT_EQ(sent.frames.size(), 1u);
    if (sent.frames.empty()) return "";
    EXPECT_EQ(sent.frames[0].type, kLogFrame);
    EXPECT_EQ(sent.frames[0].sequence, kNoSequence);
    return TextOf(sent.frames[0].body);
  }

  static void ExpectReply(const Message& reply, Request request, const Bytes& body,
                          uint8_t sequence = kSequence) {
    EXPECT_EQ(reply.type, static_cast<uint8_t>(request) | kReplyBit);
    EXPECT_EQ(reply.sequence, sequence);
    EXPECT_EQ(reply.body, body);
  }

  // Expects an error that answers a frame of that type and sequence, and a text that helps.
  static void ExpectError(const Message& reply, Code code, uint8_t type, uint8_t sequence,
                          uint32_t detail) {
    EXPECT_EQ(reply.type, kErrorFrame);
    EXPECT_EQ(reply.sequence, sequence);
    ASSERT_GT(reply.body.size(), 6u);
    EXPECT_EQ(reply.body[0], static_cast<uint8_t>(code));
    EXPECT_EQ(reply.body[1], type);
    EXPECT_EQ(ReadLittleEndian(&reply.body[2], 4), detail);
  }

  static std::string ErrorText(const Message& reply) { return TextOf(reply.body, 6); }

  void ExpectAlive() {
    const Bytes body = {0xCA, 0x00, 0xFE};
    ExpectReply(Ask(Request::kPing, body, 77), Request::kPing, body, 77);
  }

  FakeDevice device_;
};

}  // namespace tinyseg

#endif  // TINYSEG_TESTS_SERVER_FIXTURE_H_
