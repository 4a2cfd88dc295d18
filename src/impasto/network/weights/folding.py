"""What a file holds, checked against the architectures and folded into the one convention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.network.weights.networks import (
    ARCHITECTURES,
    FINGERPRINT_TOLERANCE,
    FINGERPRINTS,
    KERNEL_PX,
    Layout,
    convolutions,
)

State = dict[str, Tensor]


@dataclass(frozen=True)
class Found:
    """What a reader took from a file: every convolution by name, as the file stores it.

    Attributes:
        architecture: which of ``ARCHITECTURES`` it is.
        tensors: ``conv1_1.weight``, ``conv1_1.bias`` and so on, in the file's layout.
        layout: a key of ``LAYOUTS``; None where the format alone does not tell.
        mean: the picture's mean where the file states it, in the file's channels and range.
        source: where the file states that itself.
    """

    architecture: str
    tensors: Mapping[str, Tensor]
    layout: str | None = None
    mean: tuple[float, ...] | None = None
    source: str | None = None


def identify(tensors: Mapping[str, Tensor], axes: str) -> str:
    """The architecture whose convolutions are exactly these; ValueError says what is wrong."""
    names = {key.split(".")[0] for key in tensors}
    for architecture in ARCHITECTURES:
        if names == set(convolutions(architecture)):
            check_shapes(tensors, architecture, axes)
            return architecture
    raise ValueError(f"it has {len(names)} convolutions, which no known architecture has")


def check_shapes(tensors: Mapping[str, Tensor], architecture: str, axes: str) -> None:
    """ValueError where one of the architecture's tensors is missing or of another shape."""
    for name, (outputs, inputs) in convolutions(architecture).items():
        sides = {"O": outputs, "I": inputs, "H": KERNEL_PX, "W": KERNEL_PX}
        wanted = {"weight": tuple(sides[axis] for axis in axes), "bias": (outputs,)}
        for part, shape in wanted.items():
            tensor = tensors.get(f"{name}.{part}")
            given = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            if tensor is None or tuple(tensor.shape) != shape:
                raise ValueError(f"{name}.{part} is {given}, and {shape} is wanted")


def layout_by_numbers(found: Found) -> str | None:
    """The layout of a PyTorch file by its first numbers; None where they are not known ones."""
    start = found.tensors["conv1_1.weight"].double()[:3, 0, 0, 0]
    for known in FINGERPRINTS:
        wanted = torch.tensor(known.start, dtype=torch.float32, device="cpu").double()
        same = torch.allclose(start, wanted, rtol=0, atol=FINGERPRINT_TOLERANCE)
        if same and known.architecture == found.architecture:
            return known.layout
    return None


def colours(values: Sequence[float]) -> Tensor:
    """A number a colour, (3,), in float64."""
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def fold(found: Found, layout: Layout) -> State:
    """A file's tensors in the convention: its mean, deviation, colours and range folded in.

    The file's network sees ((white * x)[channels] - mean) / deviation. So the convention's mean
    is mean / white and the first kernel is multiplied by white / deviation, colour by colour.
    """
    mean = found.mean or layout.mean
    if mean is None:
        raise ValueError("neither the file nor its layout states a mean")
    rgb = [layout.channels.index(colour) for colour in "RGB"]
    axes = [layout.axes.index(axis) for axis in "OIHW"]
    state = {"mean": (colours(mean)[rgb] / layout.white).float()}
    gain = (layout.white / colours(layout.deviation))[rgb]
    for name in convolutions(found.architecture):
        weight = found.tensors[f"{name}.weight"].permute(axes)
        if name == "conv1_1":
            weight = weight.double()[:, rgb] * gain.view(1, -1, 1, 1)
        state[f"{name}.weight"] = weight.float().contiguous()
        state[f"{name}.bias"] = found.tensors[f"{name}.bias"].float().contiguous()
    return state
