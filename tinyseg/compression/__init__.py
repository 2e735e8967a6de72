"""Make networks smaller: quantization."""
