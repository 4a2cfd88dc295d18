"""The networks, as rows: architectures, libraries' layouts, and numbers to know a layout by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

# Channels and number of convolutions of each block: Simonyan & Zisserman 2014, table 1, D and E.
ARCHITECTURES: Mapping[str, tuple[tuple[int, int], ...]] = MappingProxyType(
    {
        "vgg19": ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4)),
        "vgg16": ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)),
    }
)
KERNEL_PX = 3
COLOURS = 3


def convolutions(architecture: str) -> dict[str, tuple[int, int]]:
    """(out, in) channels of each convolution, by its name, shallow to deep."""
    shapes, inputs = {}, COLOURS
    for block, (outputs, count) in enumerate(ARCHITECTURES[architecture], 1):
        for place in range(1, count + 1):
            shapes[f"conv{block}_{place}"] = (outputs, inputs)
            inputs = outputs
    return shapes


@dataclass(frozen=True)
class Layout:
    """How a library stores convolutions and what picture its network expects.

    Attributes:
        axes: the order of a kernel's axes, of O(ut), I(n), H and W.
        channels: the order of the colours, ``"RGB"`` or ``"BGR"``.
        white: the value of white before mean and deviation are applied: 1 or 255.
        mean: subtracted, by channel in the file's order; None where each file states its own.
        deviation: divided by after that, by channel in the file's order.
    """

    axes: str
    channels: str
    white: float
    mean: tuple[float, float, float] | None
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)


# keras-team/keras, keras/src/applications/imagenet_utils.py, mode "caffe"; the same figures stand
# in the READMEs of jcjohnson/pytorch-vgg and of the VGG team's own gists (ksimonyan).
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        # The convention itself: folding changes nothing.
        "impasto": Layout("OIHW", "RGB", 1.0, None),
        # pytorch/vision, torchvision/transforms/_presets.py, ImageClassification; the same mean and
        # deviation stand in keras' imagenet_utils.py as mode "torch".
        "torchvision": Layout("OIHW", "RGB", 1.0, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        # jcjohnson/pytorch-vgg, README.md: BGR in [0, 255], these means subtracted.
        "caffe": Layout("OIHW", "BGR", 255.0, CAFFE_MEAN_BGR),
        # keras-team/keras: channels last, and Conv2D is a cross-correlation.
        "keras": Layout("HWIO", "BGR", 255.0, CAFFE_MEAN_BGR),
        # vlfeat/matconvnet, utils/import-caffe.py at every tag from beta7 to beta25: kernels and
        # pictures are transposed to MATLAB's rows first, and BGR turned to RGB. (Its vl_nnconv.m
        # says "FW x FH", by which anishathalye/neural-style transposes once more: a slip, see that
        # project's issue 180.) The mean is the file's own normalization.averageImage.
        "matconvnet": Layout("HWIO", "RGB", 255.0, None),
    }
)


@dataclass(frozen=True)
class Fingerprint:
    """The first numbers of a network whose files exist in many copies, each saved anew.

    PyTorch files of torchvision's and of Oxford's parameters have the same names and shapes, and
    first kernels of the same magnitude (about 0.4), so neither tells how the picture must be fed;
    but they are few, and their numbers are known. ``start`` is ``conv1_1.weight[:3, 0, 0, 0]``.
    """

    architecture: str
    layout: str
    start: tuple[float, float, float]


FINGERPRINT_TOLERANCE = 1e-4
FINGERPRINTS: tuple[Fingerprint, ...] = (
    # The floats that tools/pack_vgg16.py reads, which are torchvision's.
    Fingerprint("vgg16", "torchvision", (-0.55373061, 0.23253721, 0.17715041)),
    # The first three numbers of Keras's block1_conv1 kernel, as two projects print them.
    Fingerprint("vgg16", "caffe", (0.42947057, 0.373467, -0.06136011)),
)
