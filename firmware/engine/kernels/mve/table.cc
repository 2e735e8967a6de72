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
  for (int32_t c = 0; c < channels; c += 8, table += 8 * 256) {
    const mve_pred16_t some = vctp16q(static_cast<uint32_t>(channels - c));
    const auto* at = reinterpret_cast<const uint8_t*>(from + c);
    int8_t* output = to + c;
    for (int32_t left = node.width; left > 0; --left) {
      const uint16x8_t places = vaddq_u16(vldrbq_u16(at), first);
      vstrbq_p_s16(output, vldrbq_gather_offset_z_s16(table, places, some), some);
      at += channels;
      output += channels;
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
