// Any bytes into the decoder: it stays inside its buffer, and finds every intact frame.
#include "core/frame.h"
#include "fuzz/script.h"

namespace tinyseg {
namespace {

void CheckFrame(const Frame& frame, const Bytes& buffer) {
  Require(frame.body.data == buffer.data() + kFrameHeader, "a body lies behind its header");
  Require(kFrameHeader + frame.body.size + kFrameTrailer <= buffer.size(), "a frame fits");
  const Message message = MessageOf(frame);
  const Decoded again = Decode(Encode(message), buffer.size());
  Require(again.errors.empty() && again.frames.size() == 1 && again.frames[0] == message,
          "a frame that was read is read again when sent");
}

void CheckError(const Status& error, const Bytes& buffer) {
  switch (error.code) {
    case Code::kTooLarge:
      return Require(error.detail == buffer.size(), "too large tells the buffer's size");
    case Code::kTruncated:
      return Require(error.detail <= buffer.size(), "truncated tells bytes in the buffer");
    case Code::kBadChecksum:
      return Require(buffer.size() >= kFrameHeader + kFrameTrailer, "a checksum was received");
    default:
      Require(false, "a decoder's error is one of three");
  }
}

// Feeds a line, checks each event, and returns them all.
Decoded Check(FrameDecoder& decoder, const Bytes& line, const Bytes& buffer) {
  Decoded decoded;
  for (const uint8_t byte : line) {
    const FrameDecoder::Event event = decoder.Feed(byte);
    if (event == FrameDecoder::Event::kNone) continue;
    Require(byte == 0, "a frame ends at a zero");
    if (event == FrameDecoder::Event::kFrame) {
      CheckFrame(decoder.frame(), buffer);
      decoded.frames.push_back(MessageOf(decoder.frame()));
    } else {
      CheckError(decoder.error(), buffer);
      decoded.errors.push_back(decoder.error());
    }
  }
  return decoded;
}

void CheckSent(FrameDecoder& decoder, const Message& message, const Bytes& buffer) {
  const Bytes line = Encode(message);
  Require(std::count(line.begin(), line.end(), 0) == 2, "only ends of a frame are zero");
  Check(decoder, {0}, buffer);  // Ends noise before it.
  const Decoded decoded = Check(decoder, line, buffer);
  if (kFrameHeader + message.body.size() + kFrameTrailer <= buffer.size()) {
    Require(decoded.errors.empty() && decoded.frames.size() == 1 && decoded.frames[0] == message,
            "an intact frame is read");
  } else {
    Require(decoded.frames.empty() && decoded.errors.size() == 1 &&
                decoded.errors[0].code == Code::kTooLarge,
            "a frame larger than the buffer is too large");
  }
}

}  // namespace
}  // namespace tinyseg

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tinyseg;
  Script script(data, size);
  const size_t capacity = 2u * script.NextByte();
  Bytes buffer(capacity);
  FrameDecoder decoder({buffer.data(), buffer.size()});
  while (!script.done()) {
    const Step step = script.NextStep();
    if (step.is_frame) {
      CheckSent(decoder, step.message, buffer);
    } else {
      Check(decoder, step.noise, buffer);
    }
  }
  CheckSent(decoder, {1, 2, {3, 0, 4}}, buffer);
  return 0;
}
