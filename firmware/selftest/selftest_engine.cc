#include "selftest/selftest_engine.h"

#include "core/sha256.h"

namespace tinyseg {
namespace {

constexpr uint32_t kChannels = static_cast<uint32_t>(kSelftestShape.output_channels);
constexpr uint32_t kElements = 32 * 32 * 64;
constexpr uint32_t kFilterWords = kChannels * static_cast<uint32_t>(kSelftestShape.filter_words());
// Every second value of the sums is possible: they fit int8 after a division by eight or so.
constexpr BinaryConvRange kRange = {0, -3, -128, 127};

struct Memory {
  int8_t input[kElements];
  int8_t output[kElements];
  uint32_t filter[kFilterWords];
  uint32_t scratch[kSelftestShape.scratch_words()];
  Requantization requantization[kChannels];
};

__attribute__((section(".arena"), aligned(16))) Memory memory;

// Marsaglia's xorshift32; tests/boards repeats it.
uint32_t NextRandom(uint32_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

constexpr int8_t kZero = 0;
constexpr uint8_t kNoDigest[kSha256Size] = {};

struct PixelTable {
  int8_t values[256];
  constexpr PixelTable() : values() {
    for (int i = 0; i < 256; ++i) values[i] = static_cast<int8_t>(i - 128);
  }
};
constexpr PixelTable kTable;

}  // namespace

const ModelDescription kSelftestModel = {
    "selftest",
    {},
    0,
    kNoDigest,
    ElementType::kInt8,
    kElements,
    64,
    ElementType::kInt8,
    kElements,
    kTable.values,
    &kZero,
};

Status SelftestEngine::Start() {
  uint32_t state = 1;
  for (uint32_t& word : memory.filter) word = NextRandom(&state);
  for (Requantization& to : memory.requantization) {
    // Factors from an eighth to a quarter, in units of the sum's fraction; biases of -8 to 8.
    to.multiplier = static_cast<int32_t>(0x40000000u + (NextRandom(&state) >> 2));
    to.shift = kBinaryConvFractionBits + 2;
    to.bias = static_cast<int32_t>(NextRandom(&state) >> 16) - 32768;
  }
  return {};
}

MutableBytes SelftestEngine::input() {
  return {reinterpret_cast<uint8_t*>(memory.input), sizeof(memory.input)};
}

Status SelftestEngine::Run() {
  const uint64_t start = board::Ticks();
  BinaryConv(kSelftestShape, kRange, memory.input, memory.filter, memory.requantization,
             memory.scratch, memory.output);
  ticks_ = board::Ticks() - start;
  return {};
}

MutableBytes SelftestEngine::output() {
  return {reinterpret_cast<uint8_t*>(memory.output), sizeof(memory.output)};
}

ArenaReport SelftestEngine::arena() const { return {sizeof(memory), sizeof(memory)}; }

}  // namespace tinyseg
