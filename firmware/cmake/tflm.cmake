# Finds TensorFlow Lite Micro below TFLM_ROOT and makes the target tflm.
#
# TFLM_ROOT is a checkout of TFLite Micro in which its library was built for this board's
# processor, or a folder with include/ and lib/libtensorflow-microlite.a.
if(NOT TFLM_ROOT)
  set(TFLM_ROOT "$ENV{TFLM_ROOT}")
endif()
set(_how "build libtensorflow-microlite.a for TARGET_ARCH=${TINYSEG_TFLM_ARCH} as its \
tensorflow/lite/micro/cortex_m_generic/README.md says, and set TFLM_ROOT; docs/firmware.md has \
the command")
if(NOT TFLM_ROOT)
  message(FATAL_ERROR "TFLM_ROOT is not set: get TensorFlow Lite Micro, ${_how}")
endif()

if(EXISTS "${TFLM_ROOT}/lib/libtensorflow-microlite.a")
  set(TFLM_LIBRARY "${TFLM_ROOT}/lib/libtensorflow-microlite.a")
  set(_include "${TFLM_ROOT}/include")
else()
  set(_gen "${TFLM_ROOT}/gen/cortex_m_generic_${TINYSEG_TFLM_ARCH}")
  # The CMSIS-NN kernels first, then those of reference; a build with logs first.
  file(GLOB _found
    "${_gen}_release_with_logs_cmsis_nn_gcc/lib/libtensorflow-microlite.a"
    "${_gen}_*_cmsis_nn_gcc/lib/libtensorflow-microlite.a"
    "${_gen}_*_gcc/lib/libtensorflow-microlite.a")
  set(_order "${_found}")
  list(FILTER _order INCLUDE REGEX "cmsis_nn_gcc")
  set(_logs "${_order}")
  list(FILTER _logs INCLUDE REGEX "release_with_logs")
  list(APPEND _logs ${_order} ${_found})
  list(REMOVE_DUPLICATES _logs)
  if(_logs)
    list(GET _logs 0 TFLM_LIBRARY)
  endif()
  set(_downloads "${TFLM_ROOT}/tensorflow/lite/micro/tools/make/downloads")
  set(_include "${TFLM_ROOT}" "${_downloads}/flatbuffers/include" "${_downloads}/gemmlowp"
    "${_downloads}/ruy")
endif()
if(NOT TFLM_LIBRARY)
  message(FATAL_ERROR "TFLM_ROOT=${TFLM_ROOT} holds no library for ${BOARD}: ${_how}")
endif()
message(STATUS "TensorFlow Lite Micro: ${TFLM_LIBRARY}")

add_library(tflm STATIC IMPORTED)
set_target_properties(tflm PROPERTIES IMPORTED_LOCATION "${TFLM_LIBRARY}")
target_include_directories(tflm SYSTEM INTERFACE ${_include})
# As the library was compiled: structures differ without it.
target_compile_definitions(tflm INTERFACE TF_LITE_STATIC_MEMORY)
if(TFLM_LIBRARY MATCHES "cmsis_nn")
  # Its headers declare the int8 kernels then.
  target_compile_definitions(tflm INTERFACE CMSIS_NN)
endif()
