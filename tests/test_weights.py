"""Every format is folded into one convention exactly; nothing damaged or hostile gets through."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as nnf
from scipy.io import savemat
from typer.testing import CliRunner

from impasto.cli import app
from impasto.errors import WeightsError
from impasto.network import weights
from impasto.network.weights import networks, published

# Narrow networks of the same depth, so that a file is kilobytes and not megabytes.
NARROW = {
    "vgg19": ((4, 2), (5, 2), (6, 4), (7, 4), (8, 4)),
    "vgg16": ((4, 2), (5, 2), (6, 3), (7, 3), (8, 3)),
}
# Where torchvision's nn.Sequential has its convolutions.
PLACES = {
    "vgg19": (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34),
    "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
}
MEAN_BGR = np.array([103.939, 116.779, 123.68])
TORCH_MEAN, TORCH_DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

Kernels = dict[str, tuple[np.ndarray, np.ndarray]]  # by name: kernel (H, W, in, out), bias (out,)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    monkeypatch.setattr(networks, "ARCHITECTURES", NARROW)
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "weights"


def random_kernels(architecture: str = "vgg19", seed: int = 0) -> Kernels:
    random = np.random.default_rng(seed)
    return {
        name: (
            random.standard_normal((3, 3, inputs, outputs)).astype(np.float32) * 0.3,
            random.standard_normal(outputs).astype(np.float32),
        )
        for name, (outputs, inputs) in weights.convolutions(architecture).items()
    }


# Writers of each format, as its library writes it.


def write_keras(path: Path, kernels: Kernels, *, nested: bool = False) -> Path:
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in kernels.items():
            layer = f"block{name[4]}_conv{name[6]}"
            inner = f"{layer}/{layer}" if nested else layer
            suffixes = ("kernel:0", "bias:0") if nested else (f"{layer}_W_1:0", f"{layer}_b_1:0")
            file[f"{inner}/{suffixes[0]}"], file[f"{inner}/{suffixes[1]}"] = kernel, bias
        file["block1_pool"] = h5py.Empty("f")
        file["predictions/predictions/kernel:0"] = np.zeros((9, 5))
    return path


def torch_state(kernels: Kernels) -> dict[str, torch.Tensor]:
    places = PLACES["vgg19" if len(kernels) == len(PLACES["vgg19"]) else "vgg16"]
    state = {}
    for place, (kernel, bias) in zip(places, kernels.values(), strict=True):
        state[f"features.{place}.weight"] = torch.tensor(kernel.transpose(3, 2, 0, 1).copy())
        state[f"features.{place}.bias"] = torch.tensor(bias)
    return state | {"classifier.0.weight": torch.zeros(9, 5)}


def write_torch(path: Path, kernels: Kernels, *, zipped: bool = True) -> Path:
    torch.save(torch_state(kernels), path, _use_new_zipfile_serialization=zipped)
    return path


def cell(*items: object) -> np.ndarray:
    array = np.empty((1, len(items)), dtype=object)
    array[0, :] = items
    return array


def write_matconvnet(path: Path, kernels: Kernels, *, beta16: bool = False) -> Path:
    layers: list[object] = []
    for name, (kernel, bias) in kernels.items():
        pair = cell(kernel, bias.reshape(-1, 1) if beta16 else bias)
        layers.append({"name": name, "type": "conv", "weights": pair, "pad": 1.0})
        layers.append({"name": f"relu{name[4:]}", "type": "relu"})
    mean = MEAN_BGR[::-1].astype(np.float32).reshape(1, 1, 3)
    if beta16:
        about = {"normalization": {"averageImage": np.tile(mean, (6, 6, 1))}}
    else:
        about = {"meta": {"normalization": {"averageImage": mean, "imageSize": [224.0, 224.0]}}}
    savemat(path, {"layers": cell(*layers), **about})
    return path


# What each file's network sees of a picture x (H, W, RGB) in [0, 1], by its library's own words.


def caffe_input(x: np.ndarray) -> np.ndarray:
    return x[..., ::-1] * 255 - MEAN_BGR


def torch_input(x: np.ndarray) -> np.ndarray:
    return (x - TORCH_MEAN) / TORCH_DEVIATION


def matconvnet_input(x: np.ndarray) -> np.ndarray:
    return x * 255 - MEAN_BGR[::-1].astype(np.float32)


def correlate(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Cross-correlation of (H, W, in) with (H, W, in, out), zeros beyond the border."""
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return np.einsum("yxcij,ijco->yxo", windows, kernel.astype(np.float64)) + bias


