// CONV_2D of four pixels a row and more, with packed weights: they are unpacked for a pair of
// channels at a time. Scratch besides that of the others: a pair of channels with its weights.
#include <cstring>

#include "engine/kernels/dsp/convolution.h"
#include "engine/kernels/dsp/dsp.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

class Pairs : public Unpacker {
 public:
  Pairs(const Rows& rows, const PackedConvolutionParams& params)
      : Unpacker{[](const Unpacker& self, int32_t pair, int32_t first) {
          return static_cast<const Pairs&>(self).Unpack(pair, first);
        }},
        channels_(rows.at<ChannelPair>(params.convolution.weights)),
        indices_(rows.at<uint8_t>(params.packed.indices)),
        tables_(rows.at<int8_t>(params.packed.tables)),
        packed_(params.packed),
        words_(params.convolution.pairs),
        to_(reinterpret_cast<int8_t*>(rows.scratch())) {}

 private:
  const int8_t* Unpack(int32_t pair, int32_t first) const {
    std::memcpy(to_, channels_ + pair, sizeof(ChannelPair));
    const uint8_t* const indices = indices_ + pair * packed_.pair_bytes;
    const int8_t* const even = tables_ + first * packed_.table_step;
    const int8_t* const odd = even + packed_.table_step;
    const int32_t bits = packed_.bits;
    const uint32_t mask = (1u << bits) - 1;
    int8_t* to = to_ + sizeof(ChannelPair);
    // Four indices at a time: with what precedes them in their byte they fit a word.
    uint32_t place = 0;
    for (int32_t left = words_; left > 0; --left, to += 4, place += 4u * bits) {
      uint32_t held = LoadWord(indices + place / 8) >> place % 8;
      const int32_t first_even = even[held & mask];
      const int32_t first_odd = odd[(held >>= bits) & mask];
      const int32_t second_even = even[(held >>= bits) & mask];
      const int32_t second_odd = odd[(held >> bits) & mask];
      StoreWord(to, MakeWord(first_even, first_odd, second_even, second_odd));
    }
    return to_;
  }

  const ChannelPair* const channels_;
  const uint8_t* const indices_;
  const int8_t* const tables_;
  const PackedPairs& packed_;
  const int32_t words_;  // Of four weights, for each pair of channels.
  int8_t* const to_;
};

}  // namespace

void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  constexpr int32_t kSlack = 12;  // Weights are read by four words.
  const auto& params = rows.params<PackedConvolutionParams>(node);
  const Pairs pairs(rows, params);
  const auto unpacked = static_cast<int32_t>(sizeof(ChannelPair)) + params.convolution.pairs * 4;
  ComputeConvolution(rows, node, row, output, rows.scratch() + unpacked + kSlack, &pairs);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
