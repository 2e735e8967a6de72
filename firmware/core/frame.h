// Frames on a serial line: COBS between zero bytes, with a CRC-32 at the end.
//
//   00 | COBS(type, sequence, body..., CRC-32 little-endian) | 00
//
// Consistent Overhead Byte Stuffing (Cheshire and Baker, IEEE/ACM Transactions on Networking,
// 1999) leaves no zero byte inside a frame, so a receiver finds the next frame after any noise.
#ifndef TINYSEG_CORE_FRAME_H_
#define TINYSEG_CORE_FRAME_H_

#include "core/bytes.h"
#include "core/crc32.h"
#include "core/status.h"

namespace tinyseg {

constexpr size_t kFrameHeader = 2;   // Type and sequence number.
constexpr size_t kFrameTrailer = 4;  // CRC-32.

// A frame's content, without its checksum.
struct Frame {
  uint8_t type = 0;
  uint8_t sequence = 0;
  ByteView body;
};

// Turns received bytes into frames, whatever arrives.
class FrameDecoder {
 public:
  // `buffer` holds one decoded frame with header and trailer.
  explicit FrameDecoder(MutableBytes buffer) : buffer_(buffer) {}

  enum class Event { kNone, kFrame, kError };

  // Takes one byte. After kFrame, frame() is valid until the next call; after kError, error() is.
  Event Feed(uint8_t byte);

  const Frame& frame() const { return frame_; }
  const Status& error() const { return error_; }

 private:
  Event Finish();
  Event Fail(Code code, uint32_t detail, const char* text);
  void Store(uint8_t byte);

  MutableBytes buffer_;
  size_t size_ = 0;         // Decoded bytes, counted beyond the buffer's end too.
  uint8_t block_left_ = 0;  // Bytes to come before the next code byte.
  bool zero_due_ = false;   // Whether a zero belongs before the next code byte's block.
  bool empty_ = true;       // Nothing but zeros since the last frame.
  Frame frame_;
  Status error_;
};

// Where encoded bytes go.
class ByteSink {
 public:
  virtual void Write(uint8_t byte) = 0;

 protected:
  ~ByteSink() = default;
};

// Sends one frame piece by piece, without a buffer for the whole.
class FrameEncoder {
 public:
  // Starts a frame.
  FrameEncoder(ByteSink& sink, uint8_t type, uint8_t sequence);
  FrameEncoder(const FrameEncoder&) = delete;
  FrameEncoder& operator=(const FrameEncoder&) = delete;

  void Add(ByteView bytes);
  // Adds a little-endian number of `width` (1 to 8) bytes.
  void AddNumber(uint64_t value, size_t width);
  // Adds the checksum and ends the frame.
  void Finish();

 private:
  void Stuff(uint8_t byte);
  void FlushBlock();

  ByteSink& sink_;
  Crc32 crc_;
  uint8_t block_[254];
  uint8_t block_size_ = 0;
};

}  // namespace tinyseg

#endif  // TINYSEG_CORE_FRAME_H_
