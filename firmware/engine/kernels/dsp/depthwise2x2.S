// The inner loop of depthwise windows of 2x2 for cores with the DSP extension. gcc 12 runs out of
// registers: 42 instructions a pixel.
#if defined(__ARM_FEATURE_DSP)

#include "engine/kernels/dsp/depthwise_loop.inc"

// Windows of 2x2: 12 instructions a pixel, and 2.
//
//   r0  input's upper row      r2  from there to the lower row      r1  output
//   r4, r5  weights of the left and right column      r6, r7, r8, r10  multiplier, rounding, bias, shift
//   r3  step      r9  sum of the next pixel      r11  of this one      r12, lr  values
.macro LOAD2
  ldrsb r12, [r0]
  ldrsb lr, [r0, r2]
  pkhbt r12, r12, lr, lsl #16
  add r0, r3
.endm

.macro FINISH2
  add lr, r7, r11, asr #31
  smmlar r11, r11, r6, lr
  asr r11, r11, r10
  ssat r11, #8, r11
  strb r11, [r1]
.endm

  BEGIN tinyseg_dsp_depthwise2x2
  strd r0, r1, [sp, #kInput]
1:
  ldr r11, [sp, #kRecord]
  ldm r11!, {r4-r8, r10}
  str r11, [sp, #kRecord]
  ldr r3, [sp, #kStep]
  ldr r11, [sp, #kLeft]
  cmp r11, #0
  beq 2f
  ldr r12, [sp, #kZeros]
  b 3f
2:
  LOAD2
3:
  smlad r9, r12, r4, r8
  ldr r11, [sp, #kColumns]
  add r11, r0
  str r11, [sp, #kEnd]
  cmp r11, r0
  beq 5f
4:
  LOAD2
  smlad r11, r12, r5, r9
  smlad r9, r12, r4, r8
  FINISH2
  ldrd r12, lr, [sp, #kStep + 4]
  add r1, r12
  cmp r0, lr
  bne 4b
5:
  ldr r12, [sp, #kRight]
  cmp r12, #0
  beq 6f
  ldr r12, [sp, #kZeros]
  smlad r11, r12, r5, r9
  FINISH2
6:
  NEXT 1b, 0
  END tinyseg_dsp_depthwise2x2

#endif  // __ARM_FEATURE_DSP
