"""The images of the dropout lesson: Fashion-MNIST where it is on disk, else scikit-learn's handwritten digits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from houseprices.errors import DataError
from houseprices.lessons.fashion_mnist import FASHION_MNIST_FOLDER
from houseprices.lessons.idx import read_idx
from houseprices.lessons.image_networks import N_CLASSES

_SIDE = 28


@dataclass(frozen=True)
class Images:
    """Labelled images, pixels in [0, 1].

    Shape:
        training, test: (n_images, d_in) float32
        training_labels, test_labels: (n_images,) int64, 0 .. 9
    """

    name: str
    training: Tensor
    training_labels: Tensor
    test: Tensor
    test_labels: Tensor


def load_images(folder: Path | None = None) -> Images:
    """Fashion-MNIST from the folder; without one from data/fashion-mnist, or the digits if that is not there.

    Raises:
        DataError: a file is missing, broken, or not of Fashion-MNIST's kind.
    """
    if folder is None and not FASHION_MNIST_FOLDER.exists():
        return load_digit_images()
    folder = folder or FASHION_MNIST_FOLDER
    if not folder.is_dir():
        raise DataError([f"{folder}: no such folder; accepted: a folder with Fashion-MNIST's four IDX files"])
    return Images("Fashion-MNIST", *_read_part(folder, "train"), *_read_part(folder, "t10k"))


def _read_part(folder: Path, part: str) -> tuple[Tensor, Tensor]:
    image_file, pixels = _read(folder, f"{part}-images-idx3-ubyte")
    label_file, labels = _read(folder, f"{part}-labels-idx1-ubyte")
    if pixels.dtype != np.uint8 or pixels.shape[1:] != (_SIDE, _SIDE) or len(pixels) == 0:
        raise DataError(
            [f"{image_file}: {pixels.dtype} of shape {pixels.shape}; accepted: uint8, (n_images, {_SIDE}, {_SIDE})"]
        )
    if labels.dtype != np.uint8 or labels.shape != (len(pixels),):
        raise DataError(
            [f"{label_file}: {labels.dtype} of shape {labels.shape}; accepted: uint8, ({len(pixels)},), one an image"]
        )
    if labels.max() >= N_CLASSES:
        row = int(labels.argmax())
        raise DataError([f"{label_file}: label {labels[row]} of image {row + 1}; accepted: 0 to {N_CLASSES - 1}"])
    return _scaled(pixels, 255), torch.from_numpy(labels.astype(np.int64))


def _read(folder: Path, name: str) -> tuple[Path, NDArray[np.generic]]:
    """The file as it comes, gzipped, or as somebody has unpacked it."""
    file = folder / f"{name}.gz"
    if not file.exists() and (folder / name).exists():
        file = folder / name
    return file, read_idx(file)


def load_digit_images() -> Images:
    """Scikit-learn's handwritten digits, half of them for the test."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    training, test, training_labels, test_labels = train_test_split(
        pixels, labels, test_size=0.5, stratify=labels, random_state=0
    )
    return Images(
        "scikit-learn's handwritten digits",
        _scaled(training, 16),
        torch.from_numpy(training_labels),
        _scaled(test, 16),
        torch.from_numpy(test_labels),
    )


def _scaled(pixels: NDArray[np.generic], largest: int) -> Tensor:
    return torch.from_numpy(pixels.reshape(len(pixels), -1).astype(np.float32) / np.float32(largest))
