// The inner loops of depthwise windows of 3x3 for cores with the DSP extension. gcc 12 runs out of
// registers: 27 instructions a pixel and more.
#if defined(__ARM_FEATURE_DSP)

#include "engine/kernels/dsp/depthwise_loop.inc"

// One channel after the other, along its pixels.
//
//   r0  input's upper row       r2, r3  from there to the middle and lower row     r1  output
//   r4, r5, r6  weights of the upper and middle row, of the left, middle and right column
//   r7, r8  of the lower row: left and middle, right
//   r9, r10  sums of the next two pixels     r11  of this one     r12, lr  values
  // Of a column's code.
  .equ kShortCode, 19 * 4
  .equ kLongCode, 21 * 4

.macro LOAD
  ldrsb.w r12, [r0]
  ldrsb.w lr, [r0, r2]
  pkhbt r12, r12, lr, lsl #16
  ldrsb.w lr, [r0, r3]
.endm

.macro ROUND
  ldrd r12, lr, [sp, #kMultiplier]
  add.w lr, lr, r11, asr #31
  smmlar r11, r11, r12, lr
.endm

.macro FINISH
  ROUND
  ldr.w r12, [sp, #kShift]
  asr.w r11, r11, r12
  ssat r11, #8, r11
.endm

.macro STORE_AT ratio
  .if \ratio == 1
  strb.w r11, [r1, r0]
  .elseif \ratio == 2
  strb.w r11, [r1, r0, lsl #1]
  .else
  strb.w r11, [r1]
  .endif
.endm

.macro COLUMN ratio
  LOAD
  smlad r11, r12, r6, r9
  smlabb r11, lr, r8, r11
  smlad r9, r12, r5, r10
  smlabt r9, lr, r7, r9
  ldr.w r10, [sp, #kBias]
  smlad r10, r12, r4, r10
  smlabb r10, lr, r7, r10
  .if \ratio
  ROUND
  ldrd r12, lr, [sp, #kShift]
  asr.w r11, r11, r12
  ssat r11, #8, r11
  STORE_AT \ratio
  add.w r0, r0, lr
  .else
  FINISH
  STORE_AT \ratio
  ldrd r12, lr, [sp, #kStep]
  add.w r0, r0, r12
  add.w r1, r1, lr
  .endif
.endm

// Of all channels; with `ratio`, of the output's step to the input's, r1 is the output less
// so many times the input.
.macro CHANNELS ratio
1:
  ldr r11, [sp, #kRecord]
  ldm r11!, {r4-r10, r12, lr}
  str r11, [sp, #kRecord]
  stm sp, {r9, r10, r12, lr}
  mov r9, r12
  mov r10, r12
  ldr r12, [sp, #kZeros]
  mov lr, r12
  ldr r11, [sp, #kLeft]
  cmp r11, #0
  bne 3f
  LOAD
  ldr r11, [sp, #kStep]
  add r0, r11
  .if \ratio
  sub r1, r1, r11, lsl #\ratio - 1
  .endif
3:
  smlad r9, r12, r4, r9
  smlabb r9, lr, r7, r9
  LOAD
  smlad r9, r12, r5, r9
  smlabt r9, lr, r7, r9
  smlad r10, r12, r4, r10
  smlabb r10, lr, r7, r10
  ldr r11, [sp, #kStep]
  add r0, r11
  .if \ratio
  sub r1, r1, r11, lsl #\ratio - 1
  .endif
  ldr r11, [sp, #kColumns]
  add r11, r0
  str r11, [sp, #kEnd]
  ldr pc, [sp, #kEntry]
  .balign 4
4:
  .rept 4
  COLUMN \ratio
  .endr
  ldr r12, [sp, #kEnd]
  cmp r0, r12
  bne 4b
  ldr r12, [sp, #kRight]
  cmp r12, #0
  beq 5f
  ldr r12, [sp, #kZeros]
  smlad r11, r12, r6, r9
  smlabb r11, r12, r8, r11
  FINISH
  STORE_AT \ratio
5:
  NEXT 1b, \ratio
.endm

// The loop begins with as many columns as are more than a multiple of 4.
.macro WALK ratio, code
  .if \ratio
  sub r1, r1, r0, lsl #\ratio - 1
  .endif
  strd r0, r1, [sp, #kInput]
  movs r9, #\code
  adr.w r10, 4f
  mla r8, r8, r9, r10
  adds r8, #1
  str r8, [sp, #kEntry]
  CHANNELS \ratio
  b.w 9f
.endm

// Windows of 3x3: 19 instructions a pixel, 21 unless pixels of the output have the size
// of the input's or twice that, and 3 for four pixels.
  BEGIN tinyseg_dsp_depthwise3x3
  rsb r8, r8, #0
  and r8, r8, #3
  cmp r4, r5
  beq 7f
  cmp r5, r4, lsl #1
  beq.w 8f
  WALK 0, kLongCode
7:
  WALK 1, kShortCode
8:
  WALK 2, kShortCode
9:
  END tinyseg_dsp_depthwise3x3

// Windows of 3x3 that step by two pixels: 26 instructions a pixel, and 3. The step is in r10.
.macro MIDDLE
  LOAD
  smlad r9, r12, r5, r9
  smlabt r9, lr, r7, r9
  add r0, r10
.endm

.macro STORE
  strb r11, [r1]
  ldr r12, [sp, #kStep + 4]
  add r1, r12
.endm

  BEGIN tinyseg_dsp_depthwise3x3_by2
  add r9, r9, r9
  str r9, [sp, #kColumns]
  strd r0, r1, [sp, #kInput]
1:
  ldr r11, [sp, #kRecord]
  ldm r11!, {r4-r10, r12, lr}
  str r11, [sp, #kRecord]
  stm sp, {r9, r10, r12, lr}
  mov r9, r12
  ldr r10, [sp, #kStep]
  ldr r12, [sp, #kZeros]
  mov lr, r12
  ldr r11, [sp, #kLeft]
  cmp r11, #0
  bne 3f
  LOAD
  add r0, r10
3:
  smlad r9, r12, r4, r9
  smlabb r9, lr, r7, r9
  ldr r11, [sp, #kColumns]
  add r11, r0
  str r11, [sp, #kEnd]
  cmp r11, r0
  beq 5f
4:
  MIDDLE
  LOAD
  smlad r11, r12, r6, r9
  smlabb r11, lr, r8, r11
  ldr r9, [sp, #kBias]
  smlad r9, r12, r4, r9
  smlabb r9, lr, r7, r9
  FINISH
  STORE
  add r0, r10
  ldr r12, [sp, #kEnd]
  cmp r0, r12
  bne 4b
5:
  ldr r12, [sp, #kRight]
  cmp r12, #0
  beq 6f
  MIDDLE
  ldr r12, [sp, #kZeros]
  smlad r11, r12, r6, r9
  smlabb r11, r12, r8, r11
  FINISH
  strb r11, [r1]
6:
  NEXT 1b, 0
  END tinyseg_dsp_depthwise3x3_by2

#endif  // __ARM_FEATURE_DSP
