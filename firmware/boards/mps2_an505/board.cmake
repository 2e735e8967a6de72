set(TINYSEG_CPU_FLAGS -mcpu=cortex-m33 -mfloat-abi=hard -mfpu=fpv5-sp-d16)
set(TINYSEG_TFLM_ARCH cortex-m33)
set(TINYSEG_EMULATED ON)
set(TINYSEG_BOARD_SOURCES boards/common/mps.cc)
