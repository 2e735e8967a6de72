// CRC-32 of IEEE 802.3 (reflected, polynomial 0xEDB88320), as zlib and Python's zlib.crc32.
#ifndef TINYSEG_CORE_CRC32_H_
#define TINYSEG_CORE_CRC32_H_

#include "core/bytes.h"

namespace tinyseg {

// A checksum in progress. Feeds of any sizes give the checksum of all bytes together.
class Crc32 {
 public:
  void Add(uint8_t byte);
  void Add(ByteView bytes);
  uint32_t value() const { return ~state_; }

 private:
  uint32_t state_ = 0xFFFFFFFFu;
};

inline uint32_t Crc32Of(ByteView bytes) {
  Crc32 crc;
  crc.Add(bytes);
  return crc.value();
}

}  // namespace tinyseg

#endif  // TINYSEG_CORE_CRC32_H_
