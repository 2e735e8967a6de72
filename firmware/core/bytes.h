// Views of bytes, and little-endian numbers in them.
#ifndef TINYSEG_CORE_BYTES_H_
#define TINYSEG_CORE_BYTES_H_

#include <cstddef>
#include <cstdint>

namespace tinyseg {

// Bytes that someone else owns.
struct ByteView {
  const uint8_t* data = nullptr;
  size_t size = 0;
};

// Writable bytes that someone else owns.
struct MutableBytes {
  uint8_t* data = nullptr;
  size_t size = 0;

  operator ByteView() const { return {data, size}; }
};

// Reads a little-endian number of `width` (1 to 4) bytes.
inline uint32_t ReadLittleEndian(const uint8_t* bytes, size_t width) {
  uint32_t value = 0;
  for (size_t i = width; i > 0; --i) value = value << 8 | bytes[i - 1];
  return value;
}

}  // namespace tinyseg

#endif  // TINYSEG_CORE_BYTES_H_
