"""Rules that watch a training run: what goes wrong is said while it does, with the layer."""
