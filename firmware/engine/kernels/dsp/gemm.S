// The inner loops of gemm.cc for cores with the DSP extension. gcc 12 loads each pair alone and
// spills: 13 to 14 instructions where 11 do.
#if defined(__ARM_FEATURE_DSP)

  .syntax unified
  .thumb

// void tinyseg_dsp_multiply(const tinyseg_dsp_product*): 11 instructions for 16 products; beside them
// 3 for 256, and for a tile of 4 pixels and 2 channels 52, or 44 where no sign matters. Unpacking
// takes 23 for 32 weights, or 39 to double them.
//
//   r0  pixels: of each pair of depths that of four pixels    r10, r11  pairs of pixels
//   r1  weights: of each pair of depths that of two channels  r12, lr   pairs of weights
//   r2, r4, r6, r8  sums of the first channel                 r3, r5, r7, r9  of the second
  // The frame: what a pair of channels needs, then the function's parameters.
  .equ kBiases, 0
  .equ kFinishes, 32
  .equ kOutput, 56      // And tiles left, step, three steps.
  .equ kPanelEnd, 72
  .equ kPending, 76     // Kind of the last tile, until it is computed.
  .equ kParams, 80
  .equ kActivations, kParams
  .equ kPanel, kParams + 4
  .equ kWeights, kParams + 8
  .equ kBase, kParams + 12
  .equ kTiles, kParams + 16
  .equ kStep, kParams + 20
  .equ kPairs, kParams + 24
  .equ kChannelPairs, kParams + 28
  .equ kLastKind, kParams + 32
  .equ kLastOffset, kParams + 36
  .equ kDoubles, kParams + 40
  .equ kEntry, kParams + 44
  .equ kLastEntry, kParams + 48
  .equ kUnpackEntry, kParams + 52
  .equ kFinishEntry, kParams + 56
  .equ kFrame, kParams + 60
  // Kinds of a last tile of whose pixels only the last two, or the last, are new.
  .equ kHalf, 2
  .equ kOne, 3
  // Code of four words that are unpacked, and are doubled.
  .equ kFourCode, 40
  .equ kDoubledFourCode, 72
  // Code of a pair of depths.
  .equ kCode, 44
  .equ kHalfCode, 24
  .equ kOneCode, 16

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

