set(TINYSEG_CPU_FLAGS -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-d16)
set(TINYSEG_TFLM_ARCH cortex-m7+fp)
set(TINYSEG_EMULATED ON)
set(TINYSEG_BOARD_SOURCES boards/common/mps.cc)
