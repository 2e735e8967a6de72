// The inner loop of gate.cc for cores with the DSP extension. gcc 12 takes 10 instructions a value.
#if defined(__ARM_FEATURE_DSP)

  .syntax unified
  .thumb

// void tinyseg_dsp_gate(const tinyseg_dsp_gate_row*): 22 instructions for four values, or 34 with
// tables, and 17 a pixel.
//
//   r0  values      r1  output      r2  factor of this pixel      r3  bias
//   r4  multiplier      r5  rounding      r6  tables of the next four channels
//   r7-r10  values      r11  ways to the tables of the second and fourth      r12  words left
  .equ kGates, 0
  .equ kZero, 4
  .equ kBits, 8
  .equ kMinusZero, 12
  .equ kTables, 16
  .equ kWords, 20
  .equ kPixels, 24
  .equ kFrame, 28

.macro VALUES
  ldr lr, [r0], #4
  sxtb r7, lr
  sxtb r8, lr, ror #8
  sxtb r9, lr, ror #16
  asr r10, lr, #24
  mla r7, r7, r2, r3
  mla r8, r8, r2, r3
  mla r9, r9, r2, r3
  mla r10, r10, r2, r3
  smmla r7, r7, r4, r5
  smmla r8, r8, r4, r5
  smmla r9, r9, r4, r5
  smmla r10, r10, r4, r5
  pkhtb r9, r9, r7, asr #16
  pkhtb r10, r10, r8, asr #16
  usat16 r9, #8, r9
  usat16 r10, #8, r10
.endm

  .section .text.tinyseg_dsp_gate, "ax", %progbits
  .balign 4
  .global tinyseg_dsp_gate
  .type tinyseg_dsp_gate, %function
  .thumb_func
tinyseg_dsp_gate:
  push {r4-r11, lr}
  sub sp, sp, #kFrame
  ldm r0!, {r4-r10}
  stm sp, {r4-r10}
  ldm r0, {r0, r1, r4, r5}
  ldr r11, =0x03000100
1:
  ldrd r7, r8, [sp, #kGates]
  ldrsb r2, [r7], #1
  str r7, [sp, #kGates]
  subs r2, r2, r8
  ldrd r7, r8, [sp, #kBits]
  lsls r2, r7
  mul r3, r2, r8
  ldrd r6, r12, [sp, #kTables]
  cmp r6, #0
  beq 3f
2:
  VALUES
  // Tables lie one after another.
  add r9, r9, #0x02000000
  add r10, r10, r11
  uxth r7, r9
  uxth r8, r10
  lsr r9, r9, #16
  lsr r10, r10, #16
  ldrb r7, [r6, r7]
  ldrb r8, [r6, r8]
  ldrb r9, [r6, r9]
  ldrb r10, [r6, r10]
  orr r7, r7, r8, lsl #8
  orr r9, r9, r10, lsl #8
  orr r7, r7, r9, lsl #16
  add r6, r6, #1024
  subs r12, #1
  str r7, [r1], #4
  bne 2b
  b 4f
3:
  VALUES
  orr r9, r9, r10, lsl #8
  eor r9, r9, #0x80808080
  subs r12, #1
  str r9, [r1], #4
  bne 3b
4:
  ldr r7, [sp, #kPixels]
  subs r7, #1
  str r7, [sp, #kPixels]
  bne 1b
  add sp, sp, #kFrame
  pop {r4-r11, pc}
  .ltorg
  .size tinyseg_dsp_gate, . - tinyseg_dsp_gate

#endif  // __ARM_FEATURE_DSP
