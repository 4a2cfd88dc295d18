"""A backbone's name or a file -> a verified state dict in the project's one convention.

The convention: float32 CPU tensors ``mean`` (3,), then ``conv1_1.weight`` (out, in, 3, 3),
``conv1_1.bias`` (out,), ``conv1_2.weight`` and so on to the last convolution. The network
computes ``conv1_1(zero_pad(x - mean))`` by cross-correlation, x being RGB in [0, 1]. Each library
ships the same networks in another layout; all of them are folded into this one exactly, borders
included, since every one pads with zeros after its own mean is subtracted.

Networks: Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image
Recognition". No file read here can run code. Nothing is downloaded but by ``fetch``.

The files here, each using only those above it:

    networks    tables: the architectures, libraries' layouts, numbers to know a layout by
    published   a table: the published files, and how to know them
    folding     what a file holds, checked and folded into the convention
    own_format  the project's safetensors: save, and int8 back to float
    formats     which format a file is, and a reader for each: one row a format
    reading     read: a file to Weights
    store       the embedded file and the cache: resolve, perceptual, add, verify, available
    download    fetch: a published file into the cache
"""

from impasto.files import METADATA_KEY
from impasto.network.weights.download import fetch
from impasto.network.weights.folding import Found, fold
from impasto.network.weights.networks import KERNEL_PX, LAYOUTS, convolutions
from impasto.network.weights.own_format import dequantise, save
from impasto.network.weights.reading import Weights, read
from impasto.network.weights.store import (
    NAMES,
    Available,
    Check,
    add,
    available,
    cache_dir,
    embedded_path,
    perceptual,
    resolve,
    verify,
)

__all__ = [
    "KERNEL_PX",
    "LAYOUTS",
    "METADATA_KEY",
    "NAMES",
    "Available",
    "Check",
    "Found",
    "Weights",
    "add",
    "available",
    "cache_dir",
    "convolutions",
    "dequantise",
    "embedded_path",
    "fetch",
    "fold",
    "perceptual",
    "read",
    "resolve",
    "save",
    "verify",
]
