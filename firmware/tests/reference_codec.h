// Frames by the book, sharing no code with core/: what core/frame is compared with.
#ifndef TINYSEG_TESTS_REFERENCE_CODEC_H_
#define TINYSEG_TESTS_REFERENCE_CODEC_H_

#include <cstdint>

#include "tests/wire.h"

namespace tinyseg {

// CRC-32 of IEEE 802.3, bit by bit.
inline uint32_t ReferenceCrc32(const Bytes& bytes) {
  uint32_t crc = 0xFFFFFFFFu;
  for (const uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
  }
  return crc ^ 0xFFFFFFFFu;
}

// The shortest COBS encoding. The firmware's ends with one code byte more after a full last block,
// which decodes to the same.
inline Bytes ReferenceStuff(const Bytes& content) {
  Bytes stuffed;
  size_t at = 0;
  bool more = true;
  while (more) {
    size_t run = 0;
    while (at + run < content.size() && content[at + run] != 0 && run < 254) ++run;
    stuffed.push_back(static_cast<uint8_t>(run + 1));
    stuffed.insert(stuffed.end(), content.begin() + static_cast<long>(at),
                   content.begin() + static_cast<long>(at + run));
    at += run;
    more = at < content.size();
    // A full block stands for no zero; other blocks end at one.
    if (run < 254 && more) {
      ++at;
    }
  }
  return stuffed;
}

inline Bytes ReferenceUnstuff(const Bytes& stuffed) {
  Bytes content;
  size_t at = 0;
  while (at < stuffed.size()) {
    const size_t code = stuffed[at];
    const size_t end = at + code < stuffed.size() ? at + code : stuffed.size();
    content.insert(content.end(), stuffed.begin() + static_cast<long>(at + 1),
                   stuffed.begin() + static_cast<long>(end));
    at = end;
    if (code < 255 && at < stuffed.size()) content.push_back(0);
  }
  return content;
}

// Type, sequence, body and checksum.
inline Bytes ReferenceContent(const Message& message) {
  Bytes content = Bytes{message.type, message.sequence} + message.body;
  const uint32_t crc = ReferenceCrc32(content);
  for (int i = 0; i < 4; ++i) content.push_back(static_cast<uint8_t>(crc >> (8 * i)));
  return content;
}

inline Bytes ReferenceEncode(const Message& message) {
  return Bytes{0} + ReferenceStuff(ReferenceContent(message)) + Bytes{0};
}

}  // namespace tinyseg

#endif  // TINYSEG_TESTS_REFERENCE_CODEC_H_
