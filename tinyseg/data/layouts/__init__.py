"""How datasets lie in folders. Add a way: a file with its ``LAYOUT``, and a line here."""

from __future__ import annotations

from tinyseg.data.layouts import (
    brain_mri,
    brats_h5,
    brats_nifti,
    busi,
    class_folders,
    dic1,
    dsb2018,
    em_stack,
    folder,
    isic2018,
)

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
    "brain_mri": brain_mri.LAYOUT,
    "classes": class_folders.LAYOUT,
}
