// A fuzzer's input as a script: noise, and frames whose checksum fits, which noise never finds.
//
// Each step is a byte and its operands: 0..99 so many bytes of noise, 100..199 a frame of so many
// bytes less 100, 200..255 a frame of 1..56 times eight equal bytes. A step takes what is left.
#ifndef TINYSEG_FUZZ_SCRIPT_H_
#define TINYSEG_FUZZ_SCRIPT_H_

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/wire.h"

namespace tinyseg {

// Ends the process, which is how a fuzzer fails.
inline void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Step {
  bool is_frame = false;
  Bytes noise;      // Unless it is a frame.
  Message message;  // If it is one.
};

class Script {
 public:
  Script(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool done() const { return size_ == 0; }

  // Returns zero at the end.
  uint8_t NextByte() { return done() ? 0 : Take(1)[0]; }

  Step NextStep() {
    const uint8_t kind = NextByte();
    if (kind < 100) return {false, Take(kind), {}};
    Message message;
    message.type = NextByte();
    message.sequence = NextByte();
    message.body = kind < 200 ? Take(kind - 100u) : Bytes(8u * (kind - 199u), NextByte());
    return {true, {}, message};
  }

 private:
  Bytes Take(size_t count) {
    count = std::min(count, size_);
    const Bytes taken(data_, data_ + count);
    data_ += count;
    size_ -= count;
    return taken;
  }

  const uint8_t* data_;
  size_t size_;
};

}  // namespace tinyseg

#endif  // TINYSEG_FUZZ_SCRIPT_H_
