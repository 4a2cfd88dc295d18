"""How far a picture's features are from their targets: tensors in, scalar out.

F is a layer's feature map, (1, channels, h, w); positions are its h * w places. Two families:
the sums of Gatys, Ecker & Bethge 2015, as printed, and the scale-free distances of the default
preset, each a fraction of what there was to begin with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.config import CONTENT_AT_HALF, Config, Weighted

Distance = Callable[[Tensor], Tensor]  # of features (1, channels, h, w), a scalar
Features = Mapping[str, Tensor]  # by layer name

# The root's gradient divides by square roots of eigenvalues. Below this fraction of the largest
# they are mostly float32 noise, and no one sees them: 0.3 % of the strongest pattern's contrast.
# Measured on VGG-16 at 128 px, float32's gradient is within 2e-4 of float64's, 3e-3 with 1e-7.
EIGENVALUE_FLOOR = 1e-5
LEAST_GAP = 1e-2  # of a style's variance; two styles nearer than that are one, and float32 noise
PLAIN = 1e-3  # of the energy: less variance than this is a plain picture, not a unit to divide by


def squared_error(F: Tensor, P: Tensor) -> Tensor:
    """1/2 sum (F - P)^2: J_content of Gatys et al. 2015, equation 1."""
    return (F - P).square().sum() / 2


def gram(F: Tensor) -> Tensor:
    """G = F F^T, (channels, channels), G_ij = sum_k F_ik F_jk: Gatys et al. 2015, equation 3."""
    flat = positions(F)
    return flat.T @ flat


def positions(F: Tensor) -> Tensor:
    """(1, channels, h, w) as (h * w, channels); a view where F is channels-last."""
    return F.permute(0, 2, 3, 1).reshape(-1, F.shape[1])


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbouring pixels, down and across: Mahendran & Vedaldi 2015."""
    down, across = x[..., 1:, :] - x[..., :-1, :], x[..., :, 1:] - x[..., :, :-1]
    return (down.square().sum() + across.square().sum()) / x.numel()


class Moments(torch.autograd.Function):
    """The mean (channels,) and covariance (channels, channels) of F over its positions.

    Written out because autograd would pass over the largest feature maps eight times; this does
    so once forward and once backward, each a matrix product.
    """

    @staticmethod
    def forward(ctx: Any, F: Tensor) -> tuple[Tensor, Tensor]:
        flat = positions(F)
        mean = flat.mean(0)
        covariance = torch.addmm(
            torch.outer(mean, mean), flat.T, flat, beta=-1, alpha=1 / len(flat)
        )
        ctx.save_for_backward(F, mean)
        return mean, covariance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        F, mean = ctx.saved_tensors
        by_mean, by_covariance = gradients
        flat = positions(F)
        both = by_covariance + by_covariance.T
        # d covariance / d F_k = (F_k - mean) / n, on either side of the outer product.
        shift = (by_mean - both @ mean) / len(flat)
        by_flat = torch.addmm(shift.expand(1, -1), flat, both, alpha=1 / len(flat))
        return by_flat.reshape(1, *F.shape[2:], F.shape[1]).permute(0, 3, 1, 2)


def moments(F: Tensor) -> tuple[Tensor, Tensor]:
    """F's mean (channels,) and covariance (channels, channels) over its positions."""
    mean, covariance = Moments.apply(F)  # type: ignore[no-untyped-call]
    return mean, covariance


class RootTrace(torch.autograd.Function):
    """tr M^1/2 of a symmetric positive semidefinite M, and its gradient in closed form.

    With M = Q diag(l) Q^T the gradient is 1/2 Q diag(l^-1/2) Q^T: one eigendecomposition for both.
    """

    @staticmethod
    def forward(ctx: Any, M: Tensor) -> Tensor:
        values, Q = eigen(M)
        if ctx.needs_input_grad[0]:
            floor = values[-1] * EIGENVALUE_FLOOR + torch.finfo(values.dtype).tiny
            ctx.save_for_backward((Q / values.clamp(min=floor).sqrt()) @ Q.T / 2)
        trace: Tensor = values.clamp(min=0).sqrt().sum()
        return trace

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        by_M: Tensor = ctx.saved_tensors[0]
        return gradients[0] * by_M


