// CONV_2D with packed weights, which are unpacked for four channels at a time. Scratch: those
// weights, the columns, and for less than four channels four bytes a pixel.
#if defined(__ARM_FEATURE_MVE)
#include "engine/kernels/mve/gemm.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/mve/windows.h"

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

// Writes 16 weights, of which those from `count` on are 0, and returns where the next indices lie:
// `bits` times 16 bits, the lowest bit of each index first.
inline const uint16_t* Unpack(const uint16_t* indices, int32_t bits, const int8_t* table,
                              int32_t count, int8_t* to) {
  int32_t bit = 1;
  uint32_t lanes;
  __asm__ volatile(
      "vmov.i8 q0, #0\n"
      "dls lr, %[bits]\n"
      "1:\n"
      "ldrh %[lanes], [%[indices]], #2\n"
      "vmsr p0, %[lanes]\n"
      "vpst\n"
      "vaddt.i8 q0, q0, %[bit]\n"
      "add %[bit], %[bit]\n"
      "le lr, 1b\n"
      "vctp.8 %[count]\n"
      "vpst\n"
      "vldrbt.u8 q1, [%[table], q0]\n"
      "vstrb.8 q1, [%[to]]\n"
      : [indices] "+&r"(indices), [bit] "+&r"(bit), [lanes] "=&r"(lanes)
      : [bits] "r"(bits), [table] "r"(table), [count] "r"(count), [to] "r"(to)
      : "lr", "q0", "q1", "memory", "cc");
  return indices;
}

}  // namespace

void PackedConvolution(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<PackedConvolutionParams>(node);
  const ConvolutionParams& plain = params.convolution;
  const int32_t steps = plain.product.steps;
  auto* const unpacked = reinterpret_cast<int8_t*>(rows.scratch());
  const Windows windows = FindWindows(rows, node, plain, row, unpacked + 64 * steps);
  const auto channels = static_cast<int32_t>(node.channels);
  const bool narrow = channels < 4;
  int8_t* const to = narrow ? windows.scratch : output;
  const auto* indices = rows.at<uint16_t>(plain.product.weights);
  const auto* tables = rows.at<int8_t>(params.tables);
  Weights weights = WeightsOf(rows, plain.product, plain.output_zero);
  weights.bytes = unpacked;
  for (int32_t next = 0; next < channels; next += 4, ++weights.channels) {
    // The last four may share some with those before.
    const int32_t first = narrow || next + 4 <= channels ? next : channels - 4;
    int8_t* vector = unpacked;
    for (int32_t step = 1; step <= steps; ++step) {
      for (int32_t channel = first; channel < first + 4; ++channel, vector += 16) {
        // Of less than four channels, the others are of no use.
        const int8_t* const table = tables + (channel < channels ? channel : 0) * params.table_step;
        indices = Unpack(indices, params.bits, table, step < steps ? 16 : params.rest, vector);
      }
    }
    Multiply(weights, 4, windows.first, windows.step, to + first, narrow ? 4 : channels,
             node.width);
  }
  if (narrow) Narrow(to, channels, node.width, output);
  Clamp(output, node.width * channels, plain.least, plain.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