def own_features(kernels: Kernels, x: np.ndarray) -> np.ndarray:
    first = correlate(x, *kernels["conv1_1"])
    return correlate(np.maximum(first, 0), *kernels["conv1_2"]).transpose(2, 0, 1)


def folded_features(state: dict[str, torch.Tensor], x: np.ndarray) -> np.ndarray:
    """The convention: conv1_1(zero_pad(x - mean)), in float64."""
    s = {key: tensor.double() for key, tensor in state.items()}
    seen = torch.tensor(x.transpose(2, 0, 1))[None] - s["mean"].view(1, 3, 1, 1)
    first = nnf.conv2d(seen, s["conv1_1.weight"], s["conv1_1.bias"], padding=1).relu()
    return nnf.conv2d(first, s["conv1_2.weight"], s["conv1_2.bias"], padding=1)[0].numpy()


WRITERS: dict[str, tuple[Callable[[Path, Kernels], Path], Callable[[np.ndarray], np.ndarray]]] = {
    "keras": (write_keras, caffe_input),
    "keras nested": (lambda p, k: write_keras(p, k, nested=True), caffe_input),
    "torchvision": (write_torch, torch_input),
    "torchvision legacy": (lambda p, k: write_torch(p, k, zipped=False), torch_input),
    "caffe": (write_torch, caffe_input),
    "matconvnet": (write_matconvnet, matconvnet_input),
    "matconvnet beta16": (lambda p, k: write_matconvnet(p, k, beta16=True), matconvnet_input),
}
PUBLISHERS = {
    "keras": published.KERAS,
    "torchvision": published.TORCHVISION,
    "caffe": published.JOHNSON,
    "matconvnet": published.MATCONVNET,
}


