// CONV_2D of less than four pixels a row, and FULLY_CONNECTED: weights are read where they lie.
// Scratch: pairs of all pixels, and what lies under a window's row.
#include <cstring>

#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/finish.h"
#include "engine/kernels/unroll.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

// Widens the windows of a row's pixels.
class Widener {
 public:
  Widener(const Rows& rows, const Node& node, uint32_t row)
      : rows_(rows),
        node_(node),
        params_(rows.params<NarrowParams>(node)),
        input_(rows, node, params_.window, row),
        pairs_(reinterpret_cast<Pair*>(rows.scratch())),
        bytes_(reinterpret_cast<int8_t*>(pairs_ + params_.pairs * node.width)) {}

  // Returns for each pair of depths that of each pixel, doubled.
  const Pair* Widen() const {
    const Window& window = params_.window;
    const bool is_whole = node_.link_count == 1 && (window.dilation_x == 1 || window.width == 1);
    const int32_t columns = is_whole ? window.width : 1;
    Pair* to = pairs_;
    for (int32_t tap_y = 0; tap_y < window.height; ++tap_y) {
      for (int32_t tap = 0; tap < window.width; tap += columns) {
        for (uint32_t link = 0; link < node_.link_count; ++link) {
          Pair* end = to;
          for (int32_t x = 0; x < node_.width; ++x) {
            const int32_t column = x * window.stride_x - window.left + tap * window.dilation_x;
            end = Spread(Gather(tap_y, link, column, columns), to + x);
          }
          to = end - (node_.width - 1);
        }
      }
    }
    return pairs_;
  }

 private:
  // Copies columns from `column` on, with their padding; returns how many bytes they are.
  int32_t Gather(int32_t tap_y, uint32_t link, int32_t column, int32_t columns) const {
    const Node& source = rows_.source(node_, link);
    const auto channels = static_cast<int32_t>(source.channels);
    const bool is_inside = tap_y >= input_.taps().begin && tap_y < input_.taps().end;
    const Range inside = TapsInside(column, is_inside ? columns : 0, 1, source.width);
    const int32_t bytes = columns * channels;
    if (inside.end - inside.begin < columns) {
      std::memset(bytes_, params_.input_zero, static_cast<size_t>(bytes));
    }
    if (inside.begin < inside.end) {
      std::memcpy(bytes_ + inside.begin * channels,
                  input_.Row(tap_y, link) + (column + inside.begin) * channels,
                  static_cast<size_t>((inside.end - inside.begin) * channels));
    }
    return bytes;
  }

  // Of four bytes the first and third are a pair, and the second and fourth; one or two left over
  // are one more. Returns where the next bytes' go.
  Pair* Spread(int32_t bytes, Pair* to) const {
    const int32_t step = node_.width;
    const int8_t* from = bytes_;
    for (int32_t words = (bytes + 1) >> 2; words > 0; --words, from += 4, to += 2 * step) {
      const uint32_t word = LoadWord(from);
      to[0] = Twice(EvenBytes(word));
      to[step] = Twice(OddBytes(word));
    }
    if ((bytes & 3) != 1 && (bytes & 3) != 2) return to;
    *to = MakePair(2 * from[0], 2 * from[1]);
    return to + step;
  }

  const Rows& rows_;
  const Node& node_;
  const NarrowParams& params_;
  const WindowRows input_;
  Pair* const pairs_;
  int8_t* const bytes_;
};

// Two channels of all pixels of a row; `pixels` has for each pair of depths that of each.
template <int kPixels>
void ComputePair(const ChannelPair& channels, const Pair* pixels, int32_t pairs, int8_t* output,
                 int32_t step, int32_t second) {
  constexpr int kTurns = 4;
  int32_t sums[kPixels][2];
  Unroll<kPixels>([&](int p) TINYSEG_INLINED {
    sums[p][0] = channels.biases[0];
    sums[p][1] = channels.biases[1];
  });
  const auto* weights = reinterpret_cast<const uint32_t*>(&channels + 1);
  const auto add = [&](int turn) TINYSEG_INLINED {
    const uint32_t word = weights[turn];
    const Pair pair[2] = {EvenBytes(word), OddBytes(word)};
    Unroll<kPixels>([&](int p) TINYSEG_INLINED {
      const Pair pixel = pixels[turn * kPixels + p];
      sums[p][0] = AddProducts(pixel, pair[0], sums[p][0]);
      sums[p][1] = AddProducts(pixel, pair[1], sums[p][1]);
    });
  };
  const uint32_t* const end = weights + pairs;
  for (; end - weights >= kTurns; weights += kTurns, pixels += kTurns * kPixels) {
    Unroll<kTurns>([&](int turn) TINYSEG_INLINED { add(turn); });
  }
  for (; weights != end; ++weights, pixels += kPixels) add(0);
  Unroll<kPixels>([&](int p) TINYSEG_INLINED {
    // The only channel is written twice, with one value.
    output[p * step + second] = Byte<true>(sums[p][1], channels.finishes[1]);
    output[p * step] = Byte<true>(sums[p][0], channels.finishes[0]);
  });
}

template <int kPixels>
void ComputeRow(const NarrowParams& params, const int8_t* weights, const Pair* pixels,
                int32_t channels, int8_t* output) {
  const int32_t second = channels > 1;
  for (int32_t c = 0; c < channels; c += 2) {
    // The last two may overlap those before.
    const int32_t first = c + 1 < channels || c == 0 ? c : c - 1;
    ComputePair<kPixels>(*reinterpret_cast<const ChannelPair*>(weights), pixels, params.pairs,
                         output + first, channels, second);
    weights += sizeof(ChannelPair) + params.pairs * sizeof(uint32_t);
  }
}

}  // namespace

void Narrow(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<NarrowParams>(node);
  const auto* weights = rows.at<int8_t>(params.weights);
  const auto channels = static_cast<int32_t>(node.channels);
  const Pair* pixels = Widener(rows, node, row).Widen();
  const auto compute = node.width == 1   ? ComputeRow<1>
                       : node.width == 2 ? ComputeRow<2>
                                         : ComputeRow<3>;
  compute(params, weights, pixels, channels, output);
  ClampRow(output, static_cast<uint32_t>(node.width) * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
