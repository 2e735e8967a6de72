set(TINYSEG_CPU_FLAGS -mcpu=cortex-m55 -mfloat-abi=hard -mfpu=auto)
set(TINYSEG_TFLM_ARCH cortex-m55)
set(TINYSEG_EMULATED ON)
set(TINYSEG_BOARD_SOURCES boards/common/mps.cc)
