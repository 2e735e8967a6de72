#include "core/crc32.h"

namespace tinyseg {
namespace {

// One entry for each value of four bits: 64 bytes of flash, two look-ups a byte.
constexpr uint32_t kTable[16] = {
    0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4, 0x4DB26158, 0x5005713C,
    0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C, 0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C,
};

}  // namespace

void Crc32::Add(uint8_t byte) {
  state_ ^= byte;
  state_ = state_ >> 4 ^ kTable[state_ & 15];
  state_ = state_ >> 4 ^ kTable[state_ & 15];
}

void Crc32::Add(ByteView bytes) {
  for (size_t i = 0; i < bytes.size; ++i) Add(bytes.data[i]);
}

}  // namespace tinyseg
