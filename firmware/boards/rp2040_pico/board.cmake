set(TINYSEG_CPU_FLAGS -mcpu=cortex-m0plus -mfloat-abi=soft)
set(TINYSEG_TFLM_ARCH cortex-m0plus)
