// DEPTHWISE_CONV_2D. Needs no scratch.
#include "engine/kernels/machine.h"
#include "engine/kernels/portable/portable.h"
#include "engine/kernels/requantize.h"
#include "engine/kernels/unroll.h"
#include "engine/kernels/window.h"

namespace tinyseg {
namespace engine {
namespace portable {
namespace {

// Pixels computed together.
constexpr int32_t kPixels = 4;

// One channel of a row, along pixels whose windows lie inside the input.
struct Walk {
  const int8_t* const* rows;  // Of the input, under the window's rows.
  int32_t row_count;
  int32_t width;     // Of the window.
  int32_t step;      // Between pixels of the input.
  int32_t tap_step;  // Between those under neighbouring columns of the window.
  const int8_t* weights;
  int32_t weight_step;
  int32_t bias;
  Finish finish;
  int32_t output_step;
};

// Adds three taps of one row for four pixels: neighbours share values.
TINYSEG_INLINE void AddThree(const int8_t* from, int32_t step, const int8_t* weight,
                             int32_t weight_step, int32_t (&sums)[kPixels]) {
  const int32_t left = *weight;
  const int32_t middle = *(weight += weight_step);
  const int32_t right = *(weight + weight_step);
  int32_t value = *from;
  sums[0] += value * left;
  value = *(from += step);
  sums[0] += value * middle;
  sums[1] += value * left;
  value = *(from += step);
  sums[0] += value * right;
  sums[1] += value * middle;
  sums[2] += value * left;
  value = *(from += step);
  sums[1] += value * right;
  sums[2] += value * middle;
  sums[3] += value * left;
  value = *(from += step);
  sums[2] += value * right;
  sums[3] += value * middle;
  value = *(from += step);
  sums[3] += value * right;
}

TINYSEG_INLINE void AddTaps(const Walk& walk, const int8_t* from, const int8_t* weight,
                            int32_t (&sums)[kPixels]) {
  const int32_t step = walk.step;
  for (int32_t tap = walk.width; tap > 0; --tap) {
    const int32_t factor = *weight;
    const int8_t* pixel = from;
    sums[0] += *pixel * factor;
    sums[1] += *(pixel += step) * factor;
    sums[2] += *(pixel += step) * factor;
    sums[3] += *(pixel += step) * factor;
    weight += walk.weight_step;
    from += walk.tap_step;
  }
}

// Computes four pixels; `offset` is where the first lies in the rows.
template <bool kIsThree>
__attribute__((noinline)) void WalkBlock(const Walk& walk, int32_t offset, int8_t* output) {
  int32_t sums[kPixels] = {walk.bias, walk.bias, walk.bias, walk.bias};
  const int8_t* weight = walk.weights;
  const int32_t row_step = walk.width * walk.weight_step;
  const int8_t* const* const end = walk.rows + walk.row_count;
  for (const int8_t* const* row = walk.rows; row != end; ++row, weight += row_step) {
    if constexpr (kIsThree) {
      AddThree(*row + offset, walk.step, weight, walk.weight_step, sums);
    } else {
      AddTaps(walk, *row + offset, weight, sums);
    }
  }
  const Finish finish = walk.finish;
  const int32_t step = walk.output_step;
  *output = finish(sums[0]);
  *(output += step) = finish(sums[1]);
  *(output += step) = finish(sums[2]);
  *(output += step) = finish(sums[3]);
}

class DepthwiseRow {
 public:
  DepthwiseRow(const Rows& rows, const Node& node, uint32_t row, int8_t* output)
      : rows_(rows),
        node_(node),
        params_(rows.params<DepthwiseParams>(node)),
        window_(params_.window),
        input_(rows, node, window_, row),
        width_(rows.source(node, 0).width),
        inside_(WindowsInside(node.width, width_, window_.width, window_.stride_x,
                              window_.dilation_x, window_.left)),
        channels_(static_cast<int32_t>(node.channels)),
        weights_(rows.at<int8_t>(params_.weights)),
        channel_(rows.at<Channel>(params_.channels)),
        output_(output) {}

  void Compute() const {
    int32_t first = 0;
    for (uint32_t link = 0; link < node_.link_count; ++link) {
      const auto channels = static_cast<int32_t>(rows_.source(node_, link).channels);
      if (kVectors && params_.multiplier == 1) {
        for (int32_t x = 0; x < node_.width; ++x) ComputePixel(link, channels, first, x);
      } else {
        for (int32_t c = 0; c < channels * params_.multiplier; ++c) {
          ComputeChannel({link, channels, c / params_.multiplier, first + c});
        }
      }
      first += channels * params_.multiplier;
    }
    ClampRow(output_, static_cast<uint32_t>(node_.width) * node_.channels, params_.least,
             params_.most);
  }

 private:
  // A channel of the output, and of which source's channel it is made.
  struct Place {
    uint32_t link;
    int32_t channels;
    int32_t from;
    int32_t to;
  };

  static constexpr int32_t kMostRows = 12;  // That are walked along.

  int32_t WeightOf(int32_t tap_y, int32_t tap_x, int32_t channel) const {
    return weights_[(tap_y * window_.width + tap_x) * channels_ + channel];
  }

