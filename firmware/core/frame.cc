#include "core/frame.h"

namespace tinyseg {

FrameDecoder::Event FrameDecoder::Feed(uint8_t byte) {
  if (byte == 0) return empty_ ? Event::kNone : Finish();
  empty_ = false;
  if (block_left_ > 0) {
    --block_left_;
    Store(byte);
    return Event::kNone;
  }
  // A code byte: so many bytes without a zero follow, then a zero unless the block is full.
  if (zero_due_) Store(0);
  zero_due_ = byte != 0xFF;
  block_left_ = static_cast<uint8_t>(byte - 1);
  return Event::kNone;
}

void FrameDecoder::Store(uint8_t byte) {
  if (size_ < buffer_.size) buffer_.data[size_] = byte;
  // One beyond the end is enough to know, and never wraps.
  if (size_ <= buffer_.size) ++size_;
}

FrameDecoder::Event FrameDecoder::Finish() {
  const size_t size = size_;
  const bool complete = block_left_ == 0;
  size_ = 0;
  block_left_ = 0;
  zero_due_ = false;
  empty_ = true;
  if (size > buffer_.size) {
    return Fail(Code::kTooLarge, static_cast<uint32_t>(buffer_.size), "frame exceeds the buffer");
  }
  if (!complete || size < kFrameHeader + kFrameTrailer) {
    return Fail(Code::kTruncated, static_cast<uint32_t>(size), "frame is cut short");
  }
  const size_t content = size - kFrameTrailer;
  const uint32_t sent = ReadLittleEndian(buffer_.data + content, kFrameTrailer);
  if (sent != Crc32Of({buffer_.data, content})) {
    return Fail(Code::kBadChecksum, sent, "frame was damaged on the line");
  }
  frame_.type = buffer_.data[0];
  frame_.sequence = buffer_.data[1];
  frame_.body = {buffer_.data + kFrameHeader, content - kFrameHeader};
  return Event::kFrame;
}

FrameDecoder::Event FrameDecoder::Fail(Code code, uint32_t detail, const char* text) {
  error_ = {code, detail, text};
  return Event::kError;
}

FrameEncoder::FrameEncoder(ByteSink& sink, uint8_t type, uint8_t sequence) : sink_(sink) {
  sink_.Write(0);
  const uint8_t header[kFrameHeader] = {type, sequence};
  Add({header, kFrameHeader});
}

void FrameEncoder::Add(ByteView bytes) {
  crc_.Add(bytes);
  for (size_t i = 0; i < bytes.size; ++i) Stuff(bytes.data[i]);
}

void FrameEncoder::AddNumber(uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) {
    const uint8_t byte = static_cast<uint8_t>(value >> (8 * i));
    Add({&byte, 1});
  }
}

void FrameEncoder::Finish() {
  const uint32_t crc = crc_.value();
  for (int i = 0; i < 4; ++i) Stuff(static_cast<uint8_t>(crc >> (8 * i)));
  FlushBlock();
  sink_.Write(0);
}

void FrameEncoder::Stuff(uint8_t byte) {
  if (byte == 0) {
    FlushBlock();
    return;
  }
  block_[block_size_++] = byte;
  if (block_size_ == sizeof(block_)) FlushBlock();
}

void FrameEncoder::FlushBlock() {
  sink_.Write(static_cast<uint8_t>(block_size_ + 1));
  for (uint8_t i = 0; i < block_size_; ++i) sink_.Write(block_[i]);
  block_size_ = 0;
}

}  // namespace tinyseg
