# Arm's bare-metal GCC, as in Debian's package gcc-arm-none-eabi.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR arm)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

find_program(CMAKE_CXX_COMPILER arm-none-eabi-g++)
if(NOT CMAKE_CXX_COMPILER)
  message(FATAL_ERROR "arm-none-eabi-g++ is missing; run 'make toolchain'")
endif()
set(CMAKE_ASM_COMPILER ${CMAKE_CXX_COMPILER})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
