#include "core/sha256.h"

#include <cstring>

namespace tinyseg {
namespace {

constexpr size_t kBlock = 64;

constexpr uint32_t kRound[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};

uint32_t RotateRight(uint32_t value, int bits) { return value >> bits | value << (32 - bits); }

uint32_t ReadBigEndian(const uint8_t* bytes) {
  return static_cast<uint32_t>(bytes[0]) << 24 | static_cast<uint32_t>(bytes[1]) << 16 |
         static_cast<uint32_t>(bytes[2]) << 8 | bytes[3];
}

void WriteBigEndian(uint32_t value, uint8_t* bytes) {
  for (int i = 0; i < 4; ++i) bytes[i] = static_cast<uint8_t>(value >> (24 - 8 * i));
}

void AddBlock(const uint8_t* block, uint32_t* state) {
  uint32_t schedule[64];
  for (int i = 0; i < 16; ++i) schedule[i] = ReadBigEndian(block + 4 * i);
  for (int i = 16; i < 64; ++i) {
    const uint32_t a = schedule[i - 15];
    const uint32_t b = schedule[i - 2];
    schedule[i] = schedule[i - 16] + (RotateRight(a, 7) ^ RotateRight(a, 18) ^ a >> 3) +
                  schedule[i - 7] + (RotateRight(b, 17) ^ RotateRight(b, 19) ^ b >> 10);
  }
  uint32_t s[8];
  std::memcpy(s, state, sizeof(s));
  for (int i = 0; i < 64; ++i) {
    const uint32_t big1 = RotateRight(s[4], 6) ^ RotateRight(s[4], 11) ^ RotateRight(s[4], 25);
    const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    const uint32_t first = s[7] + big1 + choice + kRound[i] + schedule[i];
    const uint32_t big0 = RotateRight(s[0], 2) ^ RotateRight(s[0], 13) ^ RotateRight(s[0], 22);
    const uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    for (int j = 7; j > 0; --j) s[j] = s[j - 1];
    s[4] += first;
    s[0] = first + big0 + majority;
  }
  for (int i = 0; i < 8; ++i) state[i] += s[i];
}

}  // namespace

void Sha256(ByteView bytes, uint8_t* digest) {
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  size_t done = 0;
  for (; bytes.size - done >= kBlock; done += kBlock) AddBlock(bytes.data + done, state);

  // The rest, a one bit, zeros, and the length in bits: one block, or two where it does not fit.
  uint8_t last[2 * kBlock] = {};
  const size_t rest = bytes.size - done;
  if (rest > 0) std::memcpy(last, bytes.data + done, rest);
  last[rest] = 0x80;
  const size_t size = rest < kBlock - 8 ? kBlock : 2 * kBlock;
  const uint64_t bits = static_cast<uint64_t>(bytes.size) * 8;
  WriteBigEndian(static_cast<uint32_t>(bits >> 32), last + size - 8);
  WriteBigEndian(static_cast<uint32_t>(bits), last + size - 4);
  for (size_t i = 0; i < size; i += kBlock) AddBlock(last + i, state);
  for (int i = 0; i < 8; ++i) WriteBigEndian(state[i], digest + 4 * i);
}

}  // namespace tinyseg
