// Changes to a program's tables, with a checksum that holds: it is refused, or runs inside its
// memory.
//
// Each three bytes are a change: which field, which of its bytes, and the new value.
#include "tests/engine_mutation.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tinyseg::engine;
  std::vector<uint8_t> program = SmallProgram();
  const std::vector<Field> fields = FieldsOf(program);
  for (; size >= 3; data += 3, size -= 3) {
    const Field& field = fields[data[0] % fields.size()];
    program[field.begin + data[1] % field.size] = data[2];
  }
  ProgramBuilder::RepairChecksum(&program);
  RunMutated(program);
  return 0;
}
