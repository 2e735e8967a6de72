// Programs that are refused, or run without leaving their memory.
#include <gtest/gtest.h>

#include "engine/check.h"
#include "tests/engine_mutation.h"

namespace tinyseg {
namespace engine {
namespace {

using Program = std::vector<uint8_t>;

Code StartCode(const Program& program, const KernelTable& kernels = portable::kAll) {
  Machine machine(program);
  return machine.Start(kernels).code;
}

// Changes a field and repairs the checksum.
template <typename T>
Program With(Program program, size_t offset, T value) {
  std::memcpy(program.data() + offset, &value, sizeof(value));
  ProgramBuilder::RepairChecksum(&program);
  return program;
}

const Header& HeaderOf(const Program& program) {
  return *reinterpret_cast<const Header*>(program.data());
}

TEST(EngineCheckTest, TakesASoundProgram) { EXPECT_EQ(StartCode(SmallProgram()), Code::kOk); }

TEST(EngineCheckTest, RefusesEveryChangedByte) {
  const Program sound = SmallProgram();
  const Memory memory(1 << 12);
  const MutableBytes regions[] = {memory.bytes(), memory.bytes()};
  const Memory program(sound.size());
  std::memcpy(program.data(), sound.data(), sound.size());
  for (size_t i = 0; i < sound.size(); ++i) {
    for (const uint8_t change : {0x01, 0x80, 0xFF}) {
      program.data()[i] = sound[i] ^ change;
      Interpreter interpreter;
      const Code code =
          interpreter.Start({program.data(), sound.size()}, portable::kAll, regions, 2).code;
      program.data()[i] = sound[i];
      ASSERT_TRUE(code == Code::kModelDamaged || code == Code::kBadProgram ||
                  code == Code::kArenaTooSmall)
          << "byte " << i;
    }
  }
}

TEST(EngineCheckTest, RefusesPartsOfAProgram) {
  const Program sound = SmallProgram();
  for (size_t size = 0; size < sound.size(); ++size) {
    const Memory memory(1 << 12);
    const Memory copy(size + 1);
    std::memcpy(copy.data(), sound.data(), size);
    const MutableBytes regions[] = {memory.bytes(), memory.bytes()};
    Interpreter interpreter;
    EXPECT_EQ(interpreter.Start({copy.data(), size}, portable::kAll, regions, 2).code,
              Code::kBadProgram);
  }
}

TEST(EngineCheckTest, NamesWhatIsWrong) {
  const Program sound = SmallProgram();
  const uint32_t nodes = HeaderOf(sound).nodes;
  EXPECT_EQ(StartCode(With(sound, offsetof(Header, magic), 7u)), Code::kBadProgram);
  EXPECT_EQ(StartCode(With(sound, offsetof(Header, version), 2u)), Code::kBadProgram);
  EXPECT_EQ(StartCode(With(sound, offsetof(Header, nodes), nodes + 2)), Code::kBadProgram);
  EXPECT_EQ(StartCode(With(sound, offsetof(Header, unit), 24u)), Code::kBadProgram);
  const size_t last = nodes + (HeaderOf(sound).node_count - 1u) * sizeof(Node);
  EXPECT_EQ(StartCode(With(sound, last + offsetof(Node, kernel), uint8_t{200})),
            Code::kUnknownOperator);
  EXPECT_EQ(StartCode(With(sound, last + offsetof(Node, rows), uint16_t{0})), Code::kBadProgram);
}

TEST(EngineCheckTest, NamesAKernelThatIsNotLinked) {
  KernelTable kernels = portable::kAll;
  kernels.functions[static_cast<size_t>(Kernel::kMaxPool)] = nullptr;
  Machine machine(SmallProgram());
  const Status status = machine.Start(kernels);
  EXPECT_EQ(status.code, Code::kUnknownOperator);
  EXPECT_EQ(status.detail, static_cast<uint32_t>(Kernel::kMaxPool));
  EXPECT_FALSE(machine.interpreter.Step());
}

TEST(EngineCheckTest, AsksForMemory) {
  const Program program = SmallProgram();
  const Header& header = HeaderOf(program);
  const Memory copy(program.size());
  std::memcpy(copy.data(), program.data(), program.size());
  const Memory first(header.region_bytes[0]);
  const Memory second(header.region_bytes[1]);
  const ByteView view = {copy.data(), program.size()};
  MutableBytes regions[] = {first.bytes(), second.bytes()};
  Interpreter interpreter;
  EXPECT_EQ(interpreter.Start(view, portable::kAll, regions, 1).code, Code::kArenaTooSmall);
  regions[1].size -= 1;
  const Status status = interpreter.Start(view, portable::kAll, regions, 2);
  EXPECT_EQ(status.code, Code::kArenaTooSmall);
  EXPECT_EQ(status.detail, header.region_bytes[1]);
  regions[1] = {first.data() + 4, header.region_bytes[1]};
  EXPECT_EQ(interpreter.Start(view, portable::kAll, regions, 2).code, Code::kBadProgram);
}

// Whatever the fields are that Start() checks, a program that passes stays in its memory; the
// sanitizers watch.
TEST(EngineCheckTest, StaysInMemoryWithChangedTables) {
  const Program sound = SmallProgram();
  uint32_t passed = 0;
  const std::vector<Field> fields = FieldsOf(sound);
  for (uint32_t seed = 0; seed < 4000; ++seed) {
    Random random(seed);
    Program program = sound;
    for (int changes = random.Between(1, 2); changes > 0; --changes) {
      const Field field = random.OneOf(fields);
      const auto last = static_cast<int32_t>(field.size) - 1;
      uint8_t& byte = program[field.begin + static_cast<uint32_t>(random.Between(0, last))];
      byte = static_cast<uint8_t>(random.Between(0, 1) ? random.Between(0, 255)
                                                       : byte + random.Between(-2, 2));
    }
    ProgramBuilder::RepairChecksum(&program);
    passed += RunMutated(program);
  }
  EXPECT_GT(passed, 100u);
}

}  // namespace
}  // namespace engine
}  // namespace tinyseg
