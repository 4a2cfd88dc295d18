"""What settings and measures are for, in a person's words: one text for every front end.

Other settings stand in backquotes, as in errors: the command line puts its options there, the
studio its labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HELP: Mapping[str, str] = MappingProxyType(
    {
        "size": "Longer side in pixels, or 'original', the photograph's own.",
        "style_scale": "Size of the strokes: above 1 broader, below 1 finer. One for all "
        "paintings, or 1,0.5 for each.",
        "style_weights": "How much each painting counts, in their order; left out, alike.",
        "style_size": "The painting's longer side, instead of `style_scale`.",
        "start": "What the work starts from: the photograph, noise, both mixed, or a picture.",
        "tileable": "Without a seam where copies are laid side by side.",
        "color": "Whose colours: as painted; the photo's own, repainting light alone; or one "
        "picture recoloured first, to the palette of the photo or of the painting.",
        "color_match": "How a palette is matched: by one linear map of colours, or channel by "
        "channel.",
        "seed": "Which noise to start from; another number, another picture.",
        "strength": "How much of the painting: from 0, the photograph, to 1, style alone.",
        "content_layers": "Layers of the network that keep the photograph.",
        "style_layers": "Layers of the network that take the painting's manner.",
        "alpha": "Factor on the content's part of the loss.",
        "beta": "Factor on the style's part of the loss.",
        "units": "Of content and style: balanced by `strength`, or the paper's sums.",
        "tv_weight": "Price on total variation: more of it, less noise.",
        "hand": "Faithful keeps the photograph's detail under the paint; painterly paints all of "
        "it, in strokes with edges.",
        "slices": "Of the style, how much by whole distributions of features, and not by "
        "`distance`: edges and flat planes.",
        "relations": "Of the content, how much by what is alike in the photograph, and not by its "
        "features: contours may become strokes.",
        "detail": "How much of the photograph's fine detail each finer scale begins with; 1 "
        "in drafts.",
        "distance": "How styles are compared: means and covariances, or Gram matrices.",
        "backbone": "The network that looks; auto: vgg19 if it is here (impasto weights), else "
        "vgg16.",
        "optimizer": "How pixels are changed: L-BFGS, Adam or gradient descent.",
        "quality": "How much work goes into it: to try out, for keeps, or three times that.",
        "threads": "Of the CPU; left out, as many as this process may use. The bytes depend on it.",
        "precision": "Number format of the network's features; bfloat16 where the processor or "
        "GPU has it, and there auto takes it where it is faster (impasto info tells).",
        "fit": "Memory: the whole picture; in windows (any size, a little slower); or within so "
        "many bytes, such as 6GB. auto: windows where the whole would not fit.",
        "iterations": "How many in all; left out, what size and quality need.",
        "learning_rate": "Step size of adam and gd; left out, each one's own.",
        "pooling": "How the network halves pictures between its blocks.",
        "edges": "What the network sees beyond the border: the border again, or nothing.",
        "pyramid": "From a small picture to the full size, or at the full size at once.",
        "device": "Where it runs; auto: CUDA, else MPS, else the processor. CUDA and MPS have "
        "not been tried yet.",
        "snapshots": "Iterations after which a picture is kept.",
    }
)

# Where there are a list and a slider instead of words to type.
ON_A_PAGE: Mapping[str, str] = MappingProxyType(
    {
        "size": "Longer side of the picture.",
        "style_scale": "Size of the strokes: above 1 broader, below 1 finer.",
    }
)

MEASURES: Mapping[str, str] = MappingProxyType(
    {
        "score": "content lost and style left in one; lower is better",
        "lpips": "distance from the photograph as people see it; 0: none",
        "ssim": "likeness to the photograph in light and dark; 1: same",
        "lost": "of the photograph's feature variance, by fraction",
        "style_left": "of the photograph's style distance, at four other layers",
        "style_distance": "from the painting, at those layers; 0: its style",
        "tv": "total variation: how much neighbouring pixels differ",
    }
)
