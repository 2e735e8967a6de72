// A plugin of QEMU: how often each block of instructions ran between two functions.
//
//   -plugin block_counts.so,begin=HEX,end=HEX,out=FILE
//
// Each time `begin` is entered all counts become zero; when `end` is entered after that they are
// written to FILE: a line "inference", then for each block its address in hex, how many
// instructions it has, and how often it ran.
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Of QEMU's plugin interface, version 1.
typedef uint64_t Id;
typedef struct qemu_plugin_tb Translated;
enum { kAdd = 0, kNoRegisters = 0 };
void qemu_plugin_register_vcpu_tb_trans_cb(Id id, void (*function)(Id, Translated*));
void qemu_plugin_register_vcpu_tb_exec_inline(Translated* block, int operation, void* to,
                                              uint64_t value);
void qemu_plugin_register_vcpu_tb_exec_cb(Translated* block, void (*function)(unsigned, void*),
                                          int flags, void* user);
size_t qemu_plugin_tb_n_insns(const Translated* block);
uint64_t qemu_plugin_tb_vaddr(const Translated* block);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

typedef struct {
  uint64_t address, instructions, count;
} Block;

#define MOST 65536
static Block* blocks[MOST];
static size_t used;
static uint64_t begin, end;
static bool counts;
static FILE* out;

static void Begin(unsigned cpu, void* user) {
  (void)cpu, (void)user;
  for (size_t i = 0; i < used; ++i) blocks[i]->count = 0;
  counts = true;
}

static void End(unsigned cpu, void* user) {
  (void)cpu, (void)user;
  if (!counts) return;
  counts = false;
  fprintf(out, "inference\n");
  for (size_t i = 0; i < used; ++i) {
    const Block* block = blocks[i];
    if (block->count == 0) continue;
    fprintf(out, "%" PRIx64 " %" PRIu64 " %" PRIu64 "\n", block->address, block->instructions,
            block->count);
  }
  fflush(out);
}

static Block* Find(uint64_t address, uint64_t instructions) {
  for (size_t i = 0; i < used; ++i) {
    if (blocks[i]->address == address && blocks[i]->instructions == instructions) return blocks[i];
  }
  if (used == MOST) abort();
  Block* block = calloc(1, sizeof(Block));
  block->address = address;
  block->instructions = instructions;
  return blocks[used++] = block;
}

static void Translate(Id id, Translated* translated) {
  (void)id;
  const uint64_t address = qemu_plugin_tb_vaddr(translated);
  Block* block = Find(address, qemu_plugin_tb_n_insns(translated));
  if (address == begin) {
    qemu_plugin_register_vcpu_tb_exec_cb(translated, Begin, kNoRegisters, NULL);
  }
  if (address == end) qemu_plugin_register_vcpu_tb_exec_cb(translated, End, kNoRegisters, NULL);
  qemu_plugin_register_vcpu_tb_exec_inline(translated, kAdd, &block->count, 1);
}

__attribute__((visibility("default"))) int qemu_plugin_install(Id id, const void* info, int count,
                                                               char** arguments) {
  (void)info;
  for (int i = 0; i < count; ++i) {
    if (strncmp(arguments[i], "begin=", 6) == 0) begin = strtoull(arguments[i] + 6, NULL, 16);
    if (strncmp(arguments[i], "end=", 4) == 0) end = strtoull(arguments[i] + 4, NULL, 16);
    if (strncmp(arguments[i], "out=", 4) == 0) out = fopen(arguments[i] + 4, "w");
  }
  if (out == NULL) return 1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, Translate);
  return 0;
}
