#include "engine/kernels/dsp/gemm.h"

#include <cstring>

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

constexpr int32_t kPixels = 4;      // Of a tile.
constexpr int32_t kPanelSlack = 6;  // Weights are unpacked by fours.

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
      panel_(reinterpret_cast<Pair*>(row.scratch)),
      activations_(panel_ + row.pairs * 2 + kPanelSlack),
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
  // The last tile may begin earlier.
  if (end > row_.pixels / kPixels) end = row_.pixels / kPixels;
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
        split.tail,
        !row_.params.doubles_weights};
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
  const Split split(bytes);
  // The columns under all of a tile's windows.
  const int32_t columns = (kPixels - 1) * row_.stride + run.columns;
  const int32_t column = run.first + pixel * row_.stride;
  const bool is_inside = column >= 0 && column + columns + (bytes & 1) <= row_.width;
  if (!is_inside) CopyColumns(run, column, columns);
  const tinyseg_dsp_widening widening = {is_inside ? run.row + column * run.channels : windows_,
                                         row_.stride * run.channels,
                                         to,
                                         split.words,
                                         1,
                                         0,
                                         0,
                                         split.tail,
                                         !row_.params.doubles_weights};
  tinyseg_dsp_widen(&widening);
}

// Copies columns from `column` on to `windows_`, with padding where the input has none.
void Gemm::CopyColumns(const Run& run, int32_t column, int32_t columns) const {
  int32_t begin = column < 0 ? -column : 0;
  int32_t end = row_.width - column < columns ? row_.width - column : columns;
  if (begin >= end) begin = end = columns;
  const auto fill = [&](int32_t first, int32_t count) {
    std::memset(windows_ + first * run.channels, row_.params.input_zero,
                static_cast<size_t>(count * run.channels));
  };
  if (begin > 0) fill(0, begin);
  std::memcpy(windows_ + begin * run.channels, run.row + (column + begin) * run.channels,
              static_cast<size_t>((end - begin) * run.channels));
  if (end < columns) fill(end, columns - end);
}

void Gemm::Fill(int32_t pairs, int32_t count, Pair* to) const {
  const int32_t zero = row_.params.input_zero * (row_.params.doubles_weights ? 1 : 2);
  const Pair value = MakePair(zero, zero);
  for (; count > 0; --count, to += row_.pairs * kPixels) {
    for (int32_t i = 0; i < pairs * kPixels; ++i) to[i] = value;
  }
}

void Gemm::Multiply(int32_t tile, int32_t count) const {
  const int32_t first = PixelOf(tile);
  const int32_t last = PixelOf(tile + count - 1);
  // Pixels of the last tile that the one before has, too.
  const int32_t shared = (count - 1) * kPixels - (last - first);
  tinyseg_dsp_product product = {activations_,
                                 panel_,
                                 row_.weights,
                                 row_.output + first * row_.step,
                                 shared > 0 ? count - 1 : count,
                                 row_.step,
                                 row_.pairs,
                                 row_.channels / 2,
                                 shared,
                                 (last - first) * row_.step,
                                 row_.params.doubles_weights,
                                 row_.params.is_signed};
  if (row_.channels == 1) return MultiplyOne(product, count);
  if (row_.unpacker != nullptr) return MultiplyPacked(product);
  tinyseg_dsp_multiply(&product);
  if (row_.channels % 2 == 0) return;
  // The last channel once more with the one before.
  product.weights +=
      product.channel_pairs * (static_cast<int32_t>(sizeof(ChannelPair)) + row_.pairs * 4);
  product.output += row_.channels - 2;
  product.channel_pairs = 1;
  tinyseg_dsp_multiply(&product);
}

void Gemm::MultiplyPacked(tinyseg_dsp_product product) const {
  int8_t* const output = product.output;
  const int32_t pairs = (row_.channels + 1) / 2;
  product.channel_pairs = 1;
  for (int32_t i = 0; i < pairs; ++i) {
    // The last two channels may overlap those before.
    const int32_t first = 2 * i + 1 < row_.channels ? 2 * i : row_.channels - 2;
    product.weights = row_.unpacker->unpack(*row_.unpacker, i, first);
    product.output = output + first;
    tinyseg_dsp_multiply(&product);
  }
}

// The second channel of a pair is the next pixel, which is computed later but for the last.
void Gemm::MultiplyOne(tinyseg_dsp_product product, int32_t count) const {
  int8_t* const last = product.output + (product.last_tile == kNoLastTile ? (count - 1) * kPixels
                                                                          : product.last_offset);
  product.channel_pairs = 1;
  product.last_tile = kNoLastTile;
  product.tiles = count - 1;
  tinyseg_dsp_multiply(&product);
  product.activations += product.tiles * row_.pairs * kPixels;
  product.output = windows_;
  product.tiles = 1;
  tinyseg_dsp_multiply(&product);
  StoreWord(last, LoadWord(windows_));
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
