#include "tflm/tflm_engine.h"

#include <cstring>
#include <utility>

#include "core/image.h"
#include "tensorflow/lite/micro/cortex_m_generic/debug_log_callback.h"
#include "tensorflow/lite/schema/schema_generated.h"
#include "tensorflow/lite/schema/schema_utils.h"

namespace tinyseg {
namespace {

// The interpreter's own objects alone take more; in less, it writes to address zero.
constexpr uint32_t kLeastArena = 2048;

// The first line that TFLM logged, for error messages: it tells the cause, later ones the way.
char first_log_line[120];

void KeepLogLine(const char* text) {
  if (first_log_line[0] != 0) return;
  size_t i = 0;
  for (; i + 1 < sizeof(first_log_line) && text[i] != 0 && text[i] != '\n'; ++i) {
    first_log_line[i] = text[i];
  }
  first_log_line[i] = 0;
}

const char* Reason(const char* otherwise) {
  return first_log_line[0] != 0 ? first_log_line : otherwise;
}

ElementType TypeOf(const TfLiteTensor& tensor) {
  switch (tensor.type) {
    case kTfLiteInt16:
      return ElementType::kInt16;
    case kTfLiteFloat32:
      return ElementType::kFloat32;
    case kTfLiteInt32:
      return ElementType::kInt32;
    default:
      return ElementType::kInt8;
  }
}

bool Fits(const TfLiteTensor& tensor, ElementType type, uint32_t elements) {
  return TypeOf(tensor) == type && tensor.bytes == elements * ElementSize(type);
}

}  // namespace

Status TflmEngine::Start() {
  RegisterDebugLogCallback(KeepLogLine);
  const tflite::Model* model = tflite::GetModel(model_.content.data);
  if (model->version() != TFLITE_SCHEMA_VERSION) {
    return {Code::kModelMismatch, model->version(), "model has another schema version"};
  }
  Status status = CheckOperators(*model);
  if (!status.ok()) return status;
  const uint32_t needed = arena_needed_ > kLeastArena ? arena_needed_ : kLeastArena;
  if (arena_.size < needed) {
    return {Code::kArenaTooSmall, needed, "tensor arena is too small, bytes needed"};
  }
  interpreter_.emplace(model, resolver_, arena_.data, arena_.size, nullptr, &profiler_);
  if (interpreter_->AllocateTensors() != kTfLiteOk) {
    return {Code::kPrepareFailed, 0, Reason("TFLM cannot prepare the model")};
  }
  input_ = interpreter_->input(0);
  output_ = interpreter_->output(0);
  return CheckTensors();
}

Status TflmEngine::CheckOperators(const tflite::Model& model) const {
  for (const tflite::OperatorCode* code : *model.operator_codes()) {
    const tflite::BuiltinOperator builtin = tflite::GetBuiltinCode(code);
    const bool known = builtin == tflite::BuiltinOperator_CUSTOM
                           ? resolver_.FindOp(code->custom_code()->c_str()) != nullptr
                           : resolver_.FindOp(builtin) != nullptr;
    if (!known) {
      return {Code::kUnknownOperator, static_cast<uint32_t>(builtin),
              "operator is not registered; export the model again"};
    }
  }
  return {};
}

Status TflmEngine::CheckTensors() const {
  if (!Fits(*input_, model_.input_type, model_.input_elements)) {
    return {Code::kModelMismatch, static_cast<uint32_t>(input_->bytes), "input differs in size"};
  }
  if (!Fits(*output_, model_.output_type, model_.output_elements)) {
    return {Code::kModelMismatch, static_cast<uint32_t>(output_->bytes), "output differs in size"};
  }
  return {};
}

MutableBytes TflmEngine::input() {
  return {reinterpret_cast<uint8_t*>(input_->data.raw), input_->bytes};
}

Status TflmEngine::Run() {
  profiler_.Reset();
  first_log_line[0] = 0;
  if (interpreter_->Invoke() != kTfLiteOk) {
    return {Code::kInvokeFailed, profiler_.count(), Reason("an operator failed")};
  }
  return {};
}

Status TflmEngine::RunMirrored(ByteView pixels, MirroredRows input, MirroredRows output,
                               uint8_t* first) {
  const MutableBytes made = this->output();
  std::memcpy(first, made.data, made.size);
  const MutableBytes tensor = this->input();
  Status status = PixelsToTensor(model_, pixels, tensor);
  if (!status.ok()) return status;
  for (size_t i = 0; i < tensor.size; ++i) {
    if (i < input(i)) std::swap(tensor.data[i], tensor.data[input(i)]);
  }
  status = Run();
  if (!status.ok()) return status;
  // Each pair of places at once: both are read before either is written.
  for (size_t i = 0; i < made.size; ++i) {
    const size_t other = output(i);
    if (i > other) continue;
    const uint8_t here = MeanOf(first[i], made.data[other]);
    made.data[other] = MeanOf(first[other], made.data[i]);
    made.data[i] = here;
  }
  return {};
}

MutableBytes TflmEngine::output() {
  return {reinterpret_cast<uint8_t*>(output_->data.raw), output_->bytes};
}

ArenaReport TflmEngine::arena() const {
  const size_t used = output_ != nullptr ? interpreter_->arena_used_bytes() : 0;
  return {static_cast<uint32_t>(arena_.size), static_cast<uint32_t>(used)};
}

}  // namespace tinyseg
