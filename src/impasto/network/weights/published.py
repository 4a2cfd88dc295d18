"""Published weights files, as rows: whose, where, and how to know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from impasto.errors import WeightsError, did_you_mean
from impasto.network.weights.networks import ARCHITECTURES

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Publisher:
    """Who publishes weights: in which layout, whose parameters, under which licence, and where.

    Attributes:
        layout: a key of ``networks.LAYOUTS``.
        what: for people; ``{}`` stands for ``"VGG-19"`` or ``"VGG-16"``.
        licence: of the weights, as far as it is stated.
        url: the folder of the files.
    """

    layout: str
    what: str
    licence: str
    url: str


# "The models are released under Creative Commons Attribution License" (no version is named):
# www.robots.ox.ac.uk/~vgg/research/very_deep/. torchvision: the LICENSE in its wheels.
OXFORD_LICENCE = "CC BY"
TORCHVISION_LICENCE = "BSD-3-Clause"

# keras-team/keras, keras/src/applications/vgg19.py and vgg16.py.
KERAS = Publisher(
    "keras",
    "Oxford's {}",
    OXFORD_LICENCE,
    "https://storage.googleapis.com/tensorflow/keras-applications",
)
# pytorch/vision, torchvision/models/vgg.py.
TORCHVISION = Publisher(
    "torchvision",
    "torchvision's {}",
    TORCHVISION_LICENCE,
    "https://download.pytorch.org/models",
)
# jcjohnson/pytorch-vgg, README.md; the host is that of ProGamerGov/neural-style-pt,
# models/download_models.py.
JOHNSON = Publisher(
    "caffe",
    "Oxford's {}, PyTorch",
    OXFORD_LICENCE,
    "https://web.eecs.umich.edu/~justincj/models",
)
# vlfeat/matconvnet, doc/site/docs/pretrained.md.
MATCONVNET = Publisher(
    "matconvnet",
    "Oxford's {}, MATLAB",
    OXFORD_LICENCE,
    "http://www.vlfeat.org/matconvnet/models",
)


@dataclass(frozen=True)
class KnownFile:
    """A published file: what it is, where it lies and how to know it.

    Attributes:
        architecture: ``"vgg19"`` or ``"vgg16"``.
        publisher: whose it is, which gives its layout.
        place: its path below the publisher's URL; it ends in its name.
        checksum: ``"md5:..."`` or ``"sha256:..."`` in hexadecimal; a prefix where no more is
            published.
        size: bytes; None where no more than the checksum is published.
    """

    architecture: str
    publisher: Publisher
    place: str
    checksum: str
    size: int | None = None

    @property
    def file(self) -> str:
        return self.place.rsplit("/", 1)[-1]

    @property
    def url(self) -> str:
        return f"{self.publisher.url}/{self.place}"

    @property
    def source(self) -> str:
        """What weights that were read from this file say of themselves."""
        return f"{self.architecture} from {self.file}"

    @property
    def what(self) -> str:
        return self.publisher.what.format(f"VGG-{self.architecture.removeprefix('vgg')}")

    @property
    def size_in_words(self) -> str:
        return f"{self.size / MEGABYTE:.0f} MB" if self.size else "size unknown"

    @property
    def algorithm(self) -> str:
        return self.checksum.split(":")[0]

    @property
    def digits(self) -> str:
        return self.checksum.split(":")[1]

    def matches(self, digests: Mapping[str, str]) -> bool:
        """Whether digests by algorithm (``{"md5": ..., "sha256": ...}``) are this file's."""
        return digests[self.algorithm].startswith(self.digits)


TORCHVISION_VGG19 = "sha256:dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44"
TORCHVISION_VGG16 = "sha256:397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"
KERAS_NAME = "weights_tf_dim_ordering_tf_kernels"

# The first row of an architecture is the one that its plain name fetches; of rows with one
# publisher or one file name, only the first is offered, the others are recognised.
# Where the checksums come from:
# - Keras: the MD5s that vgg19.py and vgg16.py check; the sizes are what its downloads report.
# - torchvision: the digits in a file's name are the start of its SHA-256, which torch.hub checks.
#   Many projects that hashed the files agree on the whole of it and on the size.
# - Johnson: the digits in a file's name are the start of its SHA-256: t7_to_state_dict.py.
# - MatConvNet: pretrained.md; of beta16's file, whose URL it also states,
#   anishathalye/neural-style, README.md.
KNOWN_FILES: tuple[KnownFile, ...] = (
    KnownFile(
        "vgg19",
        KERAS,
        f"vgg19/vgg19_{KERAS_NAME}_notop.h5",
        "md5:253f8cb515780f3b799900260a226db6",
        80_134_624,
    ),
    KnownFile(
        "vgg16",
        KERAS,
        f"vgg16/vgg16_{KERAS_NAME}_notop.h5",
        "md5:6d6bbae143d832006294945121d1f1fc",
        58_889_256,
    ),
    KnownFile(
        "vgg19", KERAS, f"vgg19/vgg19_{KERAS_NAME}.h5", "md5:cbe5617147190e668d6c5d5026f83318"
    ),
    KnownFile(
        "vgg16", KERAS, f"vgg16/vgg16_{KERAS_NAME}.h5", "md5:64373286793e3c8b2b4e3219cbf3544b"
    ),
    KnownFile("vgg19", TORCHVISION, "vgg19-dcbb9e9d.pth", TORCHVISION_VGG19, 574_673_361),
    KnownFile("vgg16", TORCHVISION, "vgg16-397923af.pth", TORCHVISION_VGG16, 553_433_881),
    KnownFile("vgg19", JOHNSON, "vgg19-d01eb7cb.pth", "sha256:d01eb7cb"),
    KnownFile("vgg16", JOHNSON, "vgg16-00b39a1b.pth", "sha256:00b39a1b"),
    KnownFile(
        "vgg19", MATCONVNET, "imagenet-vgg-verydeep-19.mat", "md5:106118b7cf60435e6d8e04f6a6dc3657"
    ),
    KnownFile(
        "vgg16", MATCONVNET, "imagenet-vgg-verydeep-16.mat", "md5:f72d927587ca4c97fbd165ec9cb9997f"
    ),
    KnownFile(
        "vgg19",
        MATCONVNET,
        "beta16/imagenet-vgg-verydeep-19.mat",
        "md5:8ee3263992981a1d26e73b3ca028a123",
    ),
)


def find(name: str) -> KnownFile:
    """The known file of this name, or the first of this architecture; else a WeightsError."""
    for row in KNOWN_FILES:
        if name in (row.architecture, row.file):
            return row
    names = [*ARCHITECTURES, *(row.file for row in KNOWN_FILES)]
    raise WeightsError(
        f"weights {name!r} are not known",
        f"allowed: {', '.join(ARCHITECTURES)}, or a file that `impasto weights list` names",
        did_you_mean(name, names) or "`impasto weights add FILE` takes a local file",
    )


def recognise(digests: Mapping[str, str]) -> KnownFile | None:
    """The known file that has these digests, by algorithm."""
    return next((row for row in KNOWN_FILES if row.matches(digests)), None)


def offered() -> list[KnownFile]:
    """The first file of each publisher and architecture."""
    firsts: dict[tuple[Publisher, str], KnownFile] = {}
    for row in KNOWN_FILES:
        firsts.setdefault((row.publisher, row.architecture), row)
    return list(firsts.values())
