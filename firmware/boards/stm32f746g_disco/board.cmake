set(TINYSEG_CPU_FLAGS -mcpu=cortex-m7 -mfloat-abi=hard -mfpu=fpv5-sp-d16)
# The library for cortex-m7+fp computes in double precision, which this chip's FPU lacks.
set(TINYSEG_TFLM_ARCH cortex-m4+fp)
