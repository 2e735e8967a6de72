# Tests and fuzzers for this machine: ctest runs the tests and replays the fuzzers' corpora.
#
# A fuzzer goes on from its corpus; a merge adds the fewest files that reach all it found:
#   cmake -G Ninja -S firmware -B BUILD -DTINYSEG_FUZZ=ON -DCMAKE_CXX_COMPILER=clang++
#   mkdir NEW; BUILD/frame_fuzzer -max_total_time=300 -max_len=600 NEW firmware/fuzz/corpus/frame
#   BUILD/frame_fuzzer -set_cover_merge=1 firmware/fuzz/corpus/frame NEW
if(TINYSEG_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "TINYSEG_FUZZ needs clang: add -DCMAKE_CXX_COMPILER=clang++ (Debian's \
packages clang and libclang-rt-dev)")
endif()
find_package(GTest QUIET)
if(NOT GTest_FOUND)
  message(FATAL_ERROR "GoogleTest is missing: install Debian's package libgtest-dev, or run \
'make toolchain'")
endif()

if(TINYSEG_SANITIZE OR TINYSEG_FUZZ)
  set(_sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_compile_options(options INTERFACE ${_sanitize} -g -fno-omit-frame-pointer)
  target_link_options(options INTERFACE ${_sanitize})
endif()
if(TINYSEG_FUZZ)
  target_compile_options(options INTERFACE -fsanitize=fuzzer-no-link)
endif()

enable_testing()
include(GoogleTest)

# The engine for Python's ctypes, with all kernels.
file(GLOB engine_sources CONFIGURE_DEPENDS
  engine/*.cc engine/kernels/dsp/*.cc engine/kernels/host/*.cc engine/kernels/portable/*.cc)
add_library(tinyseg_engine SHARED ${engine_sources} core/crc32.cc ops/binary_conv.cc)
target_link_libraries(tinyseg_engine PRIVATE options)
set_target_properties(tinyseg_engine PROPERTIES POSITION_INDEPENDENT_CODE ON)

# GoogleTest's headers adapt to -fno-exceptions and -fno-rtti, so tests are built as the firmware.
add_executable(unit_tests
  tests/binary_conv_test.cc tests/board_test.cc tests/bytes_test.cc tests/crc32_test.cc
  tests/frame_decoder_test.cc tests/frame_encoder_test.cc tests/image_test.cc
  tests/mirror_test.cc tests/model_check_test.cc tests/operating_point_test.cc tests/protocol_test.cc tests/server_error_test.cc tests/server_test.cc
  tests/server_types_test.cc tests/sha256_test.cc tests/stack_test.cc)
target_link_libraries(unit_tests PRIVATE core options GTest::gtest_main)
gtest_discover_tests(unit_tests NO_PRETTY_VALUES)

# Once as this machine runs the engine, once as microcontrollers do.
foreach(name engine_tests engine_scalar_tests)
  add_executable(${name}
    tests/engine_binary_test.cc tests/engine_check_test.cc tests/engine_convolution_test.cc
    tests/engine_elementwise_test.cc tests/engine_interpreter_test.cc tests/engine_pool_test.cc
    tests/engine_requantize_test.cc tests/engine_shape_test.cc ${engine_sources})
  target_link_libraries(${name} PRIVATE core options GTest::gtest_main)
  target_compile_options(${name} PRIVATE -march=native)
  gtest_discover_tests(${name} NO_PRETTY_VALUES TEST_PREFIX ${name}.)
endforeach()
target_compile_definitions(engine_scalar_tests PRIVATE TINYSEG_ENGINE_SCALAR)

set(engine_fuzzer_sources ${engine_sources})
foreach(name engine frame server)
  add_executable(${name}_replay
    fuzz/${name}_fuzzer.cc fuzz/replay.cc ${${name}_fuzzer_sources})
  target_link_libraries(${name}_replay PRIVATE core options)
  add_test(NAME replay_${name}_corpus
    COMMAND ${name}_replay ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name})
  if(TINYSEG_FUZZ)
    add_executable(${name}_fuzzer fuzz/${name}_fuzzer.cc ${${name}_fuzzer_sources})
    target_link_libraries(${name}_fuzzer PRIVATE core options)
    target_link_options(${name}_fuzzer PRIVATE -fsanitize=fuzzer)
  endif()
endforeach()
