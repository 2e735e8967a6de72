// Kernels that gather from many values: pools, means, softmax, products, bilinear resizing.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/engine_program.h"
#include "tests/engine_reference.h"

namespace tinyseg {
namespace engine {
namespace {

using Content = std::vector<int8_t>;

struct Pool {
  Shape input, output;
  PoolParams params;
  Content content;
};

Pool RandomPool(Random* random) {
  Pool pool = {};
  Window& w = pool.params.window;
  w = {random->Between(1, 4),
       random->Between(1, 4),
       random->Between(1, 3),
       random->Between(1, 3),
       1,
       1,
       0,
       0};
  w.top = random->Between(0, w.height - 1);
  w.left = random->Between(0, w.width - 1);
  const auto channels = static_cast<uint32_t>(random->Between(1, 9));
  pool.input = {static_cast<uint32_t>(random->Between(w.height, 9)),
                static_cast<uint32_t>(random->Between(w.width, 9)), channels};
  pool.output = {(pool.input.rows - 1) / static_cast<uint32_t>(w.stride_y) + 1,
                 (pool.input.width - 1) / static_cast<uint32_t>(w.stride_x) + 1, channels};
  pool.params.least = random->Between(0, 1) ? -128 : -10;
  pool.params.most = random->Between(0, 1) ? 127 : 20;
  pool.content = random->Bytes(pool.input.bytes());
  return pool;
}

// Calls a function with the values under each window.
template <typename Function>
Content PoolReference(const Pool& pool, Function function) {
  const Window& w = pool.params.window;
  Content output;
  for (int32_t y = 0; y < static_cast<int32_t>(pool.output.rows); ++y) {
    for (int32_t x = 0; x < static_cast<int32_t>(pool.output.width); ++x) {
      for (uint32_t c = 0; c < pool.output.channels; ++c) {
        std::vector<int32_t> values;
        for (int32_t ky = 0; ky < w.height; ++ky) {
          for (int32_t kx = 0; kx < w.width; ++kx) {
            const int32_t row = y * w.stride_y - w.top + ky;
            const int32_t column = x * w.stride_x - w.left + kx;
            if (row < 0 || row >= static_cast<int32_t>(pool.input.rows) || column < 0 ||
                column >= static_cast<int32_t>(pool.input.width)) {
              continue;
            }
            const size_t at =
                (static_cast<uint32_t>(row) * pool.input.width + static_cast<uint32_t>(column)) *
                    pool.input.channels +
                c;
            values.push_back(pool.content[at]);
          }
        }
        output.push_back(Clamped(function(values), pool.params.least, pool.params.most));
      }
    }
  }
  return output;
}

Content RunPool(const Pool& pool, Kernel kernel) {
  ProgramBuilder builder;
  const auto input = static_cast<uint16_t>(builder.Input(pool.input));
  const Window& w = pool.params.window;
  const Link link = {input, 1, static_cast<uint32_t>(w.stride_y), -w.top, w.height - 1 - w.top};
  return RunNode(&builder, kernel, pool.output, {link}, pool.params, {pool.content});
}

TEST(EnginePoolTest, EqualsTheReference) {
  for (uint32_t seed = 0; seed < 150; ++seed) {
    Random random(seed);
    const Pool pool = RandomPool(&random);
    const auto most = [](const std::vector<int32_t>& values) {
      return *std::max_element(values.begin(), values.end());
    };
    const auto average = [](const std::vector<int32_t>& values) {
      int64_t sum = 0;
      for (const int32_t value : values) sum += value;
      return DivideAwayFromZero(sum, static_cast<int64_t>(values.size()));
    };
    ASSERT_EQ(RunPool(pool, Kernel::kMaxPool), PoolReference(pool, most)) << "seed " << seed;
    ASSERT_EQ(RunPool(pool, Kernel::kAveragePool), PoolReference(pool, average)) << "seed " << seed;
  }
}

// Sums over the axes that are set, of which the rest stay.
struct MeanCase {
  bool rows, columns, channels;
};

Content MeanReference(const MeanCase& of, const Shape& input, const Content& content,
                      const MeanParams& params, const Shape& output) {
  std::vector<int64_t> sums(output.bytes());
  for (uint32_t y = 0; y < input.rows; ++y) {
    for (uint32_t x = 0; x < input.width; ++x) {
      for (uint32_t c = 0; c < input.channels; ++c) {
        const uint32_t to =
            ((of.rows ? 0 : y) * output.width + (of.columns ? 0 : x)) * output.channels +
            (of.channels ? 0 : c);
        sums[to] += content[(y * input.width + x) * input.channels + c] - params.input_zero;
      }
    }
  }
  Content result;
  for (const int64_t sum : sums) {
    result.push_back(Clamped(Requantized(sum, params.factor) + params.output_zero, -128, 127));
  }
  return result;
}

TEST(EngineMeanTest, EqualsTheReference) {
  const MeanCase cases[] = {{true, true, false},  {false, false, true}, {true, false, false},
                            {false, true, false}, {true, true, true},   {false, true, true}};
  Random random(1);
  for (int i = 0; i < 60; ++i) {
    const MeanCase& of = cases[i % 6];
    const auto size = [&] { return static_cast<uint32_t>(random.Between(1, 7)); };
    const Shape input = {size(), size(), size()};
    const Shape output = {of.rows ? 1 : input.rows, of.columns ? 1 : input.width,
                          of.channels ? 1 : input.channels};
    const Content content = random.Bytes(input.bytes());
    const MeanParams params = {of.channels,
                               of.rows,
                               of.columns,
                               random.Between(-128, 127),
                               random.Between(-128, 127),
                               random.FactorOf(random.Between(-9, -1)),
                               static_cast<int32_t>(input.bytes() / output.bytes())};
    ProgramBuilder builder;
    const uint32_t source = builder.Input(input);
    const Link link = of.rows ? WholeOf(source, input.rows) : SameOf(source);
    ASSERT_EQ(RunNode(&builder, Kernel::kMean, output, {link}, params, {content}),
              MeanReference(of, input, content, params, output));
  }
}

TEST(EngineMatrixTest, EqualsTheReference) {
  for (uint32_t seed = 0; seed < 120; ++seed) {
    Random random(seed);
    const bool transposed = seed % 2;
    const auto size = [&] { return static_cast<uint32_t>(random.Between(1, 10)); };
    const uint32_t batch = size(), width = size(), depth = size(), channels = size();
    const Shape first = {batch, width, depth};
    const Shape second = transposed ? Shape{batch, channels, depth} : Shape{batch, depth, channels};
    const Content a = random.Bytes(first.bytes());
    const Content b = random.Bytes(second.bytes());
    const MatrixParams params = {static_cast<int32_t>(depth),
                                 transposed,
                                 random.Between(-128, 127),
                                 random.Between(-128, 127),
                                 random.Between(-128, 127),
                                 -100,
                                 127,
                                 random.FactorOf(random.Between(-12, -7))};
    Content expected;
    for (uint32_t y = 0; y < batch; ++y) {
      for (uint32_t x = 0; x < width; ++x) {
        for (uint32_t c = 0; c < channels; ++c) {
          int64_t sum = 0;
          for (uint32_t k = 0; k < depth; ++k) {
            const uint32_t at = transposed ? c * depth + k : k * channels + c;
            sum += (a[(y * width + x) * depth + k] - params.first_zero) *
                   (b[y * depth * channels + at] - params.second_zero);
          }
          expected.push_back(
              Clamped(Requantized(sum, params.factor) + params.output_zero, -100, 127));
        }
      }
    }
    ProgramBuilder builder;
    const std::vector<Link> links = {SameOf(builder.Input(first)), SameOf(builder.Input(second))};
    ASSERT_EQ(
        RunNode(&builder, Kernel::kMatrixMultiply, {batch, width, channels}, links, params, {a, b}),
        expected)
        << "seed " << seed;
  }
}

// Against the formula in floating point: half a step of the output at most, by its own rounding.
TEST(EngineSoftmaxTest, IsClose) {
  Random random(2);
  for (const double scale : {0.003, 0.02, 0.1, 0.4}) {
    std::vector<int32_t> exponentials;
    for (int d = 0; d < 256; ++d) {
      exponentials.push_back(
          static_cast<int32_t>(std::min(std::exp(-d * scale) * 2147483648.0, 2147483647.0)));
    }
    const Shape shape = {2, 7, 11};
    const Content content = random.Bytes(shape.bytes());
    ProgramBuilder builder;
    const SoftmaxParams params = {builder.Data(exponentials)};
    const std::vector<Link> links = {SameOf(builder.Input(shape))};
    const Content output = RunNode(&builder, Kernel::kSoftmax, shape, links, params, {content});
    ASSERT_EQ(output.size(), content.size());
    for (size_t i = 0; i < content.size(); ++i) {
      const size_t first = i / shape.channels * shape.channels;
      double sum = 0;
      for (size_t c = first; c < first + shape.channels; ++c) sum += std::exp(content[c] * scale);
      const double share = std::exp(content[i] * scale) / sum;
      EXPECT_NEAR(output[i], std::min(share * 256 - 128, 127.0), 0.51);
    }
  }
}

TEST(EngineSoftmaxTest, TakesOneChannel) {
  const std::vector<int32_t> exponentials(256, INT32_MAX);
  ProgramBuilder builder;
  const SoftmaxParams params = {builder.Data(exponentials)};
  const std::vector<Link> links = {SameOf(builder.Input({1, 3, 1}))};
  EXPECT_EQ(RunNode(&builder, Kernel::kSoftmax, {1, 3, 1}, links, params, {{5, -128, 127}}),
            (Content{127, 127, 127}));
}

TEST(EngineBilinearTest, EqualsTheReference) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    const auto size = [&] { return static_cast<uint32_t>(random.Between(1, 8)); };
    const Shape input = {size(), size(), size()};
    const Shape output = {size(), size(), input.channels};
    const Content content = random.Bytes(input.bytes());
    const auto axis = [](uint32_t from, uint32_t to) {
      std::vector<BilinearAxis> places;
      const auto scale = static_cast<int32_t>((1024 * from + to / 2) / to);
      for (int32_t i = 0; i < static_cast<int32_t>(to); ++i) {
        const int32_t at = i * scale + scale / 2 - 512;
        const int32_t lower = std::max(at / 1024, 0);
        const int32_t upper = std::min((at + 1023) / 1024, static_cast<int32_t>(from) - 1);
        places.push_back({lower, upper, at - 1024 * lower});
      }
      return places;
    };
    const std::vector<BilinearAxis> rows = axis(input.rows, output.rows);
    const std::vector<BilinearAxis> columns = axis(input.width, output.width);
    Content expected;
    for (const BilinearAxis& y : rows) {
      for (const BilinearAxis& x : columns) {
        for (uint32_t c = 0; c < input.channels; ++c) {
          const auto value = [&](int32_t row, int32_t column) {
            return int64_t{
                content[(static_cast<uint32_t>(row) * input.width + static_cast<uint32_t>(column)) *
                            input.channels +
                        c]};
          };
          const int64_t sum = value(y.lower, x.lower) * (1024 - y.weight) * (1024 - x.weight) +
                              value(y.upper, x.lower) * y.weight * (1024 - x.weight) +
                              value(y.lower, x.upper) * (1024 - y.weight) * x.weight +
                              value(y.upper, x.upper) * y.weight * x.weight;
          expected.push_back(static_cast<int8_t>(DivideAwayFromZero(sum, 1 << 20)));
        }
      }
    }
    ProgramBuilder builder;
    const Link link = WholeOf(builder.Input(input), input.rows);
    const ResizeBilinearParams params = {builder.Data(rows), builder.Data(columns)};
    ASSERT_EQ(RunNode(&builder, Kernel::kResizeBilinear, output, {link}, params, {content}),
              expected)
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
