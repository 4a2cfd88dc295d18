"""How good a picture is, in numbers: what it kept of the photograph, what it took of the painting.

Each number says one thing and hides others: docs/measures.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import torch
import torch.nn.functional as nnf
from torch import Tensor

from impasto.config import CONTENT_AT_HALF
from impasto.modes import own_modes
from impasto.network.vgg import VGG
from impasto.transfer.evaluation import at_layers, look, stride_of
from impasto.transfer.losses import LEAST_GAP, total_variation, variation, wasserstein
from impasto.transfer.moments import Moments

CONTENT_LAYER = "relu4_2"  # where the default preset keeps the photograph
# The first and the last of each block's layers. The default preset optimises the first ones; what
# is left at the last ones it never looked at.
STYLE_LAYERS = tuple(
    f"relu{block}_{place}" for block, last in enumerate((2, 2, 3, 3, 3), 1) for place in (1, last)
)
HELD_OUT = STYLE_LAYERS[1:-1:2]  # of the blocks of which the default preset takes much

# LPIPS: each block's last layer, and what keeps a plain place from dividing by 0.
LPIPS_LAYERS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
LPIPS_EPSILON = 1e-10
SSIM_SIGMA_PX = 1.5  # of the Gaussian window of Wang et al. 2004


@dataclass(frozen=True)
class Measures:
    """Numbers of one picture; those that need a photograph or a painting are None or {} without.

    Attributes:
        lpips: distance from the photograph as people see it: 0 is the same picture, and unrelated
            ones are around 0.7.
        ssim: structural similarity with the photograph, at most 1, the same picture.
        lost: the fraction of the photograph's feature variance at relu4_2 that is gone.
        style: by layer, the squared Wasserstein distance from the painting, in units of the
            variance of the painting's features.
        left: by layer, that over the photograph's own: 1 is the photograph, 0 the painting.
        tv: total variation, the mean squared difference of neighbouring pixels.
    """

    lpips: float | None = None
    ssim: float | None = None
    lost: float | None = None
    style: Mapping[str, float] = field(default_factory=dict)
    left: Mapping[str, float] = field(default_factory=dict)
    tv: float = 0.0

    @property
    def style_distance(self) -> float | None:
        """The mean distance from the painting at layers that the default never looks at."""
        return fmean(self.style[layer] for layer in HELD_OUT) if self.style else None

    @property
    def style_left(self) -> float | None:
        """The mean of what is left of it at those layers."""
        return fmean(self.left[layer] for layer in HELD_OUT) if self.left else None

    @property
    def score(self) -> float | None:
        """Content lost and style left in one, as strength 0.5 weighs them; lower is better."""
        if self.lost is None or self.style_left is None:
            return None
        return CONTENT_AT_HALF * self.lost + self.style_left


@own_modes()
def measure(
    network: VGG,
    heads: Sequence[Tensor],
    picture: Tensor,
    photograph: Tensor | None = None,
    painting: Tensor | None = None,
    *,
    visible: Tensor | None = None,
    painting_visible: Tensor | None = None,
) -> Measures:
    """All that can be said of a picture (1, 3, H, W).

    Args:
        network: a VGG-16 with zeros beyond the edges, as LPIPS has it.
        heads: LPIPS's weights (channels,) for its five layers.
        picture: sRGB in [0, 1].
        photograph: of the same size.
        painting: of any size.
        visible: how much each place of the picture counts, (1, 1, H, W) in [0, 1]; None is alike.
        painting_visible: likewise of the painting.
    """
    kept: dict[str, float] = {}
    if photograph is not None:
        kept = {
            "lpips": lpips(network, heads, picture, photograph, visible),
            "ssim": ssim(picture, photograph, visible),
            "lost": lost(network, picture, photograph, visible),
        }
    style, left = {}, {}
    if painting is not None:
        wanted = style_moments(network, painting, painting_visible)
        style = style_distances(network, picture, wanted, visible)
    if painting is not None and photograph is not None:
        before = style_distances(network, photograph, wanted, visible)
        left = {layer: value / max(before[layer], LEAST_GAP) for layer, value in style.items()}
    tv, _ = total_variation(picture, visible=visible)
    return Measures(**kept, style=style, left=left, tv=tv)


def lpips(
    network: VGG, heads: Sequence[Tensor], a: Tensor, b: Tensor, where: Tensor | None = None
) -> float:
    """Learned Perceptual Image Patch Similarity, version 0.1, with VGG-16: Zhang et al. 2018.

    The squared difference of features, each position's scaled to length 1, weighted by channel, in
    the mean over positions, summed over five layers. ``where`` says how much each place counts.
    """
    total = 0.0
    with torch.no_grad():
        features = [network(x, LPIPS_LAYERS) for x in (a, b)]
    for layer, head in zip(LPIPS_LAYERS, heads, strict=True):
        unit_a, unit_b = (unit_vectors(each[layer]) for each in features)
        squared = (unit_a - unit_b).square_()
        part = None if where is None else nnf.avg_pool2d(where, stride_of(layer))
        total += mean((squared * head.view(1, -1, 1, 1)).sum(1, keepdim=True), part)
    return total


def mean(values: Tensor, where: Tensor | None) -> float:
    """Average (1, 1, h, w) as its places count, (1, 1, h, w) too; None is alike."""
    if where is None:
        return float(values.mean())
    return float((values * where).sum() / where.sum())


def unit_vectors(F: Tensor) -> Tensor:
    """Each position's features, scaled to length 1."""
    length: Tensor = torch.linalg.vector_norm(F, dim=1, keepdim=True)
    return F / (length + LPIPS_EPSILON)


