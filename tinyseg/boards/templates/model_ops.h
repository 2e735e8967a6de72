// Operators of {{ name }}, exported by tinyseg {{ version }}. Do not edit.
#ifndef MODEL_OPS_H_
#define MODEL_OPS_H_

{% if custom -%}
#include "ops/binary_conv_tflm.h"
{% endif -%}
#include "tensorflow/lite/micro/kernels/pad.h"
#include "tensorflow/lite/micro/kernels/transpose.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

using ModelOpResolver = tflite::MicroMutableOpResolver<{{ registrations | length }}>;

inline TfLiteStatus RegisterModelOps(ModelOpResolver* resolver) {
{%- for call in registrations %}
  if (resolver->{{ call }} != kTfLiteOk) return kTfLiteError;
{%- endfor %}
  return kTfLiteOk;
}

#endif  // MODEL_OPS_H_
