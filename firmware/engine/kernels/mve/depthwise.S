// Rows of depthwise convolutions: 16 bytes of the output at once.
//
// r0 points to a DepthwiseRun of depthwise.h. Products of bytes are added in 16 bits as long as
// they fit there, in groups of taps (the numbers in a function's name), then in 32 bits. Functions
// with Any in their name go on by the chunk's `advance` bytes, the others by 16.
// Registers:
//   r0 to r8  bytes that meet each of nine taps  r9  DepthwiseChunk of params.h
//   r10  output                             r11  output's zero point
//   r12  advance, or free                   lr   vectors left
//   q0 bytes, q1 weights; q2, q3 sums of even and odd channels in 16 bits
//   q4 to q7  sums in 32 bits: of channels 0, 2, 1, 3 and every fourth on
// Instructions for a vector: 113 (54), 120 (333), 125 (3222), 131 (22221), one more for each tap with
// Any: 129 (333), 134 (3222), 140 (22221), 85 (22). Many has 25 for two taps, and 51.
#if defined(__ARM_FEATURE_MVE)
  .syntax unified
  .thumb
  .text

  // Offsets in a chunk.
  .equ SUMS, 144        // Of bias, multipliers, shifts; 48 bytes for each of q4 to q7.
  .equ MASK, 336
  .equ ADVANCE, 340
  .equ NEXT, 344

  .macro LOAD pointer
  .if ANY
  vldrb.8 q0, [\pointer]
  add \pointer, r12
  .else
  vldrb.8 q0, [\pointer], #16
  .endif
  .endm

  // The first tap of a group.
  .macro BEGIN pointer, tap
  LOAD \pointer
  vldrw.32 q1, [r9, #16 * \tap]
  vmullb.s8 q2, q0, q1
  vmullt.s8 q3, q0, q1
  .endm

  // A tap of the first group, before q7 is in use.
  .macro EARLY pointer, tap
  LOAD \pointer
  vldrw.32 q1, [r9, #16 * \tap]
  vmullb.s8 q7, q0, q1
  vmullt.s8 q1, q0, q1
  vadd.i16 q2, q2, q7
  vadd.i16 q3, q3, q1
  .endm

  .macro TAP pointer, tap
  LOAD \pointer
  vldrw.32 q1, [r9, #16 * \tap]
  vmullb.s8 q1, q0, q1
  vadd.i16 q2, q2, q1
  vldrw.32 q1, [r9, #16 * \tap]
  vmullt.s8 q1, q0, q1
  vadd.i16 q3, q3, q1
  .endm

  .macro ADD_GROUP
  vmovlb.s16 q0, q2
  vadd.i32 q4, q4, q0
  vmovlt.s16 q1, q2
  vadd.i32 q5, q5, q1
  vmovlb.s16 q0, q3
  vadd.i32 q6, q6, q0
  vmovlt.s16 q1, q3
  vadd.i32 q7, q7, q1
  .endm

  .macro ADD_FIRST_GROUP
  vldrw.32 q4, [r9, #SUMS]
  vldrw.32 q5, [r9, #SUMS + 48]
  vldrw.32 q6, [r9, #SUMS + 96]
  vldrw.32 q7, [r9, #SUMS + 144]
  ADD_GROUP
  .endm

  // Multiplies, takes one off if negative, shifts and rounds: exact with shifts below 0.
  .macro SCALE sums, offset
  vldrw.32 q0, [r9, #SUMS + \offset + 16]
  vshr.s32 q2, \sums, #31
  vldrw.32 q1, [r9, #SUMS + \offset + 32]
  vqrdmulh.s32 \sums, \sums, q0
  vadd.i32 \sums, \sums, q2
  vrshl.s32 \sums, \sums, q1
  .endm

  .macro ENTER
  push {r4-r11, lr}
  vpush {d8-d15}
  ldr r12, [r0]
  ldrd r9, r10, [r0, #8]
  ldrd r11, lr, [r0, #16]
  ldm r12, {r0-r8}
  dls lr, lr
  .endm

  .macro FINISH name
  SCALE q4, 0
  SCALE q5, 48
  SCALE q6, 96
  SCALE q7, 144
  vqmovnb.s32 q4, q4
  vqmovnt.s32 q4, q5
  vqmovnb.s32 q6, q6
  vqmovnt.s32 q6, q7
  vqadd.s16 q4, q4, r11
  vqadd.s16 q6, q6, r11
  vqmovnb.s16 q4, q4
  vqmovnt.s16 q4, q6
  vldr P0, [r9, #MASK]
  .if !ANY
  ldr r12, [r9, #ADVANCE]
  .endif
  vpst
  vstrbt.8 q4, [r10]
  add r10, r12
  ldr r12, [r9, #NEXT]
  add r9, r12
  le lr, 1b
  vpop {d8-d15}
  pop {r4-r11, pc}
  .size \name, . - \name
  .endm

  .macro FUNCTION name, any
  .set ANY, \any
  .section .text.\name, "ax"
  .global \name
  .type \name, %function
\name:
  ENTER
1:
  .if ANY
  ldr r12, [r9, #ADVANCE]
  .endif
  .endm

  .macro GROUP54 name
  BEGIN r0, 0
  EARLY r1, 1
  EARLY r2, 2
  EARLY r3, 3
  EARLY r4, 4
  ADD_FIRST_GROUP
  BEGIN r5, 5
  TAP r6, 6
  TAP r7, 7
  TAP r8, 8
  ADD_GROUP
  FINISH \name
  .endm

  .macro GROUP333 name
  BEGIN r0, 0
  EARLY r1, 1
  EARLY r2, 2
  ADD_FIRST_GROUP
  BEGIN r3, 3
  TAP r4, 4
  TAP r5, 5
  ADD_GROUP
  BEGIN r6, 6
  TAP r7, 7
  TAP r8, 8
  ADD_GROUP
  FINISH \name
  .endm

  .macro GROUP3222 name
  BEGIN r0, 0
  EARLY r1, 1
  EARLY r2, 2
  ADD_FIRST_GROUP
  BEGIN r3, 3
  TAP r4, 4
  ADD_GROUP
  BEGIN r5, 5
  TAP r6, 6
  ADD_GROUP
  BEGIN r7, 7
  TAP r8, 8
  ADD_GROUP
  FINISH \name
  .endm

  .macro GROUP22221 name
  BEGIN r0, 0
  EARLY r1, 1
  ADD_FIRST_GROUP
  BEGIN r2, 2
  TAP r3, 3
  ADD_GROUP
  BEGIN r4, 4
  TAP r5, 5
  ADD_GROUP
  BEGIN r6, 6
  TAP r7, 7
  ADD_GROUP
  BEGIN r8, 8
  ADD_GROUP
  FINISH \name
  .endm

  FUNCTION TinysegDepthwise54, 0
  GROUP54 TinysegDepthwise54

  FUNCTION TinysegDepthwise333, 0
  GROUP333 TinysegDepthwise333

  FUNCTION TinysegDepthwise3222, 0
  GROUP3222 TinysegDepthwise3222

  FUNCTION TinysegDepthwise22221, 0
  GROUP22221 TinysegDepthwise22221

  FUNCTION TinysegDepthwiseAny333, 1
  GROUP333 TinysegDepthwiseAny333

  FUNCTION TinysegDepthwiseAny3222, 1
  GROUP3222 TinysegDepthwiseAny3222

  FUNCTION TinysegDepthwiseAny22221, 1
  GROUP22221 TinysegDepthwiseAny22221

  FUNCTION TinysegDepthwiseAny22, 1
  BEGIN r0, 0
  EARLY r1, 1
  ADD_FIRST_GROUP
  BEGIN r2, 2
  TAP r3, 3
  ADD_GROUP
  FINISH TinysegDepthwiseAny22

  // Any number of taps, in groups of two.
  // Registers besides: r0, r1 bytes that meet two taps, r2 where the next two are found, r3 bytes
  // from the first vector, r4 pairs left, r5 the taps, r6 from r9 to the weights, r7 the next
  // weights, r8 pairs. r9 is such that what follows the weights has the offsets of nine taps.
  .section .text.TinysegDepthwiseMany, "ax"
  .global TinysegDepthwiseMany
  .type TinysegDepthwiseMany, %function
  .set ANY, 1
TinysegDepthwiseMany:
  push {r4-r11, lr}
  vpush {d8-d15}
  ldm r0, {r5, r8-r11, lr}
  mov r3, #0
  lsl r6, r8, #5
  rsb r6, r6, #SUMS
  sub r9, r9, r6
  dls lr, lr
1:
  ldr r12, [r9, #ADVANCE]
  add r7, r9, r6
  mov r2, r5
  mov r4, r8
  vldrw.32 q4, [r9, #SUMS]
  vldrw.32 q5, [r9, #SUMS + 48]
  vldrw.32 q6, [r9, #SUMS + 96]
  vldrw.32 q7, [r9, #SUMS + 144]
2:
  ldrd r0, r1, [r2], #8
  add r0, r3
  add r1, r3
  vldrb.8 q0, [r0]
  vldrw.32 q1, [r7], #16
  vmullb.s8 q2, q0, q1
  vmullt.s8 q3, q0, q1
  vldrb.8 q0, [r1]
  vldrw.32 q1, [r7]
  vmullb.s8 q1, q0, q1
  vadd.i16 q2, q2, q1
  vldrw.32 q1, [r7], #16
  vmullt.s8 q1, q0, q1
  vadd.i16 q3, q3, q1
  ADD_GROUP
  subs r4, #1
  bne 2b
  add r3, r12
  FINISH TinysegDepthwiseMany
#endif
