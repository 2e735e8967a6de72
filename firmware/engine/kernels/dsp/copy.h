// Copies of bytes. The C library for microcontrollers copies one byte at a time.
#ifndef TINYSEG_ENGINE_KERNELS_DSP_COPY_H_
#define TINYSEG_ENGINE_KERNELS_DSP_COPY_H_

#include "engine/kernels/dsp/intrinsics.h"

namespace tinyseg {
namespace engine {
namespace dsp {

inline void CopyBytes(int8_t* to, const int8_t* from, uint32_t count) {
  for (; count >= 16; count -= 16, from += 16, to += 16) {
    const uint32_t first = LoadWord(from);
    const uint32_t second = LoadWord(from + 4);
    const uint32_t third = LoadWord(from + 8);
    const uint32_t fourth = LoadWord(from + 12);
    StoreWord(to, first);
    StoreWord(to + 4, second);
    StoreWord(to + 8, third);
    StoreWord(to + 12, fourth);
  }
  for (; count >= 4; count -= 4, from += 4, to += 4) StoreWord(to, LoadWord(from));
  for (; count > 0; --count) *to++ = *from++;
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_DSP_COPY_H_