def make_known(monkeypatch, path: Path, kind: str, architecture: str = "vgg19") -> None:
    """Put a file's checksum into the table, as if it were published."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    row = published.KnownFile(architecture, PUBLISHERS[kind], path.name, f"sha256:{digest}")
    monkeypatch.setattr(published, "KNOWN_FILES", (row, *published.KNOWN_FILES))


@pytest.mark.parametrize("architecture", NARROW)
@pytest.mark.parametrize("kind", WRITERS)
def test_features_are_those_of_the_files_own_convention(kind, architecture, monkeypatch, tmp_path):
    write, see = WRITERS[kind]
    kernels = random_kernels(architecture)
    path = write(tmp_path / "any.name", kernels)
    make_known(monkeypatch, path, kind.split()[0], architecture)
    read = weights.read(path)
    x = np.random.default_rng(1).random((7, 5, 3))
    ours, theirs = folded_features(read.state, x), own_features(kernels, see(x))
    assert read.name == architecture
    assert np.linalg.norm(ours - theirs) < 1e-6 * np.linalg.norm(theirs)


@pytest.mark.parametrize("kind", WRITERS)
def test_deeper_layers_are_the_files_numbers(kind, monkeypatch, tmp_path):
    kernels = random_kernels()
    path = WRITERS[kind][0](tmp_path / "any.name", kernels)
    make_known(monkeypatch, path, kind.split()[0])
    state = weights.read(path).state
    assert list(state)[:3] == ["mean", "conv1_1.weight", "conv1_1.bias"]
    assert [key[:-7] for key in state if key.endswith(".weight")] == list(kernels)
    for name, (kernel, bias) in kernels.items():
        assert state[f"{name}.weight"].dtype == torch.float32
        np.testing.assert_array_equal(state[f"{name}.bias"], bias)
        if name != "conv1_1":
            np.testing.assert_array_equal(state[f"{name}.weight"], kernel.transpose(3, 2, 0, 1))


@pytest.mark.parametrize("kind", WRITERS)
def test_added_file_reads_back_the_same(kind, monkeypatch, tmp_path, cache):
    path = WRITERS[kind][0](tmp_path / "any.name", random_kernels())
    make_known(monkeypatch, path, kind.split()[0])
    before, target = weights.read(path), weights.add(path)
    after = weights.resolve("vgg19")
    assert target == cache / "vgg19.safetensors"
    assert list(cache.iterdir()) == [target]
    assert after.source == before.source
    assert "unverified" not in after.source
    assert list(after.state) == list(before.state)
    assert all(torch.equal(after.state[key], before.state[key]) for key in before.state)
    assert after.sha256 == hashlib.sha256(target.read_bytes()).hexdigest()
    assert weights.add(target) == target  # its own files are a known format too


def test_same_file_gives_same_bytes(tmp_path):
    path = write_keras(tmp_path / "w.h5", random_kernels())
    first = weights.add(path).read_bytes()
    assert weights.add(path).read_bytes() == first


def test_unknown_keras_file_is_taken_and_said_to_be_unverified(tmp_path):
    read = weights.read(write_keras(tmp_path / "mine.h5", random_kernels()))
    assert read.source == "vgg19 from mine.h5 (keras layout, unverified checksum)"


@pytest.mark.parametrize("architecture", NARROW)
def test_unknown_torch_file_is_refused_as_its_layout_is_anyones_guess(architecture, tmp_path):
    path = write_torch(tmp_path / "mine.pth", random_kernels(architecture))
    with pytest.raises(WeightsError, match=r"layout .* can't be told.*vgg19-dcbb9e9d\.pth"):
        weights.read(path)


@pytest.mark.parametrize("known", networks.FINGERPRINTS, ids=lambda known: known.layout)
def test_copies_of_known_parameters_are_told_by_their_numbers(known, tmp_path):
    kernels = random_kernels(known.architecture)
    kernels["conv1_1"][0][0, 0, 0, :3] = known.start
    path = write_torch(tmp_path / "copy.pth", kernels)
    read = weights.read(path)
    see = {"torchvision": torch_input, "caffe": caffe_input}[known.layout]
    x = np.random.default_rng(1).random((6, 6, 3))
    theirs = own_features(kernels, see(x))
    assert np.linalg.norm(folded_features(read.state, x) - theirs) < 1e-6 * np.linalg.norm(theirs)
    assert "unverified" in read.source


def test_tables_are_consistent():
    for row in published.KNOWN_FILES:
        algorithm, _, digits = row.checksum.partition(":")
        assert algorithm in ("md5", "sha256")
        assert set(digits) <= set("0123456789abcdef")
        assert len(digits) in ({"md5": 32, "sha256": 64}[algorithm], 8)
        assert row.publisher.layout in weights.LAYOUTS
        if row.publisher in (published.TORCHVISION, published.JOHNSON):
            assert digits.startswith(row.file.removesuffix(".pth").split("-")[1])
    assert len({row.url for row in published.KNOWN_FILES}) == len(published.KNOWN_FILES)


def test_published_sizes_are_those_of_the_architectures(monkeypatch):
    monkeypatch.undo()  # the real widths
    for row in published.KNOWN_FILES:
        if row.file.endswith("notop.h5"):
            shapes = weights.convolutions(row.architecture).values()
            numbers = sum(outputs * (inputs * 9 + 1) for outputs, inputs in shapes)
            assert 4 * numbers < row.size < 4.01 * numbers


# Names


def test_auto_prefers_vgg19_where_it_is_cached(tmp_path, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("IMPASTO_CACHE", str(tmp_path))
    assert weights.resolve("auto").source == "embedded vgg16 (int8)"
    monkeypatch.setattr(networks, "ARCHITECTURES", NARROW)
    weights.add(write_keras(tmp_path / "w.h5", random_kernels()))
    assert weights.resolve("auto").name == "vgg19"


def test_missing_vgg19_says_how_to_get_it():
    with pytest.raises(WeightsError) as caught:
        weights.resolve("vgg19")
    for words in ("weights fetch vgg19", "weights add FILE", "backbone vgg16", "80 MB"):
        assert words in str(caught.value)


@pytest.mark.parametrize("name", ["vgg91", "no/such/file.pth"])
def test_unknown_backbone_is_one_line(name):
    with pytest.raises(WeightsError, match="auto, vgg19, vgg16") as caught:
        weights.resolve(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cache", ["x" * 300, "~nobody-of-that-name", "loop/loop"])
def test_a_cache_that_cannot_be_looked_into_holds_nothing(cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setenv("IMPASTO_CACHE", cache)
    monkeypatch.setattr(weights.store, "read", lambda path: path)
    assert weights.resolve("auto") == weights.store.embedded_path()
    with pytest.raises(WeightsError, match="fetch vgg19"):
        weights.resolve("vgg19")
    assert weights.available()


def test_odd_paths_of_a_backbone_are_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")  # which nobody will ever write to
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for name in ("pipe", "loop", "broken", "x" * 300, "null\0"):
        with pytest.raises(WeightsError) as error:
            weights.read(tmp_path / name)
        assert "\n" not in str(error.value)
        with pytest.raises(WeightsError):
            weights.resolve(tmp_path / name)
    with pytest.raises(WeightsError, match="no such file"):
        weights.resolve("~nobody-of-that-name/vgg19.pth")


def test_path_of_a_file_is_a_backbone(tmp_path):
    path = write_keras(tmp_path / "w.h5", random_kernels("vgg16"))
    assert weights.resolve(str(path)).name == weights.resolve(path).name == "vgg16"


# What must not get through


class Malice:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("writer", ["pickle", "torch zip", "torch legacy", "in a state dict"])
def test_code_in_a_pickle_is_not_run(writer, tmp_path):
    path, marker = tmp_path / "evil.pth", tmp_path / "it-ran"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Malice(marker), protocol=2))
    else:
        content = torch_state(random_kernels()) | {"x": Malice(marker)}
        evil = content if writer == "in a state dict" else Malice(marker)
        torch.save(evil, path, _use_new_zipfile_serialization=writer != "torch legacy")
    with pytest.raises(WeightsError, match="could run code") as caught:
        weights.read(path)
    assert not marker.exists()
    assert "\n" not in str(caught.value)
    with path.open("rb") as file, contextlib.suppress(Exception):  # the trap is a real one
        torch.load(file, weights_only=False)
    assert marker.exists()


CONTENTS = {
    "empty": (b"", "empty"),
    "web page": (b"<!DOCTYPE html><html><body>404</body></html>", "web page"),
    "LFS pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "Git LFS"),
    "JPEG": (b"\xff\xd8\xff\xe0" + bytes(600), "a picture"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + bytes(600), "a picture"),
    "MATLAB 7.3": (b"MATLAB 7.3 MAT-file" + bytes(600), "-v7"),
    "gzip": (b"\x1f\x8b" + bytes(600), "unpack"),
    "noise": (bytes(range(1, 256)), "not a weights file of a known format"),
    "hollow zip": (b"PK\x03\x04" + bytes(600), "can't be read as weights"),
    "hollow pickle": (b"\x80\x02" + bytes(600), "could run code|can't be read as weights"),
    "hollow safetensors": (b"\xff" * 8 + b"{" + bytes(600), "can't be read as weights"),
}


@pytest.mark.parametrize("what", CONTENTS)
def test_other_files_are_named_for_what_they_are(what, tmp_path, cache):
    content, words = CONTENTS[what]
    path = tmp_path / "vgg19-dcbb9e9d.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=words) as caught:
        weights.add(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    assert not cache.exists()


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(WeightsError, match="No such file"):
        weights.read(tmp_path / "none")
    with pytest.raises(WeightsError, match="directory"):
        weights.read(tmp_path)


@pytest.mark.parametrize("kind", [*WRITERS, "own"])
@pytest.mark.parametrize("share", [0.3, 0.98])
def test_truncated_file_is_one_line(kind, share, tmp_path):
    if kind == "own":
        path = weights.add(write_keras(tmp_path / "w.h5", random_kernels()))
    else:
        path = WRITERS[kind][0](tmp_path / "w", random_kernels())
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(WeightsError) as caught:
        weights.read(path)
    assert "\n" not in str(caught.value)


def edited(change: Callable[[dict[str, torch.Tensor]], object], path: Path) -> Path:
    state = torch_state(random_kernels())
    change(state)
    torch.save(state, path)
    return path


CHANGES: dict[str, tuple[Callable[[dict[str, torch.Tensor]], object], str]] = {
    "batch norm": (lambda s: s.update({"features.1.running_mean": torch.ones(4)}), "batch norm"),
    "VGG-11": (
        lambda s: [s.pop(f"features.{i}.{p}") for i in (2, 7) for p in ("weight", "bias")],
        "14 feature layers are not those of vgg19 or vgg16",
    ),
    "shape": (lambda s: s.update({"features.2.weight": torch.ones(4, 4, 5, 5)}), "conv1_2.*wanted"),
    "no bias": (lambda s: s.pop("features.2.bias"), "conv1_2.bias is missing"),
    "no VGG": (lambda s: s.clear(), "no tensors named"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_other_networks_are_refused_in_one_line(what, tmp_path):
    change, words = CHANGES[what]
    with pytest.raises(WeightsError, match=words) as caught:
        weights.read(edited(change, tmp_path / "w.pth"))
    assert "\n" not in str(caught.value)


def test_numbers_that_are_none_are_refused(tmp_path):
    kernels = random_kernels()
    kernels["conv3_1"][1][0] = np.nan
    with pytest.raises(WeightsError, match=r"conv3_1\.bias holds numbers that are not finite"):
        weights.read(write_keras(tmp_path / "w.h5", kernels))


def test_verify_finds_one_changed_bit(tmp_path):
    target = weights.add(write_keras(tmp_path / "w.h5", random_kernels()))
    good = {check.path: check for check in weights.verify()}
    content = bytearray(target.read_bytes())
    content[-5] ^= 1
    target.write_bytes(content)
    bad = {check.path: check for check in weights.verify()}
    assert good[target].ok
    assert not bad[target].ok
    assert "damaged" in bad[target].message


def test_available_is_what_one_chooses_between():
    rows = weights.available()
    assert [row.name for row in rows[:3]] == ["vgg16", "vgg19", "vgg16"]
    assert [row.present for row in rows] == [True] + [False] * (len(rows) - 1)
    assert len({row.what for row in rows}) == len(rows) == 9
    for row in rows[1:]:
        assert published.find(row.name).url == row.origin


def test_available_says_what_is_present(monkeypatch, tmp_path):
    path = write_keras(tmp_path / "w.h5", random_kernels())
    target = weights.add(path)
    _, vgg19, vgg16, *others = weights.available()
    assert vgg19.present
    assert vgg19.what == vgg19.origin == "vgg19 from w.h5 (keras layout, unverified checksum)"
    assert vgg19.licence == ""  # nobody knows
    assert not any(row.present for row in (vgg16, *others))
    row = published.KnownFile("vgg19", published.TORCHVISION, "w.h5", "md5:")
    monkeypatch.setattr(published, "KNOWN_FILES", (*published.KNOWN_FILES, row))
    weights.add(path)  # now a known file, of another publisher than the one vgg19 fetches
    vgg19 = weights.available()[1]
    assert (vgg19.name, vgg19.what) == ("vgg19", "torchvision's VGG-19")
    assert vgg19.licence == published.TORCHVISION.licence
    target.write_bytes(b"damage")
    assert "weights verify" in weights.available()[1].what


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_list_shows_each_name_whole_and_at_80_columns_each_on_one_line(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = CliRunner().invoke(app, ["weights", "list"]).stdout
    rows = weights.available()
    for row in rows:
        assert row.name in shown
    lines = shown.partition("\n\n")[0].splitlines()
    assert max(len(line.rstrip()) for line in lines) <= columns
    assert columns < 80 or len(lines) == 1 + len(rows)


def test_a_full_disk_leaves_the_cache_as_it_was(monkeypatch, tmp_path, cache):
    first = weights.add(write_keras(tmp_path / "w.h5", random_kernels()))
    kept = first.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WeightsError, match=r"No space left.*IMPASTO_CACHE"):
        weights.add(write_keras(tmp_path / "other.h5", random_kernels(seed=1)))
    assert list(cache.iterdir()) == [first]
    assert first.read_bytes() == kept


def test_a_reader_of_the_old_file_never_sees_half_of_the_new_one(tmp_path):
    target = weights.add(write_keras(tmp_path / "w.h5", random_kernels()))
    kept = target.read_bytes()
    with target.open("rb") as reader:
        weights.add(write_keras(tmp_path / "other.h5", random_kernels(seed=1)))
        assert reader.read() == kept
    assert target.read_bytes() != kept


# Downloads, from a server on this machine


class Server(ThreadingHTTPServer):
    """Serves one file; what it does with a request is up to the test."""

    daemon_threads = True
    content: bytes
    honours_range = True
    breaks_after: int | None = None  # bytes of the body, of the first request only
    silent = False
    stalls = False  # in the middle of the body
    gate: threading.Event | None = None  # that the body waits for
    ranges: list[str | None]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.server.silent:
            time.sleep(2)
            return
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        content, start = self.server.content, 0
        if wanted and self.server.honours_range:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            self.send_response(206 if start < len(content) else 416)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = len(content) if self.server.breaks_after is None else self.server.breaks_after
        self.server.breaks_after = None
        if self.server.gate:
            assert self.server.gate.wait(60)
        if self.server.stalls:
            self.wfile.write(content[:1000])
            time.sleep(2)
        self.wfile.write(content[start:stop])

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch, tmp_path) -> Iterator[Server]:
    running = Server(("127.0.0.1", 0), Handler)
    running.ranges = []
    running.content = write_keras(tmp_path / "published.h5", random_kernels()).read_bytes()
    publish(monkeypatch, running.url, running.content)
    threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


def publish(monkeypatch, url: str, content: bytes, checksum: str | None = None) -> None:
    checksum = checksum or f"md5:{hashlib.md5(content).hexdigest()}"
    row = published.KnownFile("vgg19", replace(published.KERAS, url=url), "published.h5", checksum)
    monkeypatch.setattr(published, "KNOWN_FILES", (row, *published.KNOWN_FILES))


def test_fetch_downloads_checks_and_converts(server, cache, tmp_path):
    seen: list[tuple[int, int | None]] = []
    target = weights.fetch("vgg19", lambda done, total: seen.append((done, total)))
    size = len(server.content)
    assert seen[0] == (0, size)
    assert seen[-1] == (size, size)
    assert list(cache.iterdir()) == [target]
    assert weights.resolve("vgg19").source == "vgg19 from published.h5"


def test_fetch_resumes_where_the_connection_broke(server, cache):
    half = len(server.content) // 2
    server.breaks_after = half
    with pytest.raises(WeightsError, match="run it again to go on"):
        weights.fetch("vgg19")
    assert (cache / "published.h5.part").stat().st_size == half
    assert not (cache / "vgg19.safetensors").exists()
    weights.fetch("published.h5")
    assert server.ranges == [None, f"bytes={half}-"]
    assert [path.name for path in cache.iterdir()] == ["vgg19.safetensors"]


@pytest.mark.parametrize("part", ["half", "whole", "longer"])
def test_fetch_goes_on_from_any_part(server, cache, part):
    cache.mkdir(parents=True)
    content = server.content
    start = {"half": content[: len(content) // 2], "whole": content, "longer": content + b"more"}
    (cache / "published.h5.part").write_bytes(start[part])
    weights.fetch("vgg19")
    assert [path.name for path in cache.iterdir()] == ["vgg19.safetensors"]


def test_fetch_starts_over_where_the_server_ignores_ranges(server, cache):
    cache.mkdir(parents=True)
    (cache / "published.h5.part").write_bytes(server.content[:1000])
    server.honours_range = False
    weights.fetch("vgg19")
    assert server.ranges == ["bytes=1000-"]
    assert weights.resolve("vgg19").name == "vgg19"


def test_fetch_keeps_nothing_of_a_wrong_checksum(server, cache, monkeypatch):
    publish(monkeypatch, server.url, b"", "md5:" + "0" * 32)
    with pytest.raises(WeightsError, match=r"md5 is .*, not 0{32}.*weights add FILE"):
        weights.fetch("vgg19")
    assert list(cache.iterdir()) == []


def test_no_network_fails_fast_and_says_what_to_do(monkeypatch, server, cache):
    server.shutdown()
    server.server_close()
    start = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        weights.fetch("vgg19")
    assert time.monotonic() - start < 2
    for words in (server.url, "md5 ", "weights add FILE", "refused"):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_silent_server_fails_in_the_time_given(server):
    server.silent = True
    start = time.monotonic()
    with pytest.raises(WeightsError, match=r"no answer within 0\.3 s|timed out"):
        weights.fetch("vgg19", timeout_s=0.3)
    assert time.monotonic() - start < 1.5


def test_a_download_that_stalls_fails_in_the_time_given_and_keeps_what_came(server, cache):
    server.stalls = True
    start = time.monotonic()
    with pytest.raises(WeightsError, match="run it again to go on"):
        weights.fetch("vgg19", timeout_s=0.3)
    assert time.monotonic() - start < 1.5
    assert (cache / "published.h5.part").stat().st_size == 1000


def test_a_name_that_will_not_resolve_fails_in_the_time_given(server, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: time.sleep(2))
    start = time.monotonic()
    with pytest.raises(WeightsError, match=r"no answer within 0\.3 s"):
        weights.fetch("vgg19", timeout_s=0.3)
    assert time.monotonic() - start < 1.5


def test_a_certificate_that_is_not_trusted_is_told_from_no_network(server, monkeypatch):
    reason = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")

    def untrusted(*_args: object, **_more: object) -> None:
        raise urllib.error.URLError(reason)

    monkeypatch.setattr(urllib.request, "urlopen", untrusted)
    with pytest.raises(
        WeightsError, match=r"self-signed.*not trusted here.*SSL_CERT_FILE"
    ) as caught:
        weights.fetch("vgg19")
    assert "is there a network" not in str(caught.value)
    assert "weights add FILE" in str(caught.value)


def test_two_that_fetch_one_file_download_it_once(server, cache):
    """The one that comes later waits, says so, and takes what the other brought."""
    server.gate = threading.Event()
    found: list[Path] = []
    first = threading.Thread(target=lambda: found.append(weights.fetch("vgg19")))
    first.start()
    while not server.ranges:
        time.sleep(0.001)
    found.append(weights.fetch("published.h5", on_wait=server.gate.set))
    first.join()
    assert found == [cache / "vgg19.safetensors"] * 2
    assert server.ranges == [None]
    assert [path.name for path in cache.iterdir()] == ["vgg19.safetensors"]


def test_one_that_waited_for_a_download_that_broke_goes_on_with_it(server, cache):
    server.gate, half = threading.Event(), len(server.content) // 2
    server.breaks_after = half
    errors: list[Exception] = []

    def broken() -> None:
        with contextlib.suppress(WeightsError):
            weights.fetch("vgg19")
            errors.append(AssertionError("it came"))

    first = threading.Thread(target=broken)
    first.start()
    while not server.ranges:
        time.sleep(0.001)
    weights.fetch("vgg19", on_wait=server.gate.set)
    first.join()
    assert not errors
    assert server.ranges == [None, f"bytes={half}-"]


def test_fetch_of_an_unknown_name():
    with pytest.raises(WeightsError, match="did you mean vgg19"):
        weights.fetch("vgg18")


def test_an_error_page_is_no_download(server, cache):
    server.content = b""  # a 200 without a body
    with pytest.raises(WeightsError, match="md5 is"):
        weights.fetch("vgg19")
    assert list(cache.iterdir()) == []
