// Random convolutions, run by the kernels and by plain loops.
#ifndef TINYSEG_TESTS_ENGINE_CONVOLUTION_H_
#define TINYSEG_TESTS_ENGINE_CONVOLUTION_H_

#include <algorithm>
#include <vector>

#include "tests/engine_program.h"
#include "tests/engine_reference.h"

namespace tinyseg {
namespace engine {

// A convolution of random values.
struct Case {
  std::vector<Shape> inputs;  // Concatenated along channels.
  Window window;
  uint32_t channels;
  int32_t multiplier = 0;  // Of a depthwise one.
  bool transposed = false;
  Shape output = {};
  int32_t input_zero, output_zero, least = -128, most = 127;
  std::vector<int8_t> weights;
  std::vector<int32_t> bias;
  std::vector<Factor> factors;
  std::vector<std::vector<int8_t>> content;

  int32_t depth() const {
    uint32_t sum = 0;
    for (const Shape& shape : inputs) sum += shape.channels;
    return static_cast<int32_t>(sum);
  }
  int32_t input_rows() const { return static_cast<int32_t>(inputs[0].rows); }
  int32_t input_width() const { return static_cast<int32_t>(inputs[0].width); }

  int32_t Input(int32_t y, int32_t x, int32_t c) const {
    for (size_t i = 0;; ++i) {
      const auto channels = static_cast<int32_t>(inputs[i].channels);
      if (c < channels)
        return content[i][static_cast<size_t>((y * input_width() + x) * channels + c)];
      c -= channels;
    }
  }
  bool Inside(int32_t y, int32_t x) const {
    return y >= 0 && y < input_rows() && x >= 0 && x < input_width();
  }
  int32_t Weight(int32_t o, int32_t ky, int32_t kx, int32_t c) const {
    const auto outs = static_cast<int32_t>(channels);
    const int32_t at = multiplier > 0
                           ? (ky * window.width + kx) * outs + o
                           : ((o * window.height + ky) * window.width + kx) * depth() + c;
    return weights[static_cast<size_t>(at)];
  }
};

// Fills a case whose shapes are set.
inline void Fill(Random* random, Case* c) {
  const std::vector<int32_t> zeros = {-128, 127, 0, random->Between(-128, 127)};
  c->input_zero = random->OneOf(zeros);
  c->output_zero = random->OneOf(zeros);
  if (random->Between(0, 2) == 0) {
    c->least = random->Between(-128, 0);
    c->most = random->Between(1, 127);
  }
  const int32_t depth = c->multiplier > 0 ? 1 : c->depth();
  const int32_t products = c->window.height * c->window.width * depth;
  c->weights = random->Bytes(static_cast<size_t>(products) * c->channels);
  // Shifts that spread the outputs, and others.
  int32_t spread = 6;
  while (1 << 2 * (spread - 6) < products) ++spread;
  for (uint32_t o = 0; o < c->channels; ++o) {
    c->bias.push_back(random->Between(-20000, 20000));
    const int32_t shift =
        random->Between(0, 3) == 0 ? random->Between(-26, 0) : -spread - random->Between(0, 2);
    c->factors.push_back(random->FactorOf(shift));
  }
  for (const Shape& shape : c->inputs) c->content.push_back(random->Bytes(shape.bytes()));
}

inline int8_t Finished(const Case& c, size_t o, int64_t sum) {
  return Clamped(Requantized(sum + c.bias[o], c.factors[o]) + c.output_zero, c.least, c.most);
}

inline std::vector<int8_t> Reference(const Case& c) {
  std::vector<int8_t> output;
  const Window& w = c.window;
  for (int32_t y = 0; y < static_cast<int32_t>(c.output.rows); ++y) {
    for (int32_t x = 0; x < static_cast<int32_t>(c.output.width); ++x) {
      for (int32_t o = 0; o < static_cast<int32_t>(c.channels); ++o) {
        int64_t sum = 0;
        for (int32_t ky = 0; ky < w.height; ++ky) {
          for (int32_t kx = 0; kx < w.width; ++kx) {
            const int32_t row = y * w.stride_y - w.top + ky * w.dilation_y;
            const int32_t column = x * w.stride_x - w.left + kx * w.dilation_x;
            if (!c.Inside(row, column)) continue;
            const int32_t first = c.multiplier > 0 ? o / c.multiplier : 0;
            const int32_t end = c.multiplier > 0 ? first + 1 : c.depth();
            for (int32_t i = first; i < end; ++i) {
              sum += (c.Input(row, column, i) - c.input_zero) * c.Weight(o, ky, kx, i);
            }
          }
        }
        output.push_back(Finished(c, static_cast<size_t>(o), sum));
      }
    }
  }
  return output;
}

// Scatters, as TensorFlow Lite's reference.
inline std::vector<int8_t> TransposedReference(const Case& c) {
  const Window& w = c.window;
  const auto width = static_cast<int32_t>(c.output.width);
  const auto outs = static_cast<int32_t>(c.channels);
  std::vector<int64_t> sums(c.output.bytes());
  for (int32_t y = 0; y < c.input_rows(); ++y) {
    for (int32_t x = 0; x < c.input_width(); ++x) {
      for (int32_t ky = 0; ky < w.height; ++ky) {
        for (int32_t kx = 0; kx < w.width; ++kx) {
          const int32_t row = y * w.stride_y - w.top + ky;
          const int32_t column = x * w.stride_x - w.left + kx;
          if (row < 0 || row >= static_cast<int32_t>(c.output.rows) || column < 0 ||
              column >= width) {
            continue;
          }
          for (int32_t o = 0; o < outs; ++o) {
            int64_t& sum = sums[static_cast<size_t>((row * width + column) * outs + o)];
            for (int32_t i = 0; i < c.depth(); ++i) {
              sum += (c.Input(y, x, i) - c.input_zero) * c.Weight(o, ky, kx, i);
            }
          }
        }
      }
    }
  }
  std::vector<int8_t> output;
  for (size_t i = 0; i < sums.size(); ++i) output.push_back(Finished(c, i % c.channels, sums[i]));
  return output;
}

// Channels as the kernels take them; `reach` tells which taps' weights the bias holds.
template <typename Reach>
void AppendChannels(const Case& c, Reach reach, std::vector<Channel>* channels) {
  for (uint32_t o = 0; o < c.channels; ++o) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < c.window.height; ++ky) {
      for (int32_t kx = 0; kx < c.window.width; ++kx) {
        for (int32_t i = 0; i < (c.multiplier > 0 ? 1 : c.depth()) && reach(ky, kx); ++i) {
          sum += c.Weight(static_cast<int32_t>(o), ky, kx, i);
        }
      }
    }
    channels->push_back({c.bias[o] - c.input_zero * sum, c.factors[o]});
  }
}

