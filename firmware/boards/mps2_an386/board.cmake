set(TINYSEG_CPU_FLAGS -mcpu=cortex-m4 -mfloat-abi=hard -mfpu=fpv4-sp-d16)
set(TINYSEG_TFLM_ARCH cortex-m4+fp)
set(TINYSEG_EMULATED ON)
set(TINYSEG_BOARD_SOURCES boards/common/mps.cc)
