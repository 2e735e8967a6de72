#include "ops/binary_conv_tflm.h"

#include "ops/binary_conv.h"
#include "tensorflow/lite/kernels/kernel_util.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"
#include "tensorflow/lite/micro/micro_log.h"

namespace tinyseg {
namespace {

constexpr int kInput = 0;
constexpr int kFilter = 1;
constexpr int kRequantization = 2;
constexpr int kOutput = 0;

struct Options {
  uint8_t version;
  uint8_t stride_height;
  uint8_t stride_width;
  uint8_t valid;
  int8_t output_min;
  int8_t output_max;
};

struct Data {
  Options options;
  BinaryConvShape shape;
  BinaryConvRange range;
  int scratch;
};

// Padding before the first row or column.
int32_t PadBefore(int32_t input, int32_t output, int32_t filter, int32_t stride, bool valid) {
  const int32_t total = (output - 1) * stride + filter - input;
  return valid || total < 0 ? 0 : total / 2;
}

void* Init(TfLiteContext* context, const char* buffer, size_t length) {
  auto* data = static_cast<Data*>(context->AllocatePersistentBuffer(context, sizeof(Data)));
  if (data == nullptr) return nullptr;
  *data = {};
  if (buffer != nullptr && length >= sizeof(Options)) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(buffer);
    data->options = {bytes[0],
                     bytes[1],
                     bytes[2],
                     bytes[3],
                     static_cast<int8_t>(bytes[4]),
                     static_cast<int8_t>(bytes[5])};
  }
  return data;
}

// Tensors of one node, freed with it.
class Tensors {
 public:
  Tensors(TfLiteContext* context, TfLiteNode* node) : micro_(tflite::GetMicroContext(context)) {
    for (int i = 0; i < 3; ++i) in_[i] = micro_->AllocateTempInputTensor(node, i);
    out_ = micro_->AllocateTempOutputTensor(node, kOutput);
  }
  ~Tensors() {
    if (out_ != nullptr) micro_->DeallocateTempTfLiteTensor(out_);
    for (int i = 2; i >= 0; --i) {
      if (in_[i] != nullptr) micro_->DeallocateTempTfLiteTensor(in_[i]);
    }
  }
  Tensors(const Tensors&) = delete;
  Tensors& operator=(const Tensors&) = delete;

  const TfLiteTensor* in(int index) const { return in_[index]; }
  const TfLiteTensor* out() const { return out_; }

 private:
  tflite::MicroContext* micro_;
  TfLiteTensor* in_[3];
  TfLiteTensor* out_;
};

bool HasShape(const TfLiteTensor* tensor, TfLiteType type, int dimensions) {
  return tensor != nullptr && tensor->type == type && tensor->dims->size == dimensions;
}

TfLiteStatus Prepare(TfLiteContext* context, TfLiteNode* node) {
  auto* data = static_cast<Data*>(node->user_data);
  if (data == nullptr || data->options.version != 1 || data->options.stride_height == 0 ||
      data->options.stride_width == 0) {
    MicroPrintf("%s: unknown options; export the model again", kBinaryConvName);
    return kTfLiteError;
  }
  TF_LITE_ENSURE_EQ(context, tflite::NumInputs(node), 3);
  const Tensors tensors(context, node);
  const TfLiteTensor* input = tensors.in(kInput);
  const TfLiteTensor* filter = tensors.in(kFilter);
  const TfLiteTensor* requantization = tensors.in(kRequantization);
  const TfLiteTensor* output = tensors.out();
  TF_LITE_ENSURE(context, HasShape(input, kTfLiteInt8, 4));
  TF_LITE_ENSURE(context, HasShape(filter, kTfLiteInt32, 4));
  TF_LITE_ENSURE(context, HasShape(requantization, kTfLiteInt32, 2));
  TF_LITE_ENSURE(context, HasShape(output, kTfLiteInt8, 4));

  const int* in = input->dims->data;
  const int* weights = filter->dims->data;
  const int* out = output->dims->data;
  const Options& options = data->options;
  const bool valid = options.valid != 0;
  data->shape = {
      in[1],
      in[2],
      in[3],
      out[1],
      out[2],
      out[3],
      weights[1],
      weights[2],
      options.stride_height,
      options.stride_width,
      PadBefore(in[1], out[1], weights[1], options.stride_height, valid),
      PadBefore(in[2], out[2], weights[2], options.stride_width, valid),
  };
  TF_LITE_ENSURE_EQ(context, in[0], 1);
  TF_LITE_ENSURE_EQ(context, out[0], 1);
  TF_LITE_ENSURE_EQ(context, weights[0], out[3]);
  TF_LITE_ENSURE_EQ(context, weights[3], data->shape.words());
  TF_LITE_ENSURE_EQ(context, requantization->dims->data[0], out[3]);
  TF_LITE_ENSURE_EQ(context, requantization->dims->data[1], 3);
  data->range = {input->params.zero_point, output->params.zero_point, options.output_min,
                 options.output_max};
  return context->RequestScratchBufferInArena(
      context, data->shape.scratch_words() * sizeof(uint32_t), &data->scratch);
}

TfLiteStatus Eval(TfLiteContext* context, TfLiteNode* node) {
  const auto* data = static_cast<const Data*>(node->user_data);
  const auto* input = tflite::micro::GetEvalInput(context, node, kInput);
  const auto* filter = tflite::micro::GetEvalInput(context, node, kFilter);
  const auto* requantization = tflite::micro::GetEvalInput(context, node, kRequantization);
  auto* output = tflite::micro::GetEvalOutput(context, node, kOutput);
  BinaryConv(data->shape, data->range, tflite::micro::GetTensorData<int8_t>(input),
             reinterpret_cast<const uint32_t*>(tflite::micro::GetTensorData<int32_t>(filter)),
             reinterpret_cast<const Requantization*>(
                 tflite::micro::GetTensorData<int32_t>(requantization)),
             static_cast<uint32_t*>(context->GetScratchBuffer(context, data->scratch)),
             tflite::micro::GetTensorData<int8_t>(output));
  return kTfLiteOk;
}

}  // namespace

const TFLMRegistration* RegisterBinaryConv() {
  static const TFLMRegistration registration = tflite::micro::RegisterOp(Init, Prepare, Eval);
  return &registration;
}

}  // namespace tinyseg
