// TRANSPOSE_CONV.
#include "engine/kernels/filters.h"
#include "engine/kernels/host/host.h"
#include "engine/kernels/host/memory.h"
#include "engine/kernels/host/product.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace host {
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
        output_(output),
        outside_(Kept<TransposedRow, int8_t>(static_cast<size_t>(depth_))) {
    std::memset(outside_, params_.input_zero, static_cast<size_t>(depth_));
    const int32_t y = static_cast<int32_t>(row) + window_.top;
    phase_y_ = y % window_.stride_y;
    row_ = y / window_.stride_y;
    taps_y_ = TapsOf(phase_y_, window_.height, window_.stride_y);
  }

  void Compute(const PackedWeights* packed) const {
    const int32_t filter = window_.height * window_.width * depth_;
    const Filters filters(rows_, params_.weights, packed, filter);
    for (int32_t phase = 0; phase < window_.stride_x; ++phase) ComputePhase(phase, filters);
    ClampRow(output_, node_.width * node_.channels, params_.least, params_.most);
  }

 private:
  static int32_t TapsOf(int32_t phase, int32_t size, int32_t stride) {
    return phase < size ? (size - phase + stride - 1) / stride : 0;
  }

  void ComputePhase(int32_t phase, const Filters& filters) const {
    const int32_t stride = window_.stride_x;
    // The first pixel of the phase, and the column of the input that its tap 0 meets.
    const int32_t first = (phase - window_.left % stride + stride) % stride;
    const int32_t column = (first + window_.left) / stride;
    const int32_t pixels = first < node_.width ? (node_.width - first + stride - 1) / stride : 0;
    const int32_t taps = TapsOf(phase, window_.width, stride);
    Windows windows(pixels, taps_y_ * taps * depth_);
    for (int32_t x = 0; x < pixels; x += kLanes) Gather(x, column + x, taps, &windows);
    Columns columns(windows.pairs());
    const Channel* const channels =
        rows_.at<Channel>(params_.channels) + (phase_y_ * stride + phase) * channels_;
    for (int32_t c = 0; c < channels_; c += kChannels) {
      const int32_t count = channels_ - c < kChannels ? channels_ - c : kChannels;
      SetColumns(filters, c, count, phase, taps, &columns);
      Multiply(windows, columns, channels + c, count, params_.output_zero,
               output_ + first * channels_ + c, stride * channels_);
    }
  }

  // Sets what eight pixels from number `x` of a phase on are made of; the first one's tap 0 meets
  // a column of the input.
  void Gather(int32_t x, int32_t column, int32_t taps, Windows* windows) const {
    int32_t at = 0;
    for (int32_t tap_y = 0; tap_y < taps_y_; ++tap_y) {
      const int32_t y = row_ - tap_y;
      const bool row_inside = y >= 0 && y < source_.rows;
      const int8_t* const row =
          row_inside ? rows_.input(node_, 0, static_cast<uint32_t>(y)) : outside_;
      for (int32_t tap_x = 0; tap_x < taps; ++tap_x, at += depth_) {
        const int8_t* from[kLanes];
        for (int32_t p = 0; p < kLanes; ++p) {
          const int32_t place = column + p - tap_x;
          const bool is_inside = row_inside && place >= 0 && place < source_.width;
          from[p] = is_inside ? row + place * depth_ : outside_;
        }
        windows->Set(x, at, from, depth_);
      }
    }
  }

  void SetColumns(const Filters& filters, int32_t first, int32_t count, int32_t phase, int32_t taps,
                  Columns* columns) const {
    const int32_t tap_row = window_.width * depth_;
    const int32_t step = window_.stride_y * tap_row;
    for (int32_t c = 0; c < count; ++c) {
      // Of the window only the rows that this row takes.
      const int8_t* const filter =
          filters.Parts(first + c, false, phase_y_ * tap_row, tap_row, step) + phase_y_ * tap_row;
      int32_t at = 0;
      for (int32_t tap_y = 0; tap_y < taps_y_; ++tap_y) {
        for (int32_t tap_x = 0; tap_x < taps; ++tap_x, at += depth_) {
          const int32_t column = phase + tap_x * window_.stride_x;
          columns->Set(c, at, filter + tap_y * step + column * depth_, depth_);
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
  int8_t* const outside_;  // A pixel outside the input.
  int32_t phase_y_;        // First row of the window that this row takes.
  int32_t row_;            // Of the input, that it meets.
  int32_t taps_y_;         // Rows of the window that this row takes.
};

}  // namespace

void Transposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  TransposedRow(rows, node, row, output).Compute(nullptr);
}

void PackedTransposed(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PackedTransposedParams>(node);
  TransposedRow(rows, node, row, output).Compute(&params.weights);
}

}  // namespace host
}  // namespace engine
}  // namespace tinyseg
