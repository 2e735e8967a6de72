"""What is known of operators: one file an operator, or a tight family of them.

Each file makes one or more :class:`~tinyseg.tflite.ops.op.Op`; ``registry`` lists them and looks
them up. ``cost``, ``memory``, ``rows``, ``checks``, ``padding`` and ``cmsis_nn`` hold what several
of them share.
"""
