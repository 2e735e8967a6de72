#include "tests/engine_convolution.h"

#include <gtest/gtest.h>

namespace tinyseg {
namespace engine {
namespace {

TEST(EngineConvolutionTest, EqualsTheReference) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    Random random(seed);
    Case c = RandomCase(&random, seed % 4 == 0);
    Fill(&random, &c);
    ASSERT_EQ(RunKernel(c), Reference(c)) << "seed " << seed;
  }
}

TEST(EngineConvolutionTest, TakesManyChannelsOfExtremeValues) {
  Random random(1);
  Case c = {};
  c.inputs = {{1, 9, 700}};
  c.window = {1, 1, 1, 1, 1, 1, 0, 0};
  c.channels = 3;
  c.output = {1, 9, 3};
  Fill(&random, &c);
  for (int8_t& weight : c.weights) weight = -128;
  for (int8_t& value : c.content[0]) value = -128;
  EXPECT_EQ(RunKernel(c), Reference(c));
  for (int8_t& value : c.content[0]) value = 127;
  EXPECT_EQ(RunKernel(c), Reference(c));
}

// So many taps that lie apart, or so many rows, are more than are listed at once.
TEST(EngineConvolutionTest, TakesLargeWindows) {
  for (uint32_t seed = 0; seed < 40; ++seed) {
    Random random(seed);
    Case c = {};
    c.window = {random.Between(5, 40), random.Between(1, 7), 1, 1,
                random.Between(1, 2),  random.Between(1, 2), 3, 1};
    const int32_t span_y = (c.window.height - 1) * c.window.dilation_y;
    const int32_t span_x = (c.window.width - 1) * c.window.dilation_x;
    const Shape shape = {static_cast<uint32_t>(span_y + random.Between(1, 4)),
                         static_cast<uint32_t>(span_x + random.Between(1, 9)), 2};
    c.inputs.assign(static_cast<size_t>(random.Between(1, 2)), shape);
    c.channels = 3;
    c.output = {shape.rows - static_cast<uint32_t>(span_y) + 3,
                shape.width - static_cast<uint32_t>(span_x) + 1, 3};
    Fill(&random, &c);
    ASSERT_EQ(RunKernel(c), Reference(c)) << "seed " << seed;
    if (c.inputs.size() > 1) continue;
    c.window.dilation_y = c.window.dilation_x = 1;
    c.transposed = true;
    ASSERT_EQ(RunKernel(c), TransposedReference(c)) << "seed " << seed;
  }
}

// Factors and biases that the quick way to an output leaves out.
TEST(EngineConvolutionTest, TakesUncommonFactors) {
  for (uint32_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    Case c = RandomCase(&random, false);
    Fill(&random, &c);
    for (Factor& factor : c.factors) factor.shift = random.OneOf<int32_t>({0, 1, 3, -30, -22, -23});
    if (seed % 2) {
      for (int32_t& bias : c.bias) bias = random.OneOf<int32_t>({1 << 30, -(1 << 30), 5});
      for (Factor& factor : c.factors) factor.shift = random.Between(-29, -20);
    }
    ASSERT_EQ(RunKernel(c), Reference(c)) << "seed " << seed;
    c.multiplier = 1;
    c.weights.resize(static_cast<size_t>(c.window.height * c.window.width) * c.channels);
    c.inputs[0].channels = c.channels;
    c.content[0] = random.Bytes(c.inputs[0].bytes());
    ASSERT_EQ(RunKernel(c), Reference(c)) << "seed " << seed;
  }
}

TEST(EngineDepthwiseTest, EqualsTheReference) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    Random random(seed);
    Case c = RandomCase(&random, seed % 4 == 0);
    c.multiplier = seed % 3 == 0 ? random.Between(2, 3) : 1;
    if (seed % 5 == 0) c.inputs[0].channels = static_cast<uint32_t>(random.Between(30, 70));
    c.channels = static_cast<uint32_t>(c.depth() * c.multiplier);
    c.output.channels = c.channels;
    Fill(&random, &c);
    ASSERT_EQ(RunKernel(c), Reference(c)) << "seed " << seed;
  }
}

TEST(EngineTransposedTest, EqualsTheReference) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    Random random(seed);
    Case c = RandomTransposed(&random);
    Fill(&random, &c);
    ASSERT_EQ(RunKernel(c), TransposedReference(c)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
