// CONV_2D and FULLY_CONNECTED. Needs no scratch.
#include "engine/kernels/dot.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace portable {
namespace {

// One row of the output, two channels after two channels.
class ConvolutionRow {
 public:
  ConvolutionRow(const Rows& rows, const Node& node, uint32_t row, int8_t* output)
      : rows_(rows),
        node_(node),
        params_(rows.params<ConvolutionParams>(node)),
        window_(params_.window),
        input_(rows, node, window_, row),
        width_(rows.source(node, 0).width),
        output_(output),
        output_step_(static_cast<int32_t>(node.channels)),
        is_contiguous_(node.link_count == 1 && (window_.dilation_x == 1 || window_.width == 1)) {
    for (uint32_t i = 0; i < node.link_count; ++i) {
      channels_ += static_cast<int32_t>(rows.source(node, i).channels);
    }
    tap_row_ = window_.width * channels_;
  }

  void Compute() {
    const int32_t filter = window_.height * tap_row_;
    const int8_t* weights = rows_.at<int8_t>(params_.weights);
    const Channel* channel = rows_.at<Channel>(params_.channels);
    for (int32_t c = 0; c < output_step_; c += 2, channel += 2, weights += 2 * filter) {
      ComputePair(ChannelPair(channel, c + 1 < output_step_, weights, filter), output_ + c);
    }
    ClampRow(output_, static_cast<uint32_t>(node_.width) * node_.channels, params_.least,
             params_.most);
  }

 private:
  void ComputePair(const ChannelPair& pair, int8_t* output) const {
    const int32_t bias[2] = {BiasOf(pair, 0), BiasOf(pair, 1)};
    const int32_t count = node_.width;
    const Range inside = WindowsInside(count, width_, window_.width, window_.stride_x,
                                       window_.dilation_x, window_.left);
    int32_t x = 0;
    for (; x < inside.begin; ++x) ComputeBorder(pair, bias, x, output);
    for (; x < inside.end; x += kBlock) {
      if (x + kBlock > inside.end) {
        // The last block begins earlier rather than being smaller.
        if (inside.end - kBlock < inside.begin) break;
        x = inside.end - kBlock;
      }
      ComputeBlock<kBlock>(pair, bias, x, {0, window_.width}, output);
    }
    for (; x < inside.end; ++x) ComputeBlock<1>(pair, bias, x, {0, window_.width}, output);
    for (; x < count; ++x) ComputeBorder(pair, bias, x, output);
  }

  // The channel's bias, with what the window's rows outside the input add: its zero point.
  int32_t BiasOf(const ChannelPair& pair, int which) const {
    int32_t bias = pair.channels[which]->bias;
    const Range taps = input_.taps();
    if (params_.input_zero != 0 && taps.end - taps.begin < window_.height) {
      const int8_t* weights = pair.weights[which];
      bias += params_.input_zero *
              (SumOf(weights, taps.begin * tap_row_) +
               SumOf(weights + taps.end * tap_row_, (window_.height - taps.end) * tap_row_));
    }
    return bias;
  }

  void ComputeBorder(const ChannelPair& pair, const int32_t* bias, int32_t x,
                     int8_t* output) const {
    const Range taps =
        TapsInside(x * window_.stride_x - window_.left, window_.width, window_.dilation_x, width_);
    int32_t with_border[2] = {bias[0], bias[1]};
    for (int which = 0; which < 2 && params_.input_zero != 0; ++which) {
      const int8_t* weights = pair.weights[which] + input_.taps().begin * tap_row_;
      for (int32_t tap = input_.taps().begin; tap < input_.taps().end; ++tap) {
        with_border[which] += params_.input_zero * (SumOf(weights, taps.begin * channels_) +
                                                    SumOf(weights + taps.end * channels_,
                                                          (window_.width - taps.end) * channels_));
        weights += tap_row_;
      }
    }
    ComputeBlock<1>(pair, with_border, x, taps, output);
  }

  // Computes pixels from `x` on, of which the taps `taps` are inside the input.
  template <int kPixels>
  void ComputeBlock(const ChannelPair& pair, const int32_t* bias, int32_t x, const Range& taps,
                    int8_t* output) const {
    Sums<kPixels> sums;
    for (int p = 0; p < kPixels; ++p) {
      sums.of[p][0] = bias[0];
      sums.of[p][1] = bias[1];
    }
    const int32_t column = x * window_.stride_x - window_.left;
    for (int32_t tap = input_.taps().begin; tap < input_.taps().end; ++tap) {
      if (is_contiguous_) {
        const int32_t at = tap * tap_row_ + taps.begin * channels_;
        AddDots<kPixels>(
            input_.Row(tap, 0) + (column + taps.begin * window_.dilation_x) * channels_,
            window_.stride_x * channels_, pair.weights[0] + at, pair.weights[1] + at,
            (taps.end - taps.begin) * channels_, &sums);
      } else {
        AddTapByTap<kPixels>(pair, column, tap, taps, &sums);
      }
    }
    Store<kPixels>(sums, pair, params_.output_zero, output + x * output_step_, output_step_);
  }

  template <int kPixels>
  void AddTapByTap(const ChannelPair& pair, int32_t column, int32_t tap_y, const Range& taps,
                   Sums<kPixels>* sums) const {
    int32_t at = tap_y * tap_row_ + taps.begin * channels_;
    for (int32_t tap = taps.begin; tap < taps.end; ++tap) {
      for (uint32_t link = 0; link < node_.link_count; ++link) {
        const auto channels = static_cast<int32_t>(rows_.source(node_, link).channels);
        AddDots<kPixels>(input_.Row(tap_y, link) + (column + tap * window_.dilation_x) * channels,
                         window_.stride_x * channels, pair.weights[0] + at, pair.weights[1] + at,
                         channels, sums);
        at += channels;
      }
    }
  }

  const Rows& rows_;
  const Node& node_;
  const ConvolutionParams& params_;
  const Window& window_;
  const WindowRows input_;
  const int32_t width_;
  int8_t* const output_;
  const int32_t output_step_;
  const bool is_contiguous_;  // All columns of a window's row lie one after another.
  int32_t channels_ = 0;      // Of all sources.
  int32_t tap_row_ = 0;       // Weights of one row of the window.
};

}  // namespace

void Convolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  ConvolutionRow(rows, node, row, output).Compute();
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
