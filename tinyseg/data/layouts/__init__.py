"""How datasets lie in folders. Add a way: a file with its ``LAYOUT``, and a line here.

Installed packages add theirs by entry points of the group :data:`GROUP`.
"""

from __future__ import annotations

from tinyseg import extensions
from tinyseg.data.layouts import (
    beside,
    brain_mri,
    brats_h5,
    brats_nifti,
    busi,
    class_folders,
    coco,
    dic1,
    dsb2018,
    em_stack,
    folder,
    isic2018,
    labelme,
    pairs,
)
from tinyseg.data.layouts.layout import Layout

GROUP = "tinyseg.layouts"

# The first that matches is taken, so those that ask for less stand below.
LAYOUTS = {
    "busi": busi.LAYOUT,
    "folder": folder.LAYOUT,
    "dsb2018": dsb2018.LAYOUT,
    "em_isbi2012": em_stack.LAYOUT,
    "brats2020": brats_h5.LAYOUT,
    "brats_nifti": brats_nifti.LAYOUT,
    "isic2018": isic2018.LAYOUT,
    "dic1": dic1.LAYOUT,
    "coco": coco.LAYOUT,
    "labelme": labelme.LAYOUT,
    "pairs": pairs.LAYOUT,
    "beside": beside.LAYOUT,
    "brain_mri": brain_mri.LAYOUT,
    "classes": class_folders.LAYOUT,
}


def known() -> dict[str, Layout]:
    """Return all layouts in the order in which folders are held against them.

    Those that installed packages add come first, for some of ours take any folder of images; a
    name that stands in :data:`LAYOUTS` stays ours.

    Raises:
        InputError: a package's layout cannot be imported.
    """
    found = (
        (name, extensions.registered(GROUP, name, Layout))
        for name in extensions.registered_names(GROUP)
    )
    return {**{name: layout for name, layout in found if layout is not None}, **LAYOUTS}
