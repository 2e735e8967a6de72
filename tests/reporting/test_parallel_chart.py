"""The picture of a search."""

import cv2
import numpy as np

from tinyseg.reporting.parallel_chart import parallel_coordinates


def test_trials_of_all_kinds_of_values_are_drawn():
    trials = [
        {
            "values": {
                "training.learning_rate": 10.0**-i,
                "training.augment": i % 2 == 0,
                "model.arguments.base_width": 8,
                "preprocessing.scale": (0.1 * i, 1.0),
            },
            "score": i / 10,
        }
        for i in range(1, 6)
    ]
    pictures = [parallel_coordinates(part, shares) for part, shares in (
        (trials, {"training.augment": 0.25}), (trials[:1], {}),
    )]  # fmt: skip
    decoded = [cv2.imdecode(np.frombuffer(p, np.uint8), cv2.IMREAD_COLOR) for p in pictures]
    assert all(picture.std() > 5 for picture in decoded)
    # More lines, more ink.
    assert decoded[0].mean() < decoded[1].mean()
