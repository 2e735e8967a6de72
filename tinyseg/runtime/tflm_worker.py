"""Run the TensorFlow Lite Micro interpreter in a process of its own.

    python tflm_worker.py MODEL.tflite ARENA_BYTES INPUTS.npy OUTPUTS.npy [TENSOR...]

With numbers of tensors, what these hold after the last image goes to OUTPUTS.npz instead, and
every tensor keeps a place of its own.

TFLM aborts the process on some damaged models and reports its memory on stderr from C++; a
process of its own contains the first and makes the second readable. Prints ``loaded`` once
memory is planned and ``image`` after each image.
"""

import sys

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def main(
    model_path: str, arena_bytes: str, inputs_path: str, outputs_path: str, *tensors: str
) -> None:
    """Load the model, report its memory and run all inputs."""
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
    outputs = []
    for image in np.load(inputs_path):
        interpreter.set_input(image[None], 0)
        interpreter.invoke()
        outputs.append(interpreter.get_output(0)[0].copy())
        print("image", flush=True)
    if tensors:
        kept = {name: interpreter.GetTensor(int(name), 0)["tensor_data"] for name in tensors}
        np.savez(outputs_path.removesuffix(".npy"), **kept)
    np.save(outputs_path, np.stack(outputs) if outputs else np.empty(0))


if __name__ == "__main__":
    main(*sys.argv[1:])
