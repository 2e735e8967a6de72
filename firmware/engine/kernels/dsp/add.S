// The inner loop of add.cc for cores with the DSP extension. gcc 12 spills: 22 instructions an element.
#if defined(__ARM_FEATURE_DSP)

  .syntax unified
  .thumb

// void tinyseg_dsp_add(const tinyseg_dsp_sum*): 61 instructions for four elements.
//
//   r0  plain elements      r1  scaled elements      r2  output
//   r3-r6  sums      r7  four bytes      r8-r10  constants      r11  a value      r12  words left
  .equ kInnerBias, 0
  .equ kInner, 4        // Multiplier, rounding, shift.
  .equ kBias, 16
  .equ kFinish, 20
  .equ kFrame, 32

.macro ROUND sum
  add r11, r9, \sum, asr #31
  smmlar \sum, \sum, r8, r11
  asr \sum, \sum, r10
.endm

// Of the byte of r7 that the rotation brings down: 2^21 times it, and 2^20 times it.
.macro SCALED sum, turn
  sxtb \sum, r7, ror #\turn
  add \sum, r8, \sum, lsl #21
.endm

.macro PLAIN sum, turn
  sxtb r11, r7, ror #\turn
  add r11, r8, r11, lsl #20
  add \sum, r11, \sum, lsl #1
.endm

  .section .text.tinyseg_dsp_add, "ax", %progbits
  .balign 4
  .global tinyseg_dsp_add
  .type tinyseg_dsp_add, %function
  .thumb_func
tinyseg_dsp_add:
  push {r4-r11, lr}
  sub sp, sp, #kFrame
  ldm r0!, {r4-r11}
  stm sp, {r4-r11}
  ldm r0, {r0, r1, r2, r12}
1:
  ldr r7, [r1], #4
  ldr r8, [sp, #kInnerBias]
  SCALED r3, 0
  SCALED r4, 8
  SCALED r5, 16
  SCALED r6, 24
  ldrd r8, r9, [sp, #kInner]
  ldr r10, [sp, #kInner + 8]
  ROUND r3
  ROUND r4
  ROUND r5
  ROUND r6
  ldr r7, [r0], #4
  ldr r8, [sp, #kBias]
  PLAIN r3, 0
  PLAIN r4, 8
  PLAIN r5, 16
  PLAIN r6, 24
  ldrd r8, r9, [sp, #kFinish]
  ldr r10, [sp, #kFinish + 8]
  ROUND r3
  ROUND r4
  ROUND r5
  ROUND r6
  ssat r3, #8, r3
  ssat r4, #8, r4
  ssat r5, #8, r5
  ssat r6, #8, r6
  bfi r3, r4, #8, #8
  bfi r5, r6, #8, #8
  pkhbt r3, r3, r5, lsl #16
  subs r12, #1
  str r3, [r2], #4
  bne 1b
  add sp, sp, #kFrame
  pop {r4-r11, pc}
  .size tinyseg_dsp_add, . - tinyseg_dsp_add

#endif  // __ARM_FEATURE_DSP
