"""Breast ultrasound phantoms: speckled tissue layers with lesions and their exact masks.

The images imitate what a B-mode scanner shows: Rayleigh-distributed speckle from a
complex Gaussian scatterer field blurred by a depth-dependent point spread function
(Wagner et al., IEEE Trans. Sonics Ultrason. 30(3), 1983), log compression, layers of skin,
fat, glandular tissue and muscle, lesions darker than their surroundings, acoustic shadow
below malignant ones and enhancement below cysts. They are a stand-in with a known truth,
for trying the tools and for tests; they say nothing about performance on patients.
"""

from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
from scipy import ndimage
from scipy.special import expit

from tinyseg.data.dataset import Dataset, Sample

# Part of the fingerprint: raise it whenever the images change.
GENERATOR_VERSION = 1
# Shares of BUSI: 437 benign, 210 malignant, 133 normal.
LABEL_SHARES = {"benign": 0.56, "malignant": 0.27, "normal": 0.17}
DYNAMIC_RANGE_DB = 55.0


@dataclasses.dataclass(frozen=True)
class PhantomDataset(Dataset):
    """Generated images; the same seed and size give the same images.

    Attributes:
        size: side of the square images in pixels.
        seed: together with a sample's index it determines the image.
    """

    size: int = 256
    seed: int = 0

    def _read_image(self, sample: Sample) -> np.ndarray:
        return self._read_both(sample)[0]

    def _read_both(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        """Generate one sample: uint8 image and mask (0 and 1), both ``(size, size)``."""
        index = int(sample.name.rsplit("_", 1)[1])
        return generate(sample.label, self.size, np.random.default_rng([self.seed, index]))

    def fingerprint(self) -> str:
        """Return a SHA-256 over everything that determines the images."""
        key = f"phantom {GENERATOR_VERSION} {len(self)} {self.size} {self.seed}{self.variant}"
        return hashlib.sha256(key.encode()).hexdigest()


def load_phantom(count: int = 360, size: int = 256, seed: int = 0) -> PhantomDataset:
    """Return a dataset of generated images with BUSI's shares of labels.

    Args:
        count: number of images.
        size: side of the square images in pixels, at least 32.
        seed: any non-negative integer; other seeds give other images.

    Raises:
        ValueError: an argument is out of range.
    """
    if count < 1 or size < 32 or seed < 0:
        raise ValueError("phantom needs count >= 1, size >= 32 and seed >= 0")
    labels = np.repeat(
        list(LABEL_SHARES),
        np.diff([0, *np.round(np.cumsum([*LABEL_SHARES.values()]) * count)]).astype(int),
    )
    samples = tuple(
        Sample(name=f"phantom_{index:04d}", label=str(label)) for index, label in enumerate(labels)
    )
    return PhantomDataset("phantom", samples, size=size, seed=seed)


def generate(label: str, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw one phantom.

    Args:
        label: ``benign``, ``malignant`` or ``normal``.
        size: side in pixels.
        rng: source of randomness; it alone determines the image.

    Returns:
        uint8 image ``(size, size)`` and uint8 mask ``(size, size)`` with values 0 and 1.
    """
    grid = np.linspace(0, 1, size, dtype=np.float32)
    x, depth = np.meshgrid(grid, grid)
    echo = _tissue(x, depth, rng)
    mask = np.zeros((size, size), bool)
    lesions = 0 if label == "normal" else 2 if rng.random() < 0.06 else 1
    for _ in range(lesions):
        echo, lesion = _add_lesion(echo, x, depth, label == "malignant", rng)
        mask |= lesion
    echo = _add_thin_shadows(echo, x, depth, rng)
    return _b_mode(echo, depth, rng), mask.astype(np.uint8)


def _smooth_curve(x: np.ndarray, amplitude: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random smooth function of ``x`` with values around 0."""
    waves = np.zeros_like(x)
    for order in range(1, 5):
        waves += rng.normal() / order * np.sin(2 * np.pi * (order * x * 0.7 + rng.random()))
    return amplitude * waves


def _texture(
    shape: tuple[int, int], sigma: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Return smooth noise with mean 0 and standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape).astype(np.float32), sigma)
    return (noise - noise.mean()) / noise.std()


def _tissue(x: np.ndarray, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the echo amplitude of skin, fat, gland and muscle."""
    size = len(x)
    levels_db = rng.normal([-8, -21, -13, -24, -17], [2, 2.5, 2.5, 2.5, 2.5])
    borders = [
        rng.uniform(0.02, 0.05) + _smooth_curve(x, 0.004, rng),
        rng.uniform(0.15, 0.35) + _smooth_curve(x, 0.035, rng),
        rng.uniform(0.60, 0.75) + _smooth_curve(x, 0.04, rng),
        rng.uniform(0.82, 0.95) + _smooth_curve(x, 0.025, rng),
    ]
    echo_db = np.full_like(x, levels_db[0])
    for border, level in zip(borders, levels_db[1:], strict=True):
        weight = expit((depth - border) * rng.uniform(60, 160))
        echo_db += weight * (level - echo_db)
        # Interfaces between layers reflect: a thin bright line.
        echo_db += rng.uniform(1, 6) * np.exp(-(((depth - border) / 0.008) ** 2))
    # Fibres run sideways, so tissue varies faster in depth than across.
    scale = size / 256
    echo_db += 2.2 * _texture(x.shape, (5 * scale, 16 * scale), rng)
    echo_db += 1.2 * _texture(x.shape, (14 * scale, 26 * scale), rng)
    return 10 ** (echo_db / 20)


def _add_lesion(
    echo: np.ndarray, x: np.ndarray, depth: np.ndarray, malignant: bool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Place a lesion; return the new echo amplitude and the lesion's mask."""
    radius = np.exp(rng.normal(np.log(0.125), 0.38)).clip(0.045, 0.27)
    # Benign masses lie along the layers, malignant ones may stand "taller than wide".
    aspect = rng.uniform(0.75, 1.35) if malignant else rng.uniform(0.5, 0.85)
    half_width, half_height = radius / np.sqrt(aspect), radius * np.sqrt(aspect)
    centre_x = rng.uniform(0.12, 0.88)
    centre_y = rng.uniform(min(0.14 + half_height, 0.5), max(0.84 - half_height, 0.5))
    tilt = rng.normal(0, 0.25)
    dx, dy = x - centre_x, depth - centre_y
    u = (dx * np.cos(tilt) + dy * np.sin(tilt)) / half_width
    v = (dy * np.cos(tilt) - dx * np.sin(tilt)) / half_height
    angle, distance = np.arctan2(v, u), np.hypot(u, v)
    edge = np.ones_like(x)
    orders = range(2, 12) if malignant else range(2, 5)
    strength = rng.uniform(0.08, 0.2) if malignant else rng.uniform(0.01, 0.09)
    for order in orders:
        edge += (
            strength
            * rng.normal()
            * 1.6
            / order
            * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
        )
    edge = edge.clip(0.45, 1.7)
    signed = (distance - edge) * radius
    mask = signed < 0

    cyst = not malignant and rng.random() < 0.35
    contrast_db = rng.uniform(18, 30) if cyst else rng.uniform(12, 19)
    softness = rng.uniform(0.004, 0.010) if malignant else rng.uniform(0.002, 0.006)
    inside = expit(-signed / softness)
    interior_db = np.full_like(x, 20 * np.log10(np.median(echo[mask])) - contrast_db)
    interior_db += (0.5 if cyst else 1.8) * _texture(x.shape, (6, 6), rng)
    echo_db = 20 * np.log10(echo)
    if malignant and rng.random() < 0.6:  # echogenic halo
        echo_db += rng.uniform(2, 5) * np.exp(-((signed / 0.02) ** 2))
    echo_db += inside * (interior_db - echo_db)
    # What lies below is seen through the lesion: darker behind malignant, brighter behind cysts.
    column = np.exp(-((dx / (0.75 * half_width)) ** 2)) * expit(dy / (0.25 * half_height))
    behind_db = (
        -rng.uniform(2, 9) if malignant else rng.uniform(3, 7) if cyst else rng.uniform(-2, 3)
    )
    echo_db += behind_db * column * (1 - inside)
    return 10 ** (echo_db / 20), mask


def _add_thin_shadows(
    echo: np.ndarray, x: np.ndarray, depth: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Add the dark streaks that ligaments and poor contact cast: they have no mask."""
    for _ in range(rng.poisson(1.2)):
        position, width = rng.random(), rng.uniform(0.008, 0.03)
        start = rng.uniform(0.0, 0.5)
        streak = np.exp(-(((x - position) / width) ** 2)) * expit((depth - start) / 0.04)
        echo = echo * 10 ** (-rng.uniform(2, 8) * streak / 20)
    return echo


def _b_mode(echo: np.ndarray, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turn echo amplitude into a log-compressed speckle image, uint8."""
    scale = len(echo) / 256
    field = rng.standard_normal((2, *echo.shape)).astype(np.float32) * echo
    near, far = (
        np.stack([ndimage.gaussian_filter(part, (0.8 * scale, lateral * scale)) for part in field])
        for lateral in (1.1, 2.3)
    )
    # Blurring lowers the power of noise by its area; undo that before mixing the two depths.
    near, far = near / near.std(), far / far.std()
    envelope = np.hypot(*((1 - depth) * near + depth * far))
    # Both were scaled to the mean power of the echo map, so only attenuation is left to add.
    envelope *= 10 ** (-rng.uniform(0, 8) * depth / 20)
    envelope += 0.004 * np.hypot(*rng.standard_normal((2, *echo.shape)))
    image_db = 20 * np.log10(envelope / np.percentile(envelope, 99.7))
    gain = rng.uniform(0.85, 1.15)
    grey = (1 + image_db / DYNAMIC_RANGE_DB * gain).clip(0, 1)
    return np.round(255 * grey ** rng.uniform(1.1, 1.7)).astype(np.uint8)
