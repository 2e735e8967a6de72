"""Run the TensorFlow Lite Micro interpreter in a process of its own.

    python tflm_worker.py MODEL.tflite ARENA_BYTES INPUTS.npy OUTPUTS.npz [OUTPUTS [SECONDS
        [TENSOR...]]]

OUTPUTS is their number. After the first image others follow as long as they are likely to be done
within SECONDS, two images in any case. With numbers of tensors, what these hold after the last
image is stored instead, and every tensor keeps a place of its own.

TFLM aborts the process on some damaged models and reports its memory on stderr from C++; a
process of its own contains the first and makes the second readable. Prints ``loaded`` once
memory is planned and ``image`` after each image.
"""

import sys
import time

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def main(
    model_path: str,
    arena_bytes: str,
    inputs_path: str,
    outputs_path: str,
    outputs: str = "1",
    seconds: str = "inf",
    *tensors: str,
) -> None:
    """Load the model, report its memory and run the inputs."""
    with open(model_path, "rb") as stream:
        content = stream.read()
    kinds = runtime.InterpreterConfig
    kind = kinds.kPreserveAllTensors if tensors else kinds.kAllocationRecording
    interpreter = runtime.Interpreter.from_bytes(
        content, arena_size=int(arena_bytes), intrepreter_config=kind
    )
    if not tensors:
        interpreter.print_allocations()
    print("loaded", flush=True)
    inputs, shape = np.load(inputs_path), interpreter.get_input_details(0)["shape"]
    found: list[list[np.ndarray]] = [[] for _ in range(int(outputs))]
    ends: list[float] = []
    for image in inputs:
        if _late(ends, float(seconds)):
            break
        interpreter.set_input(image.reshape(shape), 0)
        interpreter.invoke()
        for number, kept in enumerate(found):
            values = interpreter.get_output(number)
            # Some files leave the batch of 1 out.
            kept.append((values[0] if values.shape[:1] == (1,) else values).copy())
        ends.append(time.monotonic())
        print("image", flush=True)
    if tensors:
        named = {name: interpreter.GetTensor(int(name), 0)["tensor_data"] for name in tensors}
        return np.savez(outputs_path, **named)
    np.savez(outputs_path, *(np.stack(kept) if kept else np.empty(0) for kept in found))


def _late(ends: list[float], seconds: float) -> bool:
    """Tell whether one more image would be too late, by when the others were done."""
    if len(ends) < 2:
        return False
    passed = ends[-1] - ends[0]
    return passed + passed / (len(ends) - 1) > seconds


if __name__ == "__main__":
    main(*sys.argv[1:])
