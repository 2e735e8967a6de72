// Copies and fills of any number of bytes, 16 at once.
#ifndef TINYSEG_ENGINE_KERNELS_MVE_BYTES_H_
#define TINYSEG_ENGINE_KERNELS_MVE_BYTES_H_

#include <cstdint>

namespace tinyseg {
namespace engine {
namespace mve {

inline void Copy(int8_t* to, const int8_t* from, int32_t count) {
  __asm__ volatile(
      "wls lr, %[blocks], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vldrb.8 q1, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "vstrb.8 q1, [%[to]], #16\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vldrb.8 q1, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "vstrb.8 q1, [%[to]], #16\n"
      "le lr, 1b\n"
      "2:\n"
      "wlstp.8 lr, %[rest], 4f\n"
      "3:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 3b\n"
      "4:\n"
      : [to] "+&r"(to), [from] "+&r"(from)
      : [blocks] "r"(count >> 6), [rest] "r"(count & 63)
      : "lr", "q0", "q1", "memory", "cc");
}

inline void Fill(int8_t* to, int32_t value, int32_t count) {
  __asm__ volatile(
      "vdup.8 q0, %[value]\n"
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vstrb.8 q0, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+&r"(to)
      : [value] "r"(value), [count] "r"(count)
      : "lr", "q0", "memory", "cc");
}

// Copies `count` pieces of eight bytes that follow each other; all addresses are multiples of four.
inline void SpreadEights(int8_t* to, int32_t to_step, const int8_t* from, int32_t count) {
  int8_t* next = to + to_step;
  __asm__ volatile(
      "wls lr, %[pairs], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vstr d0, [%[to]]\n"
      "vstr d1, [%[next]]\n"
      "add %[to], %[step]\n"
      "add %[next], %[step]\n"
      "le lr, 1b\n"
      "2:\n"
      : [to] "+&r"(to), [next] "+&r"(next), [from] "+&r"(from)
      : [pairs] "r"(count / 2), [step] "r"(2 * to_step)
      : "lr", "q0", "memory", "cc");
  if (count % 2 != 0) Copy(to, from, 8);
}

// Copies `count` bytes that follow each other, each so many bytes, 17 at most, from the one before.
inline void SpreadBytes(int8_t* to, int32_t to_step, const int8_t* from, int32_t count) {
  int32_t first = 0;
  __asm__ volatile(
      "vidup.u8 q1, %[first], #1\n"
      "vmul.i8 q1, q1, %[step]\n"
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vstrb.8 q0, [%[to], q1]\n"
      "add %[to], %[steps]\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+&r"(to), [from] "+&r"(from), [first] "+&Te"(first)
      : [count] "r"(count), [step] "r"(to_step), [steps] "r"(16 * to_step)
      : "lr", "q0", "q1", "memory", "cc");
}

// Copies `count` pieces of `bytes` bytes, each so many bytes from the one before.
inline void CopyPieces(int8_t* to, int32_t to_step, const int8_t* from, int32_t from_step,
                       int32_t bytes, int32_t count) {
  if (bytes == to_step && bytes == from_step) {
    Copy(to, from, bytes * count);
    return;
  }
  const auto places = reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from);
  if (bytes == 8 && from_step == 8 && ((places | static_cast<uintptr_t>(to_step)) & 3) == 0) {
    SpreadEights(to, to_step, from, count);
    return;
  }
  if (bytes == 1 && from_step == 1 && to_step <= 17) {
    SpreadBytes(to, to_step, from, count);
    return;
  }
  if (bytes > 16) {
    for (; count > 0; --count, to += to_step, from += from_step) Copy(to, from, bytes);
    return;
  }
  __asm__ volatile(
      "vctp.8 %[bytes]\n"
      "wls lr, %[count], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[from]]\n"
      "add %[from], %[from_step]\n"
      "vpst\n"
      "vstrbt.8 q0, [%[to]]\n"
      "add %[to], %[to_step]\n"
      "le lr, 1b\n"
      "2:\n"
      : [to] "+&r"(to), [from] "+&r"(from)
      : [bytes] "r"(bytes), [count] "r"(count), [to_step] "r"(to_step), [from_step] "r"(from_step)
      : "lr", "q0", "memory", "cc");
}

// Takes the first channels of pixels of four.
inline void Narrow(const int8_t* from, int32_t channels, int32_t width, int8_t* to) {
  if (channels == 1) {
    __asm__ volatile(
        "wlstp.32 lr, %[count], 2f\n"
        "1:\n"
        "vldrw.32 q0, [%[from]], #16\n"
        "vstrb.32 q0, [%[to]], #4\n"
        "letp lr, 1b\n"
        "2:\n"
        : [to] "+&r"(to), [from] "+&r"(from)
        : [count] "r"(width)
        : "lr", "q0", "memory", "cc");
    return;
  }
  for (int32_t x = 0; x < width; ++x, from += 4) {
    for (int32_t c = 0; c < channels; ++c) *to++ = from[c];
  }
}

// Clamps bytes; activations that int8 has anyway cost nothing.
inline void Clamp(int8_t* bytes, int32_t count, int32_t least, int32_t most) {
  if (least <= -128 && most >= 127) return;
  __asm__ volatile(
      "vdup.8 q1, %[least]\n"
      "vdup.8 q2, %[most]\n"
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[bytes]]\n"
      "vmax.s8 q0, q0, q1\n"
      "vmin.s8 q0, q0, q2\n"
      "vstrb.8 q0, [%[bytes]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [bytes] "+&r"(bytes)
      : [least] "r"(least), [most] "r"(most), [count] "r"(count)
      : "lr", "q0", "q1", "q2", "memory", "cc");
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_ENGINE_KERNELS_MVE_BYTES_H_