inline std::vector<Channel> ChannelsOf(const Case& c) {
  std::vector<Channel> channels;
  if (!c.transposed) {
    AppendChannels(
        c, [](int32_t, int32_t) { return true; }, &channels);
    return channels;
  }
  for (int32_t v = 0; v < c.window.stride_y; ++v) {
    for (int32_t u = 0; u < c.window.stride_x; ++u) {
      AppendChannels(
          c,
          [&](int32_t ky, int32_t kx) {
            return ky % c.window.stride_y == v && kx % c.window.stride_x == u;
          },
          &channels);
    }
  }
  return channels;
}

// Packs weights that have at most 2^bits values, in each channel or in all.
inline PackedWeights Pack(const Case& c, int32_t bits, bool one_table, ProgramBuilder* builder) {
  const size_t filter = c.weights.size() / c.channels;
  const size_t filter_bytes = (filter * static_cast<size_t>(bits) + 7) / 8;
  const size_t step = one_table ? 0 : size_t{1} << bits;
  std::vector<uint8_t> indices(filter_bytes * c.channels);
  std::vector<int8_t> tables;
  for (size_t o = 0; o < c.channels; ++o) {
    if (!one_table) tables.resize(o * step);
    for (size_t i = 0; i < filter; ++i) {
      const auto begin = tables.begin() + static_cast<std::ptrdiff_t>(o * step);
      auto found = std::find(begin, tables.end(), c.weights[o * filter + i]);
      const auto index = static_cast<size_t>(found - begin);
      if (found == tables.end()) tables.push_back(c.weights[o * filter + i]);
      for (size_t bit = 0; bit < static_cast<size_t>(bits); ++bit) {
        const size_t at = i * static_cast<size_t>(bits) + bit;
        const size_t set = index >> bit & 1;
        indices[o * filter_bytes + at / 8] |= static_cast<uint8_t>(set << at % 8);
      }
    }
  }
  return {builder->Data(indices), builder->Data(tables), bits, static_cast<int32_t>(filter_bytes),
          static_cast<int32_t>(step)};
}

