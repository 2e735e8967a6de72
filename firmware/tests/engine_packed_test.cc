// Weights of few values, unpacked two channels at a time.
#include <gtest/gtest.h>

#include "tests/engine_convolution.h"

namespace tinyseg {
namespace engine {
namespace {

// Lets each channel's weights, or all of them, have at most 2^bits values.
void Thin(Random* random, int32_t bits, bool one_table, Case* c) {
  const size_t filter = c->weights.size() / c->channels;
  std::vector<int8_t> values;
  for (size_t i = 0; i < c->weights.size(); ++i) {
    if (i == 0 || (!one_table && i % filter == 0)) values = random->Bytes(size_t{1} << bits);
    c->weights[i] = random->OneOf(values);
  }
}

TEST(EnginePackedTest, ConvolutionEqualsThatOfPlainWeights) {
  for (uint32_t seed = 0; seed < 280; ++seed) {
    Random random(seed);
    Case c = RandomCase(&random, seed % 4 == 0);
    Fill(&random, &c);
    const int32_t bits = 1 + static_cast<int32_t>(seed % 7);
    const bool one_table = seed % 3 == 0;
    Thin(&random, bits, one_table, &c);
    ASSERT_EQ(RunKernel(c, bits, one_table), Reference(c)) << "seed " << seed;
  }
}

TEST(EnginePackedTest, TransposedEqualsThatOfPlainWeights) {
  for (uint32_t seed = 0; seed < 280; ++seed) {
    Random random(seed);
    Case c = RandomTransposed(&random);
    Fill(&random, &c);
    const int32_t bits = 1 + static_cast<int32_t>(seed % 7);
    const bool one_table = seed % 3 == 0;
    Thin(&random, bits, one_table, &c);
    ASSERT_EQ(RunKernel(c, bits, one_table), TransposedReference(c)) << "seed " << seed;
  }
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
