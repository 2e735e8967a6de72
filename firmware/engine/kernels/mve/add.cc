// ADD and SUB of tensors of one shape. Needs no scratch. Twenty instructions for four elements; gcc
// 12 makes twice as many of intrinsics.
#if defined(__ARM_FEATURE_MVE)
#include <arm_mve.h>

#include "engine/kernels/elementwise.h"
#include "engine/kernels/mve/bytes.h"
#include "engine/kernels/mve/mve.h"
#include "engine/kernels/mve/params.h"

namespace tinyseg {
namespace engine {
namespace mve {

void Add(const Rows& rows, const Node& node, uint32_t row, int8_t* output) {
  const auto& params = rows.params<AddParams>(node);
  const int8_t* first = LinkedRow(rows, node, 0, row);
  const int8_t* second = LinkedRow(rows, node, 1, row);
  const int32x4_t bias = vdupq_n_s32(params.bias);
  const int32x4_t second_multiplier = vdupq_n_s32(params.second.multiplier);
  const int32x4_t multiplier = vdupq_n_s32(params.factor.multiplier);
  const auto count = static_cast<int32_t>(node.width * node.channels);
  int8_t* to = output;
  __asm__ volatile(
      "wlstp.32 lr, %[count], 2f\n"
      "1:\n"
      "vldrb.s32 q1, [%[second]], #4\n"
      "vldrb.s32 q0, [%[first]], #4\n"
      "vsub.i32 q1, q1, %[second_zero]\n"
      "vshl.s32 q1, %[left_shift]\n"
      "vqrdmulh.s32 q1, q1, %q[second_multiplier]\n"
      "vmul.i32 q0, q0, %[scale]\n"
      "vshr.s32 q2, q1, #31\n"
      "vadd.i32 q0, q0, %q[bias]\n"
      "vadd.i32 q1, q1, q2\n"
      "vrshl.s32 q1, %[second_shift]\n"
      "vmla.s32 q0, q1, %[sign]\n"
      "vqrdmulh.s32 q0, q0, %q[multiplier]\n"
      "vshr.s32 q2, q0, #31\n"
      "vadd.i32 q0, q0, q2\n"
      "vrshl.s32 q0, %[shift]\n"
      "vqmovnb.s32 q0, q0\n"
      "vqadd.s16 q0, q0, %[zero]\n"
      "vqmovnb.s16 q0, q0\n"
      "vstrb.32 q0, [%[to]], #4\n"
      "letp lr, 1b\n"
      "2:\n"
      : [to] "+&r"(to), [first] "+&r"(first), [second] "+&r"(second)
      : [count] "r"(count), [second_zero] "r"(params.second_zero),
        [left_shift] "r"(params.left_shift), [second_shift] "r"(params.second.shift),
        [scale] "r"(params.scale), [sign] "r"(params.sign), [shift] "r"(params.factor.shift),
        [zero] "r"(params.output_zero), [bias] "w"(bias),
        [second_multiplier] "w"(second_multiplier), [multiplier] "w"(multiplier)
      : "lr", "q0", "q1", "q2", "memory", "cc");
  Clamp(output, count, params.least, params.most);
}

}  // namespace mve
}  // namespace engine
}  // namespace tinyseg
#endif
