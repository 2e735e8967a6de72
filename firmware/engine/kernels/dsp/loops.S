// The inner loops of loops.h for cores with the DSP extension. gcc 12 loads each pair alone and
// spills: 13 to 14 instructions where 11 do.
#if defined(__ARM_FEATURE_DSP)

  .syntax unified
  .thumb
  .text

// void tinyseg_dsp_tiles(const tinyseg_dsp_tile_row*): 11 instructions for 16 products; beside them 4 for 128, and
// for a tile of 4 pixels and 2 channels 55, or 47 where no sign matters.
//
//   r0  pixels: of each pair of depths that of four pixels    r10, r11  pairs of pixels
//   r1  weights: of each pair of depths that of two channels  r12, lr   pairs of weights
//   r2, r4, r6, r8  sums of the first channel                 r3, r5, r7, r9  of the second
  .equ kPanel, 0
  .equ kConstants, 4
  .equ kOutput, 8
  .equ kTiles, 12
  .equ kStep, 16
  .equ kBlocks, 20
  .equ kEntry, 24
  .equ kLeft, 28
  .equ kFrame, 32

.macro PRODUCTS
  ldrd r12, lr, [r1], #8
  ldrd r10, r11, [r0], #8
  smlad r2, r10, r12, r2
  smlad r3, r10, lr, r3
  smlad r4, r11, r12, r4
  smlad r5, r11, lr, r5
  ldrd r10, r11, [r0], #8
  smlad r6, r10, r12, r6
  smlad r7, r10, lr, r7
  smlad r8, r11, r12, r8
  smlad r9, r11, lr, r9
.endm

// Multiplier, rounding and shift are in r11, r12, lr.
.macro FINISH sum, signed
  .if \signed
  add.w r1, r12, \sum, asr #31
  smmlar \sum, \sum, r11, r1
  .else
  smmlar \sum, \sum, r11, r12
  .endif
  asr.w \sum, \sum, lr
  ssat \sum, #8, \sum
.endm

.macro TILES name, signed
  .section .text.\name, "ax", %progbits
  .balign 4
  .global \name
  .type \name, %function
  .thumb_func
\name:
  push {r4-r11, lr}
  sub sp, sp, #kFrame
  ldm r0, {r1-r8}
  adr r9, 2f
  add r8, r8, r9
  stm sp, {r2-r8}
  mov r0, r1
1:
  ldrd r1, r10, [sp, #kPanel]
  ldr r11, [sp, #kBlocks]
  ldm r10, {r2-r9}
  str r11, [sp, #kLeft]
  ldr pc, [sp, #kEntry]
  .balign 4
2:
  .rept 8
  PRODUCTS
  .endr
  ldr r10, [sp, #kLeft]
  subs r10, r10, #1
  str r10, [sp, #kLeft]
  bne 2b
  ldr r10, [sp, #kConstants]
  adds r10, #32
  ldm r10!, {r11, r12, lr}
  FINISH r2, \signed
  FINISH r4, \signed
  FINISH r6, \signed
  FINISH r8, \signed
  ldm r10, {r11, r12, lr}
  FINISH r3, \signed
  FINISH r5, \signed
  FINISH r7, \signed
  FINISH r9, \signed
  ldrd r10, r12, [sp, #kOutput]
  ldr r11, [sp, #kStep]
  bfi r2, r3, #8, #8
  bfi r4, r5, #8, #8
  bfi r6, r7, #8, #8
  bfi r8, r9, #8, #8
  add r1, r11, r11, lsl #1
  strh r2, [r10]
  strh r4, [r10, r11]
  strh r6, [r10, r11, lsl #1]
  strh r8, [r10, r1]
  add r10, r10, r11, lsl #2
  subs r12, #1
  strd r10, r12, [sp, #kOutput]
  bne 1b
  add sp, sp, #kFrame
  pop {r4-r11, pc}
  .size \name, . - \name
.endm

  TILES tinyseg_dsp_tiles, 0
  TILES tinyseg_dsp_signed_tiles, 1

// void tinyseg_dsp_widen(const tinyseg_dsp_widening*): 19 instructions for 16 bytes.
//
//   r0-r3  four pixels      r4  where the pairs go       r5  words left
//   r6-r9, r10-r12, lr  their bytes as pairs
  .equ kWords, 0
  .equ kQuads, 4
  .equ kPixelSkip, 8
  .equ kPairSkip, 12
  .equ kTail, 16

  .section .text.tinyseg_dsp_widen, "ax", %progbits
  .balign 4
  .global tinyseg_dsp_widen
  .type tinyseg_dsp_widen, %function
  .thumb_func
tinyseg_dsp_widen:
  push {r4-r11, lr}
  sub sp, sp, #20
  ldm r0, {r0, r1, r4, r6, r7, r8, r9, r10}
  stm sp, {r6-r10}
  add r2, r0, r1, lsl #1
  add r3, r2, r1
  add r1, r0, r1
1:
  ldr r5, [sp, #kWords]
  cbz r5, 3f
2:
  ldr r6, [r0], #4
  ldr r7, [r1], #4
  ldr r8, [r2], #4
  ldr r9, [r3], #4
  sxtb16 r10, r6, ror #8
  sxtb16 r11, r7, ror #8
  sxtb16 r12, r8, ror #8
  sxtb16 lr, r9, ror #8
  sxtb16 r6, r6
  sxtb16 r7, r7
  sxtb16 r8, r8
  sxtb16 r9, r9
  stm r4!, {r6-r9}
  subs r5, #1
  stm r4!, {r10-r12, lr}
  bne 2b
3:
  ldr r5, [sp, #kTail]
  cbz r5, 4f
  ldrh r6, [r0]
  ldrh r7, [r1]
  ldrh r8, [r2]
  ldrh r9, [r3]
  orr r6, r6, r6, lsl #8
  orr r7, r7, r7, lsl #8
  orr r8, r8, r8, lsl #8
  orr r9, r9, r9, lsl #8
  sxtb16 r6, r6
  sxtb16 r7, r7
  sxtb16 r8, r8
  sxtb16 r9, r9
  stm r4!, {r6-r9}
4:
  ldrd r5, r6, [sp, #kQuads]
  subs r5, #1
  add r0, r6
  add r1, r6
  add r2, r6
  add r3, r6
  ldr r6, [sp, #kPairSkip]
  str r5, [sp, #kQuads]
  add r4, r6
  bne 1b
  add sp, sp, #20
  pop {r4-r11, pc}
  .size tinyseg_dsp_widen, . - tinyseg_dsp_widen

// void tinyseg_dsp_unpack(const int8_t* packed, int32_t* pairs, int32_t count): 11 instructions for
// two words.
//
//   r0  packed    r1  pairs    r2  words left, an even number
  .section .text.tinyseg_dsp_unpack, "ax", %progbits
  .balign 4
  .global tinyseg_dsp_unpack
  .type tinyseg_dsp_unpack, %function
  .thumb_func
tinyseg_dsp_unpack:
  push {r4-r6, lr}
1:
  ldrd r3, r5, [r0], #8
  subs r2, #2
  sxtb16 r4, r3, ror #8
  sxtb16 r3, r3
  sxtb16 r6, r5, ror #8
  sxtb16 r5, r5
  sadd16 r4, r4, r4
  sadd16 r3, r3, r3
  sadd16 r6, r6, r6
  sadd16 r5, r5, r5
  stm r1!, {r3-r6}
  bgt 1b
  pop {r4-r6, pc}
  .size tinyseg_dsp_unpack, . - tinyseg_dsp_unpack

#endif  // __ARM_FEATURE_DSP