def eigen(M: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix; not-a-numbers if it has any.

    So that a picture gone wrong shows in the loss, where the minimiser can step back from it.
    LAPACK can fail on a float32 matrix of nearly equal eigenvalues; float64 then settles it. MPS
    has no eigendecomposition: the matrix, 1 MB at most, goes to the CPU and back.
    """
    if not bool(M.isfinite().all()):
        return torch.full_like(M[0], torch.nan), torch.full_like(M, torch.nan)
    home = M.cpu() if M.device.type == "mps" else M
    try:
        values, Q = torch.linalg.eigh(home)
    except RuntimeError:  # torch's LinAlgError
        values, Q = torch.linalg.eigh(home.double())
    return values.to(M), Q.to(M)


def matrix_root(S: Tensor) -> Tensor:
    """S^1/2 of a symmetric positive semidefinite matrix, computed in float64 on the CPU."""
    values, Q = eigen(S.cpu().double())
    root: Tensor = (Q * values.clamp(min=0).sqrt()) @ Q.T
    return root.to(S.dtype).to(S.device)


def wasserstein(F: Tensor) -> Distance:
    """The squared Wasserstein-2 distance of F's Gaussian from that of the features given here.

    |m - m_s|^2 + tr C + tr S - 2 tr (S^1/2 C S^1/2)^1/2, with means m and covariances C, S over
    positions: Olkin & Pukelsheim 1982; for style, Crowson's style-transfer-pytorch. In units of
    tr S, the variance of the style's features, so that layers and networks compare.

    Where there are fewer positions than channels, C = X^T X, and X S X^T has the same eigenvalues
    but for zeros: a smaller matrix to decompose, 48 x 48 for 512 x 512 at conv5_1 and 128 px.
    """
    mean, S = moments(F)
    root, trace = matrix_root(S), S.trace()
    unit = at_least(trace, mean.square().sum())

    def distance(F: Tensor) -> Tensor:
        flat = positions(F)
        if flat.shape[0] < flat.shape[1]:
            m = flat.mean(0)
            X = (flat - m) / flat.shape[0] ** 0.5
            variance, M = X.square().sum(), X @ S @ X.T
        else:
            m, C = moments(F)
            variance, M = C.trace(), root @ C @ root
        overlap: Tensor = RootTrace.apply(M)  # type: ignore[no-untyped-call]
        squared: Tensor = (m - mean).square().sum() + variance + trace - 2 * overlap
        return squared / unit

    return distance


def mean_gram(F: Tensor) -> Distance:
    """|G/n - A/n|^2 / |A/n|^2: the paper's Gram matrices as means over positions, scale-free."""
    A = gram(F) / positions(F).shape[0]
    unit = A.square().sum()
    return lambda F: (gram(F) / positions(F).shape[0] - A).square().sum() / unit


def sum_gram(F: Tensor, positions_wanted: int) -> Distance:
    """J_style of one layer, 1/2 sum (G - A)^2, as DESIGN.md prints it.

    Gatys et al. 2015, equation 4, but for its constant factor. A is scaled to as many positions as
    the picture has, since the painting's size is its own.
    """
    A = gram(F) * (positions_wanted / positions(F).shape[0])
    return lambda F: (gram(F) - A).square().sum() / 2


def relative_error(P: Tensor) -> Distance:
    """The fraction of the photograph's feature variance lost: sum (F - P)^2 / sum (P - mean)^2."""
    unit = variation(P)
    return lambda F: (F - P).square().sum() / unit


def variation(P: Tensor) -> Tensor:
    """Sum (P - mean)^2, the mean each channel's own over its positions."""
    return at_least((P - P.mean((2, 3), keepdim=True)).square().sum(), P.square().sum())


def at_least(value: Tensor, energy: Tensor) -> Tensor:
    """The value, or PLAIN of the energy where (as in a plain picture) it all but vanishes."""
    return torch.maximum(value, energy * PLAIN) + torch.finfo(value.dtype).tiny


@dataclass(frozen=True)
class Term:
    """One layer's part of the loss: ``weight * distance(features[layer])``."""

    name: str
    layer: str
    weight: float
    distance: Distance


@dataclass(frozen=True)
class Objective:
    """The whole loss: layers' terms and total variation, by name. Their sum is J."""

    terms: tuple[Term, ...]
    tv_weight: float

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple({term.layer: None for term in self.terms})

    def __call__(self, x: Tensor, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each term's weighted loss; x is the picture (1, 3, H, W), features its layers by name."""
        losses = {
            term.name: term.weight * term.distance(features[term.layer]) for term in self.terms
        }
        if self.tv_weight:
            losses["tv"] = self.tv_weight * total_variation(x)
        return losses


def objective(photograph: Features, painting: Features, config: Config) -> Objective:
    """The loss that config asks for, from the features of the two pictures.

    Without a strength it is the paper's: alpha J_content + beta J_style, sums as printed. With one
    it departs from the paper: content and style are both fractions (of the photograph's feature
    variance lost; of the distance from photograph to painting left), so that one strength means
    the same balance at every size, layer set, network and pair.

    Args:
        photograph: its features at config's content and style layers.
        painting: its features at config's style layers.
        config: distance, layers, strength, alpha, beta and tv_weight are read.
    """
    if config.strength is None:
        terms = _paper_terms(photograph, painting, config)
        return Objective(terms, config.tv_weight)
    terms = _balanced_terms(photograph, painting, config)
    _, style_weight = config.weights()
    return Objective(terms, config.tv_weight * style_weight)


def _paper_terms(photograph: Features, painting: Features, config: Config) -> tuple[Term, ...]:
    def style(layer: str) -> Distance:
        if config.distance == "wasserstein":
            return wasserstein(painting[layer])
        return sum_gram(painting[layer], positions(photograph[layer]).shape[0])

    def content(layer: str) -> Distance:
        P = photograph[layer]
        return lambda F: squared_error(F, P)

    style_terms = _terms("style", config.style_layers, config.beta, style)
    alpha = config.alpha
    if alpha is None:  # the balance of strength 0.5, in the paper's units
        whole = sum(
            w * float(variation(photograph[layer])) / 2 for layer, w in config.content_layers
        )
        alpha = CONTENT_AT_HALF * _total(style_terms, photograph) / whole
    return (*_terms("content", config.content_layers, alpha, content), *style_terms)


def _balanced_terms(photograph: Features, painting: Features, config: Config) -> tuple[Term, ...]:
    style = wasserstein if config.distance == "wasserstein" else mean_gram
    alpha, beta = config.weights()
    content_total = sum(weight for _, weight in config.content_layers)
    unscaled = _terms("style", config.style_layers, 1.0, lambda layer: style(painting[layer]))
    style_total = sum(weight for _, weight in config.style_layers)
    gap = max(_total(unscaled, photograph), LEAST_GAP * style_total)
    to_fraction = beta / gap
    return (
        *_terms(
            "content",
            config.content_layers,
            alpha / content_total,
            lambda layer: relative_error(photograph[layer]),
        ),
        *(replace(term, weight=term.weight * to_fraction) for term in unscaled),
    )


def _total(terms: tuple[Term, ...], features: Features) -> float:
    return sum(float(term.weight * term.distance(features[term.layer])) for term in terms)


def _terms(
    kind: str, layers: Weighted, factor: float, distance: Callable[[str], Distance]
) -> tuple[Term, ...]:
    """A term for each layer that weighs anything."""
    return tuple(
        Term(f"{kind} {layer}", layer, weight * factor, distance(layer))
        for layer, weight in layers
        if weight * factor > 0
    )