inline std::vector<int8_t> RunKernel(const Case& c, int32_t bits = 0, bool one_table = false) {
  ProgramBuilder builder;
  std::vector<Link> links;
  const Window& w = c.window;
  for (const Shape& shape : c.inputs) {
    Link link = {static_cast<uint16_t>(builder.Input(shape)), 1, static_cast<uint32_t>(w.stride_y),
                 -w.top, (w.height - 1) * w.dilation_y - w.top};
    if (c.transposed) {
      link = {link.source, static_cast<uint16_t>(w.stride_y), 1, w.top - w.height + 1, w.top};
    }
    links.push_back(link);
  }
  const uint32_t weights = bits > 0 ? 0 : builder.Data(c.weights);
  const uint32_t channels = builder.Data(ChannelsOf(c));
  PackedWeights packed = {};
  if (bits > 0) {
    packed = Pack(c, bits, one_table, &builder);
    builder.SetScratch(static_cast<uint32_t>(2 * c.weights.size() / c.channels));
  }
  const ConvolutionParams params = {w,      c.input_zero, c.output_zero, c.least,
                                    c.most, weights,      channels};
  if (c.multiplier > 0) {
    const DepthwiseParams depthwise = {w,      c.input_zero, c.output_zero, c.least,
                                       c.most, c.multiplier, weights,       channels};
    return RunNode(&builder, Kernel::kDepthwise, c.output, links, depthwise, c.content);
  }
  if (c.transposed) {
    const TransposedParams transposed = {w,      c.input_zero, c.output_zero, c.least,
                                         c.most, weights,      channels};
    if (bits > 0) {
      const PackedTransposedParams both = {transposed, packed};
      return RunNode(&builder, Kernel::kPackedTransposed, c.output, links, both, c.content);
    }
    return RunNode(&builder, Kernel::kTransposed, c.output, links, transposed, c.content);
  }
  if (bits > 0) {
    const PackedConvolutionParams both = {params, packed};
    return RunNode(&builder, Kernel::kPackedConvolution, c.output, links, both, c.content);
  }
  return RunNode(&builder, Kernel::kConvolution, c.output, links, params, c.content);
}

inline uint32_t OutputSize(uint32_t input, int32_t taps, int32_t stride, int32_t dilation,
                           int32_t padding) {
  const int32_t span = (taps - 1) * dilation + 1;
  return static_cast<uint32_t>((static_cast<int32_t>(input) + padding - span) / stride + 1);
}

// A window that fits, with any padding less than its size.
inline Case RandomCase(Random* random, bool many_sources) {
  Case c = {};
  Window& w = c.window;
  w = {random->Between(1, 4),
       random->Between(1, 4),
       random->Between(1, 3),
       random->Between(1, 3),
       random->Between(1, 2),
       random->Between(1, 2),
       0,
       0};
  const int32_t span_y = (w.height - 1) * w.dilation_y;
  const int32_t span_x = (w.width - 1) * w.dilation_x;
  w.top = random->Between(0, span_y);
  w.left = random->Between(0, span_x);
  const auto rows = static_cast<uint32_t>(random->Between(1, 6) + span_y - w.top);
  const auto width = static_cast<uint32_t>(random->Between(1, 12) + span_x - w.left);
  const int sources = many_sources ? random->Between(2, 3) : 1;
  for (int i = 0; i < sources; ++i) {
    c.inputs.push_back({rows, width, static_cast<uint32_t>(random->Between(1, 9))});
  }
  c.channels = static_cast<uint32_t>(random->Between(1, 7));
  c.output = {
      OutputSize(rows, w.height, w.stride_y, w.dilation_y, w.top + random->Between(0, span_y)),
      OutputSize(width, w.width, w.stride_x, w.dilation_x, w.left + random->Between(0, span_x)),
      c.channels};
  return c;
}

// The same transposed, of any output that it reaches.
inline Case RandomTransposed(Random* random) {
  Case c = RandomCase(random, false);
  c.transposed = true;
  Window& w = c.window;
  w.dilation_y = w.dilation_x = 1;
  w.top = random->Between(0, w.height - 1);
  w.left = random->Between(0, w.width - 1);
  const auto size = [&](uint32_t input, int32_t taps, int32_t stride, int32_t before) {
    const int32_t full = (static_cast<int32_t>(input) - 1) * stride + taps - before;
    return static_cast<uint32_t>(std::max(full - random->Between(0, taps - 1), 1));
  };
  c.output = {size(c.inputs[0].rows, w.height, w.stride_y, w.top),
              size(c.inputs[0].width, w.width, w.stride_x, w.left), c.channels};
  return c;
}

}  // namespace engine
}  // namespace tinyseg

#endif  // TINYSEG_TESTS_ENGINE_CONVOLUTION_H_
