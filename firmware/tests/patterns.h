// Bodies that put zeros, and runs without one, where COBS treats them differently.
#ifndef TINYSEG_TESTS_PATTERNS_H_
#define TINYSEG_TESTS_PATTERNS_H_

#include <random>
#include <vector>

#include "tests/wire.h"

namespace tinyseg {

// Bodies of one length: all zero, no zero, a zero at either end, zeros at some distances, random.
inline std::vector<Bytes> Patterns(size_t length) {
  std::vector<Bytes> patterns = {Bytes(length, 0), Bytes(length, 0xFF)};
  if (length > 0) {
    patterns.push_back(Bytes(length, 1));
    patterns.back().front() = 0;
    patterns.push_back(Bytes(length, 1));
    patterns.back().back() = 0;
  }
  for (const size_t distance : {2u, 253u, 254u, 255u, 256u}) {
    Bytes body(length);
    for (size_t i = 0; i < length; ++i) {
      body[i] = i % distance == distance - 1 ? 0 : static_cast<uint8_t>(i % 255 + 1);
    }
    patterns.push_back(body);
  }
  std::mt19937 random(static_cast<uint32_t>(length));
  Bytes body(length);
  for (uint8_t& byte : body) byte = static_cast<uint8_t>(random());
  patterns.push_back(body);
  return patterns;
}

constexpr size_t kLongestPattern = 600;

}  // namespace tinyseg

#endif  // TINYSEG_TESTS_PATTERNS_H_