  void ComputeChannel(const Place& place) const {
    const int32_t rows = input_.taps().end - input_.taps().begin;
    int32_t x = 0;
    if (rows <= kMostRows && inside_.end - inside_.begin >= kPixels &&
        Finish::IsOrdinary(channel_[place.to], window_.height * window_.width)) {
      for (; x < inside_.begin; ++x) ComputeBorder(place, x);
      WalkInside(place, rows);
      x = inside_.end;
    }
    for (; x < node_.width; ++x) ComputeBorder(place, x);
  }

  void WalkInside(const Place& place, int32_t row_count) const {
    const int8_t* rows[kMostRows];
    for (int32_t i = 0; i < row_count; ++i) {
      rows[i] = input_.Row(input_.taps().begin + i, place.link) - window_.left * place.channels +
                place.from;
    }
    const Channel& channel = channel_[place.to];
    const Walk walk = {rows,
                       row_count,
                       window_.width,
                       window_.stride_x * place.channels,
                       window_.dilation_x * place.channels,
                       weights_ + input_.taps().begin * window_.width * channels_ + place.to,
                       channels_,
                       channel.bias + Outside({0, window_.width}, place.to),
                       Finish(channel, params_.output_zero),
                       channels_};
    const bool is_three = walk.width == 3 && walk.step == walk.tap_step;
    const auto block = is_three ? WalkBlock<true> : WalkBlock<false>;
    for (int32_t x = inside_.begin; x < inside_.end; x += kPixels) {
      // The last block begins earlier rather than being smaller.
      if (x + kPixels > inside_.end) x = inside_.end - kPixels;
      block(walk, x * walk.step, output_ + x * channels_ + place.to);
    }
  }

  // What taps outside the input add, of rows outside and, in rows inside, of columns other than
  // `taps`.
  int32_t Outside(const Range& taps, int32_t channel) const {
    if (params_.input_zero == 0) return 0;
    int32_t sum = 0;
    for (int32_t tap_y = 0; tap_y < window_.height; ++tap_y) {
      const bool is_inside = tap_y >= input_.taps().begin && tap_y < input_.taps().end;
      for (int32_t tap_x = 0; tap_x < window_.width; ++tap_x) {
        if (!is_inside || tap_x < taps.begin || tap_x >= taps.end) {
          sum += WeightOf(tap_y, tap_x, channel);
        }
      }
    }
    return sum * params_.input_zero;
  }

  void ComputeBorder(const Place& place, int32_t x) const {
    const int32_t column = x * window_.stride_x - window_.left;
    const Range taps = TapsInside(column, window_.width, window_.dilation_x, width_);
    int32_t sum = channel_[place.to].bias + Outside(taps, place.to);
    for (int32_t tap_y = input_.taps().begin; tap_y < input_.taps().end; ++tap_y) {
      const int8_t* from = input_.Row(tap_y, place.link) + place.from;
      for (int32_t tap_x = taps.begin; tap_x < taps.end; ++tap_x) {
        sum += from[(column + tap_x * window_.dilation_x) * place.channels] *
               WeightOf(tap_y, tap_x, place.to);
      }
    }
    const Scale scale(channel_[place.to].factor);
    output_[x * channels_ + place.to] = Saturate(scale(sum) + params_.output_zero);
  }

  // For vector instructions: many channels of one pixel.
  void ComputePixel(uint32_t link, int32_t channels, int32_t first, int32_t x) const {
    constexpr int32_t kMany = 32;
    const int32_t column = x * window_.stride_x - window_.left;
    for (int32_t begin = 0; begin < channels; begin += kMany) {
      const int32_t count = channels - begin < kMany ? channels - begin : kMany;
      int32_t sums[kMany];
      for (int32_t c = 0; c < count; ++c) sums[c] = channel_[first + begin + c].bias;
      for (int32_t tap_y = 0; tap_y < window_.height; ++tap_y) {
        const bool row_inside = tap_y >= input_.taps().begin && tap_y < input_.taps().end;
        for (int32_t tap_x = 0; tap_x < window_.width; ++tap_x) {
          const int32_t at = column + tap_x * window_.dilation_x;
          const int8_t* weights =
              weights_ + (tap_y * window_.width + tap_x) * channels_ + first + begin;
          if (row_inside && at >= 0 && at < width_) {
            const int8_t* from = input_.Row(tap_y, link) + at * channels + begin;
            for (int32_t c = 0; c < count; ++c) sums[c] += from[c] * weights[c];
          } else {
            for (int32_t c = 0; c < count; ++c) sums[c] += params_.input_zero * weights[c];
          }
        }
      }
      int8_t* to = output_ + x * channels_ + first + begin;
      for (int32_t c = 0; c < count; ++c) {
        const Scale scale(channel_[first + begin + c].factor);
        to[c] = Saturate(scale(sums[c]) + params_.output_zero);
      }
    }
  }

  const Rows& rows_;
  const Node& node_;
  const DepthwiseParams& params_;
  const Window& window_;
  const WindowRows input_;
  const int32_t width_;
  const Range inside_;  // Output pixels whose window has all its columns in the input.
  const int32_t channels_;
  const int8_t* const weights_;
  const Channel* const channel_;
  int8_t* const output_;
};

}  // namespace

void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  DepthwiseRow(rows, node, row, output).Compute();
}

}  // namespace portable
}  // namespace engine
}  // namespace tinyseg
