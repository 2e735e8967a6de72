#include "engine/kernels/host/product.h"

#include "engine/kernels/host/finish.h"
#include "engine/kernels/host/memory.h"

namespace tinyseg {
namespace engine {
namespace host {
namespace {

int32_t RoundUp(int32_t value, int32_t unit) { return (value + unit - 1) / unit * unit; }

// Sums of some channels and of a block of pixels.
using Tile = int32_t[kChannels][kPixels];

template <int kVectors>
void Add(const int16_t* pixels, const Columns& columns, int32_t pairs,
         const Channel* const* channels, Tile& tile) {
  Sums sums[kChannels][kVectors];
  Unroll<kChannels>([&](int c) TINYSEG_INLINED {
    Unroll<kVectors>([&](int v) TINYSEG_INLINED { sums[c][v] = Sums(channels[c]->bias); });
  });
  const int16_t* const weights = columns.weights(0);
  for (int32_t k = 0; k < pairs; ++k, pixels += 2 * kPixels) {
    Unroll<kChannels>([&](int c) TINYSEG_INLINED {
      Unroll<kVectors>([&](int v) TINYSEG_INLINED {
        sums[c][v].Add(pixels + 2 * kLanes * v, weights + 2 * (c * pairs + k));
      });
    });
  }
  Unroll<kChannels>([&](int c) TINYSEG_INLINED {
    Unroll<kVectors>([&](int v) TINYSEG_INLINED { sums[c][v].Store(tile[c] + v * kLanes); });
  });
}

// Writes the bytes of each pixel's channels side by side.
void Write(const int8_t (&bytes)[kChannels][kPixels], int32_t pixels, int32_t channels,
           int8_t* output, int32_t step) {
  if (channels == kChannels) {
    int8_t sides[kPixels][kChannels];
    InterleaveFour(bytes[0], sides[0]);
    for (int32_t i = 0; i < pixels; ++i) std::memcpy(output + i * step, sides[i], kChannels);
    return;
  }
  for (int32_t c = 0; c < channels; ++c) {
    for (int32_t i = 0; i < pixels; ++i) output[i * step + c] = bytes[c][i];
  }
}

}  // namespace

Windows::Windows(int32_t pixels, int32_t values)
    : pixels_(pixels),
      pairs_((values + 1) / 2),
      memory_(Kept<Windows, int16_t>(static_cast<size_t>(RoundUp(pixels, kPixels)) * 2 * pairs_)) {}

void Windows::Set(int32_t first, int32_t at, const int8_t* const* from, int32_t count) {
  constexpr int32_t kRow = 2 * kPixels;
  int16_t* const to = memory_ + 2 * (first / kPixels * kPixels * pairs_ + first % kPixels);
  int32_t i = 0;
  if (at % 2 == 0) {
    for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
      const int8_t* next[kLanes];
      for (int32_t p = 0; p < kLanes; ++p) next[p] = from[p] + i;
      Transpose(next, to + (at + i) / 2 * kRow, kRow);
    }
  }
  for (; i < count; ++i) {
    int16_t* const values = to + (at + i) / 2 * kRow + (at + i) % 2;
    for (int32_t p = 0; p < kLanes; ++p) values[2 * p] = from[p][i];
  }
}

Columns::Columns(int32_t pairs)
    : pairs_(pairs), memory_(Kept<Columns, int16_t>(static_cast<size_t>(kChannels) * 2 * pairs)) {
  // Where windows hold an odd number of values, what lies behind the last one counts nothing.
  if (pairs == 0) return;
  for (int32_t c = 1; c <= kChannels; ++c) memory_[2 * c * pairs - 1] = 0;
}

void Columns::Set(int32_t channel, int32_t at, const int8_t* from, int32_t count) {
  int16_t* const to = memory_ + 2 * channel * pairs_ + at;
  for (int32_t i = 0; i < count; ++i) to[i] = from[i];
}

void Multiply(const Windows& windows, const Columns& columns, const Channel* channels,
              int32_t count, int32_t zero, int8_t* output, int32_t step) {
  const auto channel = [&](int32_t c) -> const Channel& { return channels[c < count ? c : 0]; };
  const Channel* const each[kChannels] = {&channel(0), &channel(1), &channel(2), &channel(3)};
  const int32_t products = 2 * windows.pairs();
  const FinishMany finish[] = {{*each[0], products, zero},
                               {*each[1], products, zero},
                               {*each[2], products, zero},
                               {*each[3], products, zero}};
  Tile tile = {};
  int8_t bytes[kChannels][kPixels] = {};
  for (int32_t x = 0; x < windows.pixels(); x += kPixels) {
    const int32_t left = windows.pixels() - x;
    const auto add = left > kLanes ? Add<2> : Add<1>;
    add(windows.Block(x), columns, windows.pairs(), each, tile);
    for (int32_t c = 0; c < count; ++c) finish[c](tile[c], bytes[c]);
    Write(bytes, left < kPixels ? left : kPixels, count, output + x * step, step);
  }
}

}  // namespace host
}  // namespace engine
}  // namespace tinyseg