def ssim(a: Tensor, b: Tensor, where: Tensor | None = None) -> float:
    """Structural similarity, the mean over places and channels: Wang et al. 2004.

    ``where`` says how much each place counts.
    """
    from skimage.metrics import structural_similarity

    first, second = (x[0].permute(1, 2, 0).double().numpy() for x in (a, b))
    whole, places = structural_similarity(  # type: ignore[no-untyped-call]
        first,
        second,
        channel_axis=2,
        data_range=1.0,
        gaussian_weights=True,
        sigma=SSIM_SIGMA_PX,
        use_sample_covariance=False,
        full=True,
    )
    if where is None:
        return float(whole)
    return mean(torch.from_numpy(places).mean(2)[None, None], where)


def lost(network: VGG, picture: Tensor, photograph: Tensor, where: Tensor | None = None) -> float:
    """The fraction of the photograph's feature variance that is gone, as the default's content."""
    found, wanted = (content_of(network, each) for each in (picture, photograph))
    share = at_layers(where, [CONTENT_LAYER], photograph).get(CONTENT_LAYER)
    squared = (found - wanted).square_()
    gone = squared if share is None else squared.mul_(share)
    return float(gone.sum()) / variation(wanted, share)


def content_of(network: VGG, picture: Tensor) -> Tensor:
    """What of a picture is compared with a photograph's, (1, channels, h, w)."""
    maps, _ = look(network, picture, None, maps=[CONTENT_LAYER])
    return maps[CONTENT_LAYER]


def style_distances(
    network: VGG, picture: Tensor, wanted: Mapping[str, Moments], where: Tensor | None = None
) -> dict[str, float]:
    """By layer, the squared Wasserstein distance of a picture's features from a painting's."""
    found = style_moments(network, picture, where)
    return {
        layer: max(0.0, float(wasserstein(wanted[layer])(found[layer]))) for layer in STYLE_LAYERS
    }


def style_moments(
    network: VGG, picture: Tensor, where: Tensor | None = None
) -> Mapping[str, Moments]:
    """What style distances know of a picture, as its places count."""
    _, (moments,) = look(network, picture, None, moments=STYLE_LAYERS, where=[where])
    return moments
