// TRANSPOSE_CONV. Needs no scratch but for packed weights.
#include "engine/kernels/dot.h"
#include "engine/kernels/filters.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace portable {
namespace {

// A row of the output. Its pixels of one phase, (x + left) % stride_x, are a convolution: every
// stride-th column and row of the window meets neighbouring pixels of the input, backwards.
class TransposedRow {
 public:
  TransposedRow(const Rows& rows, const Node& node, uint32_t row, int8_t* output)
      : rows_(rows),
        node_(node),
        source_(rows.source(node, 0)),
        // Those of packed weights come behind them.
        params_(rows.params<TransposedParams>(node)),
        window_(params_.window),
        depth_(static_cast<int32_t>(source_.channels)),
        channels_(static_cast<int32_t>(node.channels)),
        output_(output) {
    const int32_t y = static_cast<int32_t>(row) + window_.top;
    phase_y_ = y % window_.stride_y;
    row_ = y / window_.stride_y;
    taps_y_ = TapsOf(phase_y_, window_.height, window_.stride_y);
    inside_y_ = Inside(row_, taps_y_, source_.rows);
  }

  void Compute(const PackedWeights* packed) const {
    const int32_t tap_row = window_.width * depth_;
    const int32_t filter = window_.height * tap_row;
    const Filters filters(rows_, params_.weights, packed, filter);
    const Channel* const channels =
        rows_.at<Channel>(params_.channels) + phase_y_ * window_.stride_x * channels_;
    for (int32_t c = 0; c < channels_; c += 2) {
      const bool has_second = c + 1 < channels_;
      // Of the window only the rows that this row takes.
      const int8_t* const weights =
          filters.Parts(c, has_second, phase_y_ * tap_row, tap_row, window_.stride_y * tap_row);
      for (int32_t phase = 0; phase < window_.stride_x; ++phase) {
        const Channel* const channel = channels + phase * channels_ + c;
        ComputePhase(phase, ChannelPair(channel, has_second, weights, filter), output_ + c);
      }
    }
    ClampRow(output_, static_cast<uint32_t>(node_.width) * node_.channels, params_.least,
             params_.most);
  }

 private:
  static int32_t TapsOf(int32_t phase, int32_t size, int32_t stride) {
    return phase < size ? (size - phase + stride - 1) / stride : 0;
  }

  // Tap t meets the input at `place` - t; returns those inside `size`.
  static Range Inside(int32_t place, int32_t taps, int32_t size) {
    const int32_t begin = place >= size ? place - size + 1 : 0;
    const int32_t end = place + 1 < taps ? place + 1 : taps;
    if (begin >= end) return {0, 0};
    return {begin, end};
  }

  int32_t WeightsAt(int32_t tap_y, int32_t phase, int32_t tap_x) const {
    return ((phase_y_ + tap_y * window_.stride_y) * window_.width + phase +
            tap_x * window_.stride_x) *
           depth_;
  }

  void ComputePhase(int32_t phase, const ChannelPair& pair, int8_t* output) const {
    const int32_t stride = window_.stride_x;
    // The first pixel of the phase, and the column of the input that its tap 0 meets.
    const int32_t first = (phase - window_.left % stride + stride) % stride;
    const int32_t column = (first + window_.left) / stride;
    const int32_t count = first < node_.width ? (node_.width - first + stride - 1) / stride : 0;
    const int32_t taps = TapsOf(phase, window_.width, stride);
    output += first * channels_;
    for (int32_t i = 0; i < count;) {
      const Range inside = Inside(column + i, taps, source_.width);
      Dots dots(pair, column + i, params_.output_zero, stride * channels_);
      Gather(phase, taps, inside, &dots);
      // Pixels whose taps are all inside the input are made of the same.
      int32_t end = i + 1;
      if (taps_y_ * taps <= Dots::kMostRuns && inside.end - inside.begin == taps &&
          source_.width - column > end) {
        end = source_.width - column < count ? source_.width - column : count;
      }
      for (; i + kBlock <= end; i += kBlock) {
        dots.Compute<kBlock>(column + i, output + i * stride * channels_);
      }
      for (; i < end; ++i) dots.Compute<1>(column + i, output + i * stride * channels_);
    }
  }

  void Gather(int32_t phase, int32_t taps, const Range& inside, Dots* dots) const {
    for (int32_t tap_y = 0; tap_y < taps_y_; ++tap_y) {
      const bool row_inside = tap_y >= inside_y_.begin && tap_y < inside_y_.end;
      for (int32_t tap_x = 0; tap_x < taps; ++tap_x) {
        const int32_t at = WeightsAt(tap_y, phase, tap_x);
        if (row_inside && tap_x >= inside.begin && tap_x < inside.end) {
          const auto row = static_cast<uint32_t>(row_ - tap_y);
          dots->Add(rows_.input(node_, 0, row) - tap_x * depth_, depth_, at, depth_);
        } else {
          dots->AddConstant(params_.input_zero, at, depth_);
        }
      }
    }
  }

  const Rows& rows_;
  const Node& node_;
  const Node& source_;
  const TransposedParams& params_;
  const Window& window_;
  const int32_t depth_;
  const int32_t channels_;
  int8_t* const output_;
  int32_t phase_y_;  // First row of the window that this row takes.
  int32_t row_;      // Of the input, that it meets.
  int32_t taps_y_;   // Rows of the window that this row takes.
  Range inside_y_;   // Of them, those that meet rows inside the input.
};

}  // namespace

void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  TransposedRow(rows, node, row, output).Compute(nullptr);
}

void PackedTransposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PackedTransposedParams>(node);
  TransposedRow(rows, node, row, output).Compute(&params.weights);
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
