file(GLOB_RECURSE sources CONFIGURE_DEPENDS
  ${CMAKE_CURRENT_LIST_DIR}/../src/*.cc ${CMAKE_CURRENT_LIST_DIR}/../src/*.S)
zephyr_library()
zephyr_library_sources(${sources})
zephyr_include_directories(${CMAKE_CURRENT_LIST_DIR}/../src)
