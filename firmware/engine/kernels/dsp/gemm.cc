#include "engine/kernels/dsp/gemm.h"

#include <cstring>

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

constexpr int32_t kPixels = 4;  // Of a tile.

// How bytes under a window become pairs: whole words, then two bytes or one; a byte that is missed
// is read from behind them, and has no weight.
struct Split {
  int32_t words, tail, pairs;

  explicit Split(int32_t bytes)
      : words(((bytes + 1) >> 2)),
        tail((bytes & 3) == 1 || (bytes & 3) == 2),
        pairs(2 * words + tail) {}
};

}  // namespace

Gemm::Gemm(const GemmRow& row)
    : row_(row),
      tiles_((row.pixels + kPixels - 1) / kPixels),
      constants_(reinterpret_cast<tinyseg_dsp_constants*>(row.scratch)),
      panel_(reinterpret_cast<Pair*>(constants_ + 1)),
      activations_(panel_ + ((row.pairs + 1) & ~1) * 2),
      windows_(reinterpret_cast<int8_t*>(activations_ + row.params.block * row.pairs * kPixels)) {}

void Gemm::Compute() const {
  for (int32_t tile = 0; tile < tiles_; tile += row_.params.block) {
    const int32_t left = tiles_ - tile;
    const int32_t count = left < row_.params.block ? left : row_.params.block;
    Pair* to = activations_;
    for (int32_t i = 0; i < run_count_; ++i) {
      GatherRun(runs_[i], tile, count, to);
      to += Split(runs_[i].columns * runs_[i].channels).pairs * kPixels;
    }
    Multiply(tile, count);
  }
}

int32_t Gemm::PixelOf(int32_t tile) const {
  const int32_t pixel = tile * kPixels;
  return pixel + kPixels > row_.pixels ? row_.pixels - kPixels : pixel;
}

void Gemm::GatherRun(const Run& run, int32_t tile, int32_t count, Pair* to) const {
  const int32_t bytes = run.columns * run.channels;
  const Split split(bytes);
  if (run.row == nullptr) return Fill(split.pairs, count, to);
  // Tiles from `begin` to before `end` lie inside the input.
  const int32_t step = row_.stride * kPixels;
  const int32_t last = row_.width - run.columns - run.first - (bytes & 1);
  int32_t begin = run.first < 0 ? (-run.first + step - 1) / step : 0;
  int32_t end = last < 0 ? 0 : (last / row_.stride + 1) / kPixels;
  if (begin < tile) begin = tile;
  if (end > tile + count) end = tile + count;
  if (end > begin) {
    const int32_t column = run.first + begin * step;
    const tinyseg_dsp_widening widening = {
        run.row + column * run.channels,
        row_.stride * run.channels,
        to + (begin - tile) * row_.pairs * kPixels,
        split.words,
        end - begin,
        step * run.channels - split.words * 4,
        (row_.pairs - split.pairs) * kPixels * static_cast<int32_t>(sizeof(Pair)),
        split.tail};
    tinyseg_dsp_widen(&widening);
  } else {
    begin = end = tile;
  }
  for (int32_t i = tile; i < tile + count; ++i) {
    if (i == begin) i = end;
    if (i == tile + count) break;
    GatherWindows(run, PixelOf(i), to + (i - tile) * row_.pairs * kPixels);
  }
}

void Gemm::GatherWindows(const Run& run, int32_t pixel, Pair* to) const {
  const int32_t bytes = run.columns * run.channels;
  const int32_t step = (bytes + 3) & ~3;
  const Split split(bytes);
  for (int32_t p = 0; p < kPixels; ++p) {
    int8_t* const window = windows_ + p * step;
    const int32_t column = run.first + (pixel + p) * row_.stride;
    int32_t begin = column < 0 ? -column : 0;
    int32_t end = row_.width - column < run.columns ? row_.width - column : run.columns;
    if (begin < end) {
      begin *= run.channels;
      end *= run.channels;
      std::memcpy(window + begin, run.row + column * run.channels + begin,
                  static_cast<size_t>(end - begin));
    } else {
      begin = end = bytes;
    }
    std::memset(window, row_.params.input_zero, static_cast<size_t>(begin));
    std::memset(window + end, row_.params.input_zero, static_cast<size_t>(step - end));
  }
  const tinyseg_dsp_widening widening = {windows_, step, to, split.words, 1, 0, 0, split.tail};
  tinyseg_dsp_widen(&widening);
}

void Gemm::Fill(int32_t pairs, int32_t count, Pair* to) const {
  const Pair value = MakePair(row_.params.input_zero, row_.params.input_zero);
  for (; count > 0; --count, to += row_.pairs * kPixels) {
    for (int32_t i = 0; i < pairs * kPixels; ++i) to[i] = value;
  }
}

void Gemm::Multiply(int32_t tile, int32_t count) const {
  constexpr int32_t kBlock = 8;
  constexpr int32_t kThumb = 1;
  const auto compute = row_.params.is_signed ? tinyseg_dsp_signed_tiles : tinyseg_dsp_tiles;
  const int32_t begin = PixelOf(tile);
  const int32_t last = PixelOf(tile + count - 1);
  const bool is_even = last - begin == (count - 1) * kPixels;
  tinyseg_dsp_tile_row tiles = {activations_,
                                panel_,
                                constants_,
                                nullptr,
                                is_even ? count : count - 1,
                                row_.step,
                                (row_.pairs + kBlock - 1) / kBlock,
                                (-row_.pairs & (kBlock - 1)) * kBytesOfPair + kThumb};
  const int8_t* weights = row_.weights;
  for (int32_t channel = 0; channel < row_.channels; channel += 2) {
    // The last two channels may overlap those before.
    const int32_t first = channel + 2 > row_.channels ? row_.channels - 2 : channel;
    const auto& pair = *reinterpret_cast<const ChannelPair*>(weights);
    weights += sizeof(ChannelPair);
    for (auto& biases : constants_->biases) {
      biases[0] = pair.biases[0];
      biases[1] = pair.biases[1];
    }
    constants_->finishes[0] = pair.finishes[0];
    constants_->finishes[1] = pair.finishes[1];
    tinyseg_dsp_unpack(weights, panel_, row_.pairs);
    weights += row_.pairs * 4;
    tiles.output = row_.output + begin * row_.step + first;
    if (tiles.tiles > 0) compute(&tiles);
    if (is_even) continue;
    tinyseg_dsp_tile_row end = tiles;
    end.activations += (count - 1) * row_.pairs * kPixels;
    end.output = row_.output + last * row_.step + first;
    end.tiles = 1;
    compute(&end);
  }
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
