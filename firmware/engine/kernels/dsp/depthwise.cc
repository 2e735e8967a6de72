// DEPTHWISE_CONV_2D by any window of few rows. Needs scratch for a row.
#include "engine/kernels/dsp/dsp.h"
#include "engine/kernels/dsp/finish.h"
#include "engine/kernels/dsp/zero_rows.h"
#include "engine/kernels/requantize.h"

namespace tinyseg {
namespace engine {
namespace dsp {
namespace {

constexpr int32_t kPixels = 4;     // That are computed together.
constexpr int32_t kMostRows = 12;  // Of the window, one more than that if it is odd.

// One channel of a row.
struct Walk {
  const int8_t* rows[kMostRows];  // Under the window, two by two.
  int32_t row_pairs;
  int32_t columns;   // Of the window.
  int32_t step;      // Between pixels of the input.
  int32_t tap_step;  // Between those under neighbouring columns of the window.
  const DepthwiseChannel* channel;

  const Pair* weights() const { return reinterpret_cast<const Pair*>(channel + 1); }
};

// Four pixels whose windows lie inside the input; `offset` is where the first lies in its rows.
__attribute__((noinline)) void ComputeFour(const Walk& walk, int32_t offset, int8_t* output,
                                           int32_t output_step) {
  const DepthwiseChannel& channel = *walk.channel;
  const Pair* weights = walk.weights();
  int32_t sums[kPixels] = {channel.bias, channel.bias, channel.bias, channel.bias};
  const int32_t step = walk.step;
  for (int32_t pair = 0; pair < walk.row_pairs; ++pair) {
    const int8_t* upper = walk.rows[2 * pair] + offset;
    const int8_t* lower = walk.rows[2 * pair + 1] + offset;
    for (int32_t tap = walk.columns; tap > 0; --tap) {
      const Pair weight = *weights++;
      const int8_t* first = upper;
      const int8_t* second = lower;
      sums[0] = AddProducts(MakePair(*first, *second), weight, sums[0]);
      first += step;
      second += step;
      sums[1] = AddProducts(MakePair(*first, *second), weight, sums[1]);
      first += step;
      second += step;
      sums[2] = AddProducts(MakePair(*first, *second), weight, sums[2]);
      first += step;
      second += step;
      sums[3] = AddProducts(MakePair(*first, *second), weight, sums[3]);
      upper += walk.tap_step;
      lower += walk.tap_step;
    }
  }
  const Finish finish = channel.finish;
  *output = Byte<true>(sums[0], finish);
  *(output += output_step) = Byte<true>(sums[1], finish);
  *(output += output_step) = Byte<true>(sums[2], finish);
  *(output += output_step) = Byte<true>(sums[3], finish);
}

// A pixel of whose window only the columns `taps` lie inside the input.
int8_t ComputeOne(const Walk& walk, int32_t offset, const Range& taps, int32_t zero) {
  const Pair* weights = walk.weights();
  const Pair zeros = MakePair(zero, zero);
  int32_t sum = walk.channel->bias;
  for (int32_t pair = 0; pair < walk.row_pairs; ++pair) {
    for (int32_t tap = 0; tap < walk.columns; ++tap) {
      const int32_t at = offset + tap * walk.tap_step;
      const bool is_inside = tap >= taps.begin && tap < taps.end;
      const Pair values =
          is_inside ? MakePair(walk.rows[2 * pair][at], walk.rows[2 * pair + 1][at]) : zeros;
      sum = AddProducts(values, *weights++, sum);
    }
  }
  return Byte<true>(sum, walk.channel->finish);
}

class DepthwiseRow {
 public:
  DepthwiseRow(const Rows& rows, const Node& node, uint32_t row)
      : node_(node),
        params_(rows.params<DepthwiseParams>(node)),
        window_(params_.window),
        input_(rows, node, window_, row, params_.input_zero),
        width_(rows.source(node, 0).width),
        inside_(WindowsInside(node.width, width_, window_.width, window_.stride_x,
                              window_.dilation_x, window_.left)) {}

  // Computes all channels of a source; `channel` is the first one's, and becomes the next
  // source's. Returns where that one's first channel goes.
  int8_t* Compute(uint32_t link, int32_t depth, const DepthwiseChannel** channel,
                  int8_t* output) const {
    Walk walk;
    walk.row_pairs = (window_.height + 1) / 2;
    walk.columns = window_.width;
    walk.step = window_.stride_x * depth;
    walk.tap_step = window_.dilation_x * depth;
    for (int32_t tap = 0; tap < 2 * walk.row_pairs; ++tap) {
      walk.rows[tap] = input_.Row(tap < window_.height ? tap : tap - 1, link);
    }
    for (int32_t c = 0; c < depth; ++c) {
      for (int32_t i = 0; i < params_.multiplier; ++i) {
        walk.channel = *channel;
        ComputeChannel(walk, depth, output++);
        *channel = reinterpret_cast<const DepthwiseChannel*>(walk.weights() +
                                                             walk.row_pairs * walk.columns);
      }
      for (int32_t tap = 0; tap < 2 * walk.row_pairs; ++tap) ++walk.rows[tap];
    }
    return output;
  }

 private:
  void ComputeChannel(const Walk& walk, int32_t depth, int8_t* output) const {
    const auto step = static_cast<int32_t>(node_.channels);
    int32_t begin = inside_.begin;
    int32_t end = inside_.end;
    if (end - begin < kPixels) begin = end = node_.width;
    for (int32_t x = 0; x < begin; ++x) ComputeBorder(walk, depth, x, output);
    for (int32_t x = begin; x < end; x += kPixels) {
      // The last four begin earlier rather than being fewer.
      if (x + kPixels > end) x = end - kPixels;
      ComputeFour(walk, x * walk.step - window_.left * depth, output + x * step, step);
    }
    for (int32_t x = end; x < node_.width; ++x) ComputeBorder(walk, depth, x, output);
  }

  void ComputeBorder(const Walk& walk, int32_t depth, int32_t x, int8_t* output) const {
    const int32_t column = x * window_.stride_x - window_.left;
    const Range taps = TapsInside(column, window_.width, window_.dilation_x, width_);
    output[x * static_cast<int32_t>(node_.channels)] =
        ComputeOne(walk, column * depth, taps, params_.input_zero);
  }

  const Node& node_;
  const DepthwiseParams& params_;
  const Window& window_;
  const ZeroRows input_;
  const int32_t width_;
  const Range inside_;  // Pixels whose windows have all columns inside the input.
};

}  // namespace

void Depthwise(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<DepthwiseParams>(node);
  const DepthwiseRow task(rows, node, row);
  const auto* channel = rows.at<DepthwiseChannel>(params.channels);
  int8_t* to = output;
  for (uint32_t link = 0; link < node.link_count; ++link) {
    const auto depth = static_cast<int32_t>(rows.source(node, link).channels);
    to = task.Compute(link, depth, &channel, to);
  }
  ClampRow(output, static_cast<uint32_t>(node.width) * node.channels, params.least, params.most);
}

}  // namespace dsp
}  // namespace engine
}  // namespace tinyseg