.macro HALF_PRODUCTS
  ldrd r12, lr, [r1], #8
  ldrd r10, r11, [r0, #16]!
  smlad r2, r10, r12, r2
  smlad r3, r10, lr, r3
  smlad r4, r11, r12, r4
  smlad r5, r11, lr, r5
.endm

.macro ONE_PRODUCTS
  ldrd r12, lr, [r1], #8
  ldr.w r10, [r0, #16]!
  smlad r2, r10, r12, r2
  smlad r3, r10, lr, r3
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

.macro DOUBLE registers:vararg
  .irp register, \registers
  sadd16 \register, \register, \register
  .endr
.endm

// Four words, to two pairs of weights each.
.macro UNPACK_FOUR doubles
  ldm.w r0!, {r10-r12, lr}
  sxtb16 r2, r10
  sxtb16 r3, r10, ror #8
  sxtb16 r4, r11
  sxtb16 r5, r11, ror #8
  sxtb16 r6, r12
  sxtb16 r7, r12, ror #8
  sxtb16 r8, lr
  sxtb16 r9, lr, ror #8
  .if \doubles
  DOUBLE r2, r3, r4, r5, r6, r7, r8, r9
  .endif
  stm.w r1!, {r2-r9}
.endm

// Its second half comes first where words are an odd number of fours.
.macro UNPACK doubles
1:
  UNPACK_FOUR \doubles
  UNPACK_FOUR \doubles
  ldr r10, [sp, #kPanelEnd]
  cmp r1, r10
  blo 1b
.endm

// What four pixels' sums of two channels become; then the next tile.
.macro FINISH_TILE signed
  add r10, sp, #kFinishes
  ldm r10!, {r11, r12, lr}
  FINISH r2, \signed
  FINISH r4, \signed
  FINISH r6, \signed
  FINISH r8, \signed
  ldm r10!, {r11, r12, lr}
  FINISH r3, \signed
  FINISH r5, \signed
  FINISH r7, \signed
  FINISH r9, \signed
  ldm r10, {r10-r12, lr}
  bfi r2, r3, #8, #8
  bfi r4, r5, #8, #8
  bfi r6, r7, #8, #8
  bfi r8, r9, #8, #8
  strh r2, [r10]
  strh r4, [r10, r12]
  strh r6, [r10, r12, lsl #1]
  strh r8, [r10, lr]
  add r10, r10, r12, lsl #2
  subs r11, #1
  strd r10, r11, [sp, #kOutput]
  bne.w 4b
.endm

// Puts where the last tile's first pixel goes into r0, the step and three of it into r12 and lr.
.macro LAST_OUTPUT
  ldr r0, [sp, #kBase]
  ldr r1, [sp, #kLastOffset]
  ldrd r12, lr, [sp, #kOutput + 8]
  add r0, r1
.endm

  .section .text.tinyseg_dsp_multiply, "ax", %progbits
  .balign 4
  .global tinyseg_dsp_multiply
  .type tinyseg_dsp_multiply, %function
  .thumb_func
tinyseg_dsp_multiply:
  push {r4-r11, lr}
  sub sp, sp, #kFrame
  ldm r0!, {r1-r11}
  ldr r0, [r0]
  add r12, sp, #kParams
  stm r12, {r1-r11}
  add r12, r6, r6, lsl #1
  strd r6, r12, [sp, #kOutput + 8]
  add r2, r2, r7, lsl #3
  str r2, [sp, #kPanelEnd]
  adr.w r2, 14f
  cmp r0, #0
  beq 1f
  adr.w r2, 13f
1:
  adds r2, #1
  str r2, [sp, #kFinishEntry]
  adr.w r2, 12f
  movs r3, #kFourCode
  cmp r11, #0
  beq 1f
  adr.w r2, 11f
  movs r3, #kDoubledFourCode
1:
  adds r12, r7, #3
  lsls r12, r12, #29
  it mi
  addmi r2, r3
  adds r2, #1
  str r2, [sp, #kUnpackEntry]
  // The loops begin with as many pairs as are more than a multiple of 16, or 8.
  rsb r7, r7, #0
  and r8, r7, #15
  movs r2, #kCode
  adr.w r3, 5f
  mla r2, r8, r2, r3
  adds r2, #1
  str r2, [sp, #kEntry]
  cmp r9, #kOne
  beq 1f
  and r8, r7, #7
  movs r2, #kHalfCode
  adr.w r3, 8f
  b 2f
1:
  movs r2, #kOneCode
  adr.w r3, 10f
2:
  mla r2, r8, r2, r3
  adds r2, #1
  str r2, [sp, #kLastEntry]
7:
  ldrd r1, r0, [sp, #kPanel]
  ldm r0!, {r2-r9}
  add r10, sp, #kFinishes
  stm r10, {r4-r9}
  strd r2, r3, [sp, #kBiases]
  strd r2, r3, [sp, #kBiases + 8]
  strd r2, r3, [sp, #kBiases + 16]
  strd r2, r3, [sp, #kBiases + 24]
  ldrd r2, r3, [sp, #kBase]
  strd r2, r3, [sp, #kOutput]
  ldr r4, [sp, #kLastKind]
  str r4, [sp, #kPending]
  ldr pc, [sp, #kUnpackEntry]
  .balign 4
11:
  UNPACK 1
  b 3f
  .balign 4
12:
  UNPACK 0
3:
  ldr r0, [sp, #kActivations]
  ldr r1, [sp, #kTiles]
  cmp r1, #0
  beq.w 6f
4:
  ldr r1, [sp, #kPanel]
  ldm sp, {r2-r9}
  ldr pc, [sp, #kEntry]
  .balign 4
5:
  .rept 16
  PRODUCTS
  .endr
  ldr r10, [sp, #kPanelEnd]
  cmp r1, r10
  bne.w 5b
  ldr pc, [sp, #kFinishEntry]
  .balign 4
13:
  FINISH_TILE 1
  b 6f
  .balign 4
14:
  FINISH_TILE 0
6:
  ldr r2, [sp, #kPending]
  cmp r2, #kHalf
  bhs 2f
  cmp r2, #0
  beq.w 9f
  ldr r10, [sp, #kBase]
  ldr r11, [sp, #kLastOffset]
  add r10, r11
  movs r11, #1
  strd r10, r11, [sp, #kOutput]
  movs r3, #0
  str r3, [sp, #kPending]
  b.w 4b
2:
  ite eq
  subeq r0, #8
  subne r0, #4
  ldr r1, [sp, #kPanel]
  ldm sp, {r2-r5}
  ldr pc, [sp, #kLastEntry]
  .balign 4
8:
  .rept 8
  HALF_PRODUCTS
  .endr
  ldr r10, [sp, #kPanelEnd]
  cmp r1, r10
  bne.w 8b
  add r10, sp, #kFinishes
  ldm r10!, {r11, r12, lr}
  FINISH r2, 1
  FINISH r4, 1
  ldm r10!, {r11, r12, lr}
  FINISH r3, 1
  FINISH r5, 1
  LAST_OUTPUT
  bfi r2, r3, #8, #8
  bfi r4, r5, #8, #8
  strh r2, [r0, r12, lsl #1]
  strh r4, [r0, lr]
  b.w 9f
  .balign 4
10:
  .rept 16
  ONE_PRODUCTS
  .endr
  ldr r10, [sp, #kPanelEnd]
  cmp r1, r10
  bne.w 10b
  add r10, sp, #kFinishes
  ldm r10!, {r11, r12, lr}
  FINISH r2, 1
  ldm r10!, {r11, r12, lr}
  FINISH r3, 1
  LAST_OUTPUT
  bfi r2, r3, #8, #8
  strh r2, [r0, lr]
9:
  ldrd r2, r3, [sp, #kWeights]
  ldrd r4, r5, [sp, #kPairs]
  add r2, r2, r4, lsl #2
  adds r2, #32
  adds r3, #2
  strd r2, r3, [sp, #kWeights]
  subs r5, #1
  str r5, [sp, #kChannelPairs]
  bne.w 7b
  add sp, sp, #kFrame
  pop {r4-r11, pc}
  .size tinyseg_dsp_multiply, . - tinyseg_dsp_multiply

// void tinyseg_dsp_widen(const tinyseg_dsp_widening*): 19 instructions for 16 bytes, or 27 to double
// them.
//
//   r0-r3  four pixels      r4  where the pairs go       r5  words left
//   r6-r9, r10-r12, lr  their bytes as pairs
  .equ kWords, 0
  .equ kQuads, 4
  .equ kPixelSkip, 8
  .equ kPairSkip, 12
  .equ kTail, 16
  .equ kDoubled, 20


.macro WORDS doubles
1:
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
  .if \doubles
  DOUBLE r6, r7, r8, r9, r10, r11, r12, lr
  .endif
  stm r4!, {r6-r9}
  subs r5, #1
  stm r4!, {r10-r12, lr}
  bne 1b
.endm

  .section .text.tinyseg_dsp_widen, "ax", %progbits
  .balign 4
  .global tinyseg_dsp_widen
  .type tinyseg_dsp_widen, %function
  .thumb_func
tinyseg_dsp_widen:
  push {r4-r11, lr}
  sub sp, sp, #24
  ldm r0, {r0, r1, r4, r6-r11}
  stm sp, {r6-r11}
  add r2, r0, r1, lsl #1
  add r3, r2, r1
  add r1, r0, r1
2:
  ldr r5, [sp, #kWords]
  cmp r5, #0
  beq 4f
  ldr r6, [sp, #kDoubled]
  cmp r6, #0
  bne 3f
  WORDS 0
  b 4f
3:
  WORDS 1
4:
  ldr r5, [sp, #kTail]
  cbz r5, 6f
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
  ldr r5, [sp, #kDoubled]
  cbz r5, 5f
  DOUBLE r6, r7, r8, r9
5:
  stm r4!, {r6-r9}
6:
  ldrd r5, r6, [sp, #kQuads]
  subs r5, #1
  add r0, r6
  add r1, r6
  add r2, r6
  add r3, r6
  ldr r6, [sp, #kPairSkip]
  str r5, [sp, #kQuads]
  add r4, r6
  bne 2b
  add sp, sp, #24
  pop {r4-r11, pc}
  .size tinyseg_dsp_widen, . - tinyseg_dsp_widen

#endif  // __ARM_FEATURE_DSP
