"""What the header of a TIFF says of its pixels and Pillow does not tell (TIFF 6.0, 1992)."""

import re
from typing import Any

import numpy as np
from PIL import Image

BITS_PER_SAMPLE, PHOTOMETRIC, DESCRIPTION = 258, 262, 270
SAMPLES_PER_PIXEL, PLANAR, EXTRA_SAMPLES, SAMPLE_FORMAT = 277, 284, 338, 339
APART = 2  # of PlanarConfiguration: the samples of a pixel lie in planes of their own
SIGNED, FLOATING = 2, 3  # of SampleFormat
ALPHA = (1, 2)  # of ExtraSamples: premultiplied or not; 0 is "unspecified data"
CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3, 8: 3}  # of PhotometricInterpretation
IMAGEJ_PICTURES = re.compile(r"\AImageJ=.*?^images=(\d+)", re.DOTALL | re.MULTILINE)


def count_channels(image: Image.Image) -> tuple[int, int]:
    """How many channels a file has, and how many of them are colours or one alpha.

    Of other formats, and of kinds of TIFF that are not known here, all are.
    """
    n_channels = int(read_tag(image, SAMPLES_PER_PIXEL) or 1)
    meaning = photometric(image)
    colours = n_channels if meaning is None else CHANNELS.get(meaning, n_channels)
    extra = np.atleast_1d(read_tag(image, EXTRA_SAMPLES) or 0)
    alpha = min(int(np.isin(extra, ALPHA).sum()), 1)
    return n_channels, min(n_channels, colours + alpha)


def count_imagej_pictures(image: Image.Image) -> int:
    """Pictures of a file as ImageJ writes it, which has one header for a large stack; else 1."""
    match = IMAGEJ_PICTURES.match(str(read_tag(image, DESCRIPTION) or ""))
    return int(match[1]) if match else 1


def has_own_axes(image: Image.Image) -> bool:
    """Whether tifffile wrote the file with planes apart, which it calls RGB whatever they are."""
    said = str(read_tag(image, DESCRIPTION) or "")
    return read_tag(image, PLANAR) == APART and said.startswith('{"shape"')


def has_sign(image: Image.Image) -> bool:
    """Whether the pixels are whole numbers that may be negative."""
    return SIGNED in sample_formats(image)


def has_fractions(image: Image.Image) -> bool:
    """Whether the pixels are floating-point numbers."""
    return FLOATING in sample_formats(image)


def sample_formats(image: Image.Image) -> set[int]:
    """The kinds of number of the channels; 1, whole numbers from 0, where nothing is said."""
    return set(np.atleast_1d(read_tag(image, SAMPLE_FORMAT) or 1).tolist())


def bits_per_sample(image: Image.Image) -> int:
    """Bits of a channel, the most of any."""
    return int(np.max(read_tag(image, BITS_PER_SAMPLE) or 1))


def photometric(image: Image.Image) -> int | None:
    """How the channels are meant; ``None`` of other formats."""
    return read_tag(image, PHOTOMETRIC)


def read_tag(image: Image.Image, tag: int) -> Any:
    """The value of a tag; ``None`` without it, and of other formats."""
    return image.tag_v2.get(tag) if image.format == "TIFF" else None  # pyright: ignore
