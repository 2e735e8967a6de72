#include "core/stack.h"

namespace tinyseg {
namespace {

constexpr size_t kGuardWords = 8;

}  // namespace

void PaintStack(const StackRegion& stack, uint32_t* until) {
  // Volatile, for the compiler may not see that anyone reads this.
  for (volatile uint32_t* word = stack.begin; word < until; ++word) *word = kStackPaint;
}

uint32_t StackUsed(const StackRegion& stack) {
  const volatile uint32_t* word = stack.begin;
  while (word < stack.end && *word == kStackPaint) ++word;
  return static_cast<uint32_t>((stack.end - word) * sizeof(uint32_t));
}

bool StackOverflowed(const StackRegion& stack) {
  const volatile uint32_t* words = stack.begin;
  for (size_t i = 0; i < kGuardWords; ++i) {
    if (words[i] != kStackPaint) return true;
  }
  return false;
}

}  // namespace tinyseg
