// Any function of one int8 value, or of it and its channel. Needs no scratch.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/mve/mve.h"
#include "engine/params.h"

namespace tinyseg {
namespace engine {
namespace mve {
namespace {

void PerChannel(const int8_t* from, const int8_t* table, const Node& node, int8_t* to) {
  const auto channels = static_cast<int32_t>(node.channels);
  const uint16x8_t first = vshlq_n_u16(vidupq_n_u16(0, 1), 8);
  for (int32_t x = 0; x < node.width; ++x, from += channels, to += channels) {
    const int8_t* part = table;
    for (int32_t c = 0; c < channels; c += 8, part += 8 * 256) {
      const mve_pred16_t some = vctp16q(static_cast<uint32_t>(channels - c));
      const uint16x8_t values = vldrbq_u16(reinterpret_cast<const uint8_t*>(from + c));
      const int16x8_t found = vldrbq_gather_offset_z_s16(part, vaddq_u16(values, first), some);
      vstrbq_p_s16(to + c, found, some);
    }
  }
}

}  // namespace

// The tables' entry of value v is v & 255.
void Table(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<TableParams>(node);
  const int8_t* const table = rows.at<int8_t>(params.table);
  const int8_t* from = rows.input(node, 0, row);
  if (params.per_channel) return PerChannel(from, table, node, output);
  __asm__ volatile(
      "wlstp.8 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.8 q0, [%[from]], #16\n"
      "vldrb.u8 q1, [%[table], q0]\n"
      "vstrb.8 q1, [%[to]], #16\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+r"(output), [from] "+r"(from)
      : [table] "r"(table), [count] "r"(node.row_bytes)
      : "lr", "q0", "q1", "memory", "cc");
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
