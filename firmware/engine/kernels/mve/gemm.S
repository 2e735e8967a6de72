// Rows of matrix products: pairs of pixels times four channels, then the last pixel if it has no pair.
//
// r0 points to a Gemm of gemm.h. Its first eight words become the frame at sp:
//   0 first pixel, 4 second, 8 rewind, 12 output_step, 16 output, 20 groups, 24 count less
//   two, 28 last_output; and of GemmLong 32 turns, 36 weights, 40 pixels left, 44 output, 48 where the
//   first turn begins, 52 steps.
// Registers:
//   r0 r2 r4 r6 r8 r10 r12 lr  sums of (pixel 0, pixel 1) of channels 0, 1, 2, 3
//   r1 r3  the two pixels           r5  weights
//   r7     output; of GemmLong the turns left
//   r9     pixels left; of GemmLong where the first turn begins
//   r11    channels of the group: each bias twice, then 4 multipliers, shifts, signs
//   q0 q1  pixels, q2 q3 weights; q4 multipliers, q5 shifts, q6 signs, q7 output's zero point
// Instructions for 8 outputs: 27 + 14 for each 16 bytes of a pixel; GemmLong 35 and 2 for each 64
// bytes; 4 less with Floor. For 4 of a last pixel: 12 + 9, GemmLong 14 + 10; 2 less with Floor.
#if defined(__ARM_FEATURE_MVE)
  .syntax unified
  .thumb
  .text

  // Weights of channel `index` of a step that lie `at` bytes behind r5; NEXT lets r5 go on instead.
  .equ NEXT, -1
  .macro WEIGHTS vector, at, index
  .if \at == NEXT
  vldrw.32 \vector, [r5], #16
  .else
  vldrw.32 \vector, [r5, #\at + 16 * \index]
  .endif
  .endm

  .macro STEP at
  vldrb.8 q0, [r1], #16
  WEIGHTS q2, \at, 0
  vmladava.s8 r0, q0, q2
  vldrb.8 q1, [r3], #16
  vmladava.s8 r2, q1, q2
  WEIGHTS q3, \at, 1
  vmladava.s8 r4, q0, q3
  vmladava.s8 r6, q1, q3
  WEIGHTS q2, \at, 2
  vmladava.s8 r8, q0, q2
  vmladava.s8 r10, q1, q2
  WEIGHTS q3, \at, 3
  vmladava.s8 r12, q0, q3
  vmladava.s8 lr, q1, q3
  .endm

  // The same of a last pixel.
  .macro LAST_STEP at
  vldrb.8 q0, [r1], #16
  WEIGHTS q2, \at, 0
  vmladava.s8 r0, q0, q2
  WEIGHTS q3, \at, 1
  vmladava.s8 r4, q0, q3
  WEIGHTS q2, \at, 2
  vmladava.s8 r8, q0, q2
  WEIGHTS q3, \at, 3
  vmladava.s8 r12, q0, q3
  .endm

  // The sums become bytes: times the multipliers, minus one if negative, shifted and rounded, all
  // exact; lanes of q0 hold channels of pixel 0 in bits 0 to 7, of pixel 1 in bits 16 to 23.
  .macro FINISH signs=1
  vmov d0, r0, r4
  vmov d1, r8, r12
  vmov d2, r2, r6
  vmov d3, r10, lr
  .if \signs
  vshl.s32 q2, q0, q6
  vshl.s32 q3, q1, q6
  .endif
  vqrdmulh.s32 q0, q0, q4
  vqrdmulh.s32 q1, q1, q4
  .if \signs
  vadd.i32 q0, q0, q2
  vadd.i32 q1, q1, q3
  .endif
  vrshl.s32 q0, q0, q5
  vrshl.s32 q1, q1, q5
  vqmovnb.s32 q0, q0
  vqmovnt.s32 q0, q1
  vqadd.s16 q0, q0, q7
  vqmovnb.s16 q0, q0
  .endm

  .macro FINISH_LAST signs=1
  vmov d0, r0, r4
  vmov d1, r8, r12
  .if \signs
  vshl.s32 q2, q0, q6
  .endif
  vqrdmulh.s32 q0, q0, q4
  .if \signs
  vadd.i32 q0, q0, q2
  .endif
  vrshl.s32 q0, q0, q5
  vqmovnb.s32 q0, q0
  vqadd.s16 q0, q0, q7
  vqmovnb.s16 q0, q0
  vstrb.32 q0, [r7]
  .endm

  .macro STORE
  vstrb.32 q0, [r7]
  vshr.u32 q0, q0, #16
  add r7, r2
  vstrb.32 q0, [r7]
  add r7, r2
  .endm

  .macro ENTER
  push {r4-r11, lr}
  vpush {d8-d15}
  sub sp, #56
  mov r12, sp
  ldm r0!, {r1-r8}
  sub r7, #2
  stm r12!, {r1-r8}
  mov r7, r5
  ldm r0!, {r4, r5, r11}
  ldr r0, [r0]
  vdup.16 q7, r0
  .endm

  .macro BEGIN_GROUP
  vldrw.32 q4, [r11, #32]
  vldrw.32 q5, [r11, #48]
  vldrw.32 q6, [r11, #64]
  ldrd r1, r3, [sp]
  ldr r9, [sp, #24]
  .endm

  // The last group ends with the last channel: it may share some with the one before.
  .macro END_GROUP begin
  ldrd r7, r9, [sp, #16]
  add r7, #4
  subs r9, #1
  cmp r9, #1
  it eq
  ldreq r7, [sp, #28]
  add r11, #80
  strd r7, r9, [sp, #16]
  bhs \begin
  add sp, #56
  vpop {d8-d15}
  pop {r4-r11, pc}
  .endm

  .macro LOAD_BIASES
  ldm r11, {r0, r2, r4, r6, r8, r10, r12, lr}
  .endm

  // void TinysegGemmN(const Gemm*): two pixels and more of N times 16 bytes.
  .macro SHORT name, count, signs
  .section .text.\name, "ax"
  .global \name
  .type \name, %function
\name:
  ENTER
1:
  BEGIN_GROUP
2:
  LOAD_BIASES
  .set AT, 0
  .rept \count
  STEP AT
  .set AT, AT + 64
  .endr
  FINISH \signs
  ldrd r0, r2, [sp, #8]
  STORE
  add r1, r0
  add r3, r0
  subs r9, #2
  bhs 2b
  adds r9, #1
  bne 3f
  LOAD_BIASES
  .set AT, 0
  .rept \count
  LAST_STEP AT
  .set AT, AT + 64
  .endr
  FINISH_LAST \signs
3:
  add r5, #64 * \count
  END_GROUP 1b
  .size \name, . - \name
  .endm

  SHORT TinysegGemm1, 1, 1
  SHORT TinysegGemm2, 2, 1
  SHORT TinysegGemm3, 3, 1
  SHORT TinysegGemm4, 4, 1

  // With an output whose zero point is the least byte: what is negative becomes that anyway, however
  // it is rounded.
  SHORT TinysegGemmFloor1, 1, 0
  SHORT TinysegGemmFloor2, 2, 0
  SHORT TinysegGemmFloor4, 4, 0

  // void TinysegGemmLong(const Gemm*): any number of pixels and steps, four a turn.
  .section .text.TinysegGemmLong, "ax"
  .global TinysegGemmLong
  .type TinysegGemmLong, %function
TinysegGemmLong:
  ENTER
  // The first turn has as many steps as leave a multiple of four.
  str r4, [sp, #52]
  str r5, [sp, #36]
  rsb r6, r4, #0
  and r6, #3
  add r4, #3
  lsr r4, #2
  str r4, [sp, #32]
  mov r3, #56
  mul r6, r3
  adr.w r3, 3f
  add r6, r3
  orr r6, #1
  str r6, [sp, #48]
1:
  BEGIN_GROUP
  cmp r9, #0
  blt 4f
  strd r9, r7, [sp, #40]
  ldr r9, [sp, #48]
2:
  LOAD_BIASES
  ldr r5, [sp, #36]
  ldr r7, [sp, #32]
  bx r9
  .align 2
3:
  .rept 4
  STEP NEXT
  .endr
  subs r7, #1
  bne 3b
  FINISH
  ldrd r0, r2, [sp, #8]
  ldrd r4, r7, [sp, #40]
  add r1, r0
  add r3, r0
  STORE
  subs r4, #2
  strd r4, r7, [sp, #40]
  bhs 2b
  mov r9, r4
4:
  adds r9, #1
  bne 6f
  LOAD_BIASES
  ldr r5, [sp, #36]
  ldr r2, [sp, #52]
  dls lr, r2
5:
  LAST_STEP NEXT
  le lr, 5b
  FINISH_LAST
6:
  str r5, [sp, #36]
  END_GROUP 1b
  .size TinysegGemmLong, . - TinysegGemmLong
#endif
