"""A data set of each layout on disk, to be spoilt."""

import pytest

from tests.data.makers import MAKERS
from tinyseg.data import load
from tinyseg.data.store import open_store
from tinyseg.plan import PreprocessingPlan

ALL = list(MAKERS)
PAIRED = [name for name, maker in MAKERS.items() if maker.mask]
PICTURES = [name for name in ALL if not name.startswith("brats")]
MASKED_PICTURES = [name for name in PICTURES if name in PAIRED]
CLASSES = ["brain_mri", "classes"]


class Made:
    """A dataset on disk and the files of the sample that a test spoils."""

    def __init__(self, name, root):
        self.maker, self.root = MAKERS[name], root
        self.maker.make(root)
        self.source = f"{root}{self.maker.options}"
        self.image = root / self.maker.image
        self.mask = root / self.maker.mask if self.maker.mask else None
        self.preprocessing = PreprocessingPlan(16, 16, self.maker.channels)

    def sample(self, dataset):
        """The sample that is read from the image file."""
        return next(s for s in dataset.samples if self.image in s.files)

    def read(self):
        dataset = load(self.source)
        return dataset.read(self.sample(dataset))

    def decode(self):
        return open_store(load(self.source), self.preprocessing)


def every(names):
    return pytest.mark.parametrize("made", names, indirect=True)
