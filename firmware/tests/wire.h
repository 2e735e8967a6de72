// Frames to bytes and back, for tests and fuzzers.
#ifndef TINYSEG_TESTS_WIRE_H_
#define TINYSEG_TESTS_WIRE_H_

#include <cstdint>
#include <vector>

#include "core/frame.h"

namespace tinyseg {

using Bytes = std::vector<uint8_t>;

inline ByteView ViewOf(const Bytes& bytes) { return {bytes.data(), bytes.size()}; }

inline Bytes BytesOf(ByteView view) { return Bytes(view.data, view.data + view.size); }

// A frame that owns its body.
struct Message {
  uint8_t type = 0;
  uint8_t sequence = 0;
  Bytes body;

  bool operator==(const Message& other) const {
    return type == other.type && sequence == other.sequence && body == other.body;
  }
};

inline Message MessageOf(const Frame& frame) {
  return {frame.type, frame.sequence, BytesOf(frame.body)};
}

// Keeps what is written.
class RecordingSink final : public ByteSink {
 public:
  void Write(uint8_t byte) override { bytes.push_back(byte); }

  Bytes bytes;
};

inline Bytes Encode(const Message& message) {
  RecordingSink sink;
  FrameEncoder encoder(sink, message.type, message.sequence);
  encoder.Add(ViewOf(message.body));
  encoder.Finish();
  return sink.bytes;
}

// What a decoder made of a line.
struct Decoded {
  std::vector<Message> frames;
  std::vector<Status> errors;
};

// Feeds a whole line to a decoder.
inline Decoded FeedAll(FrameDecoder& decoder, const Bytes& line) {
  Decoded decoded;
  for (const uint8_t byte : line) {
    switch (decoder.Feed(byte)) {
      case FrameDecoder::Event::kNone:
        break;
      case FrameDecoder::Event::kFrame:
        decoded.frames.push_back(MessageOf(decoder.frame()));
        break;
      case FrameDecoder::Event::kError:
        decoded.errors.push_back(decoder.error());
        break;
    }
  }
  return decoded;
}

// Decodes a line with a buffer of exactly `capacity` bytes.
inline Decoded Decode(const Bytes& line, size_t capacity = 4096) {
  Bytes buffer(capacity);
  FrameDecoder decoder({buffer.data(), buffer.size()});
  return FeedAll(decoder, line);
}

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

}  // namespace tinyseg

#endif  // TINYSEG_TESTS_WIRE_H_
