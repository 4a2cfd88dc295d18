"""Who goes where: pictures and masks are loaded, checked, and matched to a Scene."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from impasto import pictures
from impasto.config import PHOTO, SEAMLESS_PX, STARTS, Axes, Config, Size, scale_size, seamless_size
from impasto.errors import ConfigError, PictureError, did_you_mean
from impasto.job import memory
from impasto.job.recipe import Inputs, Source
from impasto.job.scene import Area, Painting, Scene, noise_of
from impasto.pictures import Picture, PictureSource, color, labels, masks, styles
from impasto.pictures.masks import Key, Mask

PALETTE_PX = 256  # side to which each of several paintings is brought to make one palette of them
Several = Sequence[PictureSource]


@dataclass(frozen=True)
class Masks:
    """Where which manner goes.

    Attributes:
        mask: of the photograph's size; its colours, or its labels, name the regions.
        style_masks: of the paintings, in their order: a region of the photograph takes after the
            region of the same colour, or of the same label.
        regions: by colour or label, as `masks.find` takes it, a painting of the region's own, or
            ``"photo"`` where it is to stay as photographed.
        passing: whether the mask is of one frame of a film, and another's may have regions that
            this one has not.
    """

    mask: PictureSource | None = None
    style_masks: Several = ()
    regions: Mapping[str, PictureSource] = field(default_factory=dict)
    passing: bool = False

    def check(self) -> None:
        """Raise a ConfigError where they say nothing together, or are of other types."""
        if not isinstance(self.style_masks, list | tuple):
            raise ConfigError(
                f"`style_masks` of type {type(self.style_masks).__name__}", "a list is wanted"
            )
        if not isinstance(self.regions, Mapping):
            raise ConfigError(
                f"`regions` of type {type(self.regions).__name__}", 'such as {"white": "photo"}'
            )
        given = "style masks" if self.style_masks else "regions" if self.regions else ""
        if given and self.mask is None:
            raise ConfigError(
                f"{given} without a mask",
                "its colours are the photograph's regions",
                "give a mask of the photograph's size",
            )
        if self.mask is not None and not given:
            raise ConfigError(
                "a mask alone",
                "its regions want a style mask of the painting, or paintings of their own",
                f"try `regions` with black as {PHOTO!r}, to keep what is black as photographed",
            )


def compose(
    content: PictureSource | None,
    style: PictureSource | Several,
    config: Config,
    given: Masks | None = None,
) -> Scene:
    """Load all pictures, and see who goes where.

    Args:
        content: the photograph; None for a texture.
        style: a painting, a built-in style's name, a folder of paintings, or several of those.
        config: colours, weights, sizes and the start are read.
        given: masks and regions.

    Raises:
        ImpastoError: of its children the one that fits.
    """
    given = given or Masks()
    given.check()
    several = list(style) if isinstance(style, list | tuple) else [cast(PictureSource, style)]
    if content is None:
        photograph = canvas(config, given)
    else:  # a mask is of the file's size, and all of both is wanted then
        longest = config.size if isinstance(config.size, int) and given.mask is None else None
        photograph = read(content, "photograph", longest).filled()
    paintings = load_paintings(several, config, photograph, whole=bool(given.style_masks))
    start = None if config.start in STARTS else load_start(config.start)
    scene = Scene(photograph, (Area(tuple(paintings)),), start)
    scene = replace(scene, inputs=inputs_of(photograph, paintings, start))
    if given.mask is not None:
        scene = with_regions(scene, paintings, given, config)
    elif not paintings:
        raise ConfigError("no painting", "at least one is wanted")
    scene = recoloured(greyed(scene.with_paintings(trimmed)), config)
    return made_seamless(scene, config.around) if config.tileable and content is not None else scene


def read(source: PictureSource, role: str, longest: int | None = None) -> Picture:
    """A picture, as large as it will be looked at or more, if memory suffices to read it."""
    free = round(memory.SAFE_SHARE * memory.free_bytes(torch.device("cpu")))
    return pictures.load(source, role, longest, free)


def canvas(config: Config, given: Masks) -> Picture:
    """Noise in the place of a photograph, where there is none: nothing of it counts.

    Raises:
        ConfigError: a setting that makes no sense without a photograph.
    """
    content, _ = config.weights()
    if content:
        what = "an alpha" if config.units == "sums" else f"`strength` {config.strength!r}"
        raise ConfigError(f"{what} without a photograph", "there only the style counts")
    for what, wanted in (("color", "painted"), ("start", "noise")):
        value = getattr(config, what)
        if value != wanted:
            raise ConfigError(f"`{what}` {value!r} without a photograph", f"it is {wanted} there")
    if given.mask is not None or isinstance(config.size, str):
        what = "a mask" if given.mask is not None else f"`size` {config.size!r}"
        raise ConfigError(f"{what} without a photograph", "that is for one")
    height, width = (config.size,) * 2 if isinstance(config.size, int) else config.size
    h, w = seamless_size((height, width), config.around)
    if (h, w) != (height, width):
        raise ConfigError(
            f"a tile of {width} x {height} px",
            f"the sides that it goes around are multiples of {SEAMLESS_PX} px",
            f"try {w}x{h}",
        )
    return Picture(noise_of((height, width), config.seed), None, "noise", "")


def inputs_of(photograph: Picture, paintings: Sequence[Painting], start: Picture | None) -> Inputs:
    """What a recipe says of the files that are given, but for masks."""
    return Inputs(
        photograph=source_of(photograph) if photograph.sha256 else None,  # else it is a canvas
        paintings=tuple(source_of(painting) for painting in paintings),
        start=None if start is None else source_of(start),
    )


def source_of(picture: Picture | Painting) -> Source:
    """What a recipe says of a file."""
    return Source(picture.name, picture.sha256)


def load_start(path: str) -> Picture:
    """The picture to start from; a ConfigError where the path may have been meant as a word."""
    hint = did_you_mean(path, STARTS)
    if hint and not os.path.lexists(path):
        allowed = f"allowed: {', '.join(STARTS)}, or the path of a picture"
        raise ConfigError(f"`start` {path!r}", allowed, hint)
    return read(path, "start picture").filled()


def longest_px(photograph: Picture, config: Config) -> int:
    """The longer side of the result."""
    if isinstance(config.size, int):
        return config.size
    return max(photograph.size if isinstance(config.size, str) else config.size)


def trimmed(painting: Painting) -> Painting:
    """A painting without the borders of its picture that are wholly transparent.

    So that it, and no empty canvas around it, has the size that strokes go by. A folder's have
    been trimmed one by one.

    Raises:
        PictureError: nothing is visible of a part that its mask names.
    """
    if len(painting.pictures) > 1 or painting.pictures[0].alpha is None:
        return painting
    (picture,), alpha = painting.pictures, painting.pictures[0].alpha
    for colour, part in painting.parts.items():
        if not bool((part * alpha).any()):
            raise PictureError(
                f"region {masks.region_name(colour)} of painting '{painting.name}' is wholly "
                "transparent",
                "each region of a style mask has to show something",
                "change the mask, or leave that colour out of it",
            )
    top, left, bottom, right = pictures.visible_box(alpha)
    parts = {colour: part[:, :, top:bottom, left:right] for colour, part in painting.parts.items()}
    return replace(painting, pictures=(picture.trimmed(),), parts=parts)


def load_paintings(
    several: Several, config: Config, photograph: Picture, *, whole: bool
) -> list[Painting]:
    """Each with its scale and its weight.

    Args:
        several: as in ``compose``.
        config: weights, scales, ``size`` and ``style_size`` are read.
        photograph: whose size theirs goes by.
        whole: whether all of each is wanted, since masks are of their sizes.

    Raises:
        ConfigError: weights or scales for more or fewer paintings.
    """
    scales = config.style_scale
    scales = (scales,) * len(several) if isinstance(scales, int | float) else scales
    weights = config.style_weights or (1.0,) * len(several)
    for name, numbers in (("style_weights", weights), ("style_scale", scales)):
        if len(numbers) != len(several):
            listed = ",".join(f"{number:g}" for number in numbers)
            raise ConfigError(
                f"`{name}` {listed} for {len(several)} painting{'s'[: len(several) != 1]}",
                "one number for each painting is wanted, in their order",
            )
    return [
        replace(load_painting(source, config, scale, photograph, whole=whole), weight=weight)
        for source, scale, weight in zip(several, scales, weights, strict=True)
    ]


def load_painting(
    source: PictureSource,
    config: Config,
    scale: float,
    photograph: Picture,
    *,
    whole: bool = False,
) -> Painting:
    """A picture, a built-in style by its name, or a folder.

    Args:
        source: that one.
        config: ``size`` and ``style_size`` are read.
        scale: its ``style_scale``.
        photograph: whose size its own goes by.
        whole: whether all of it is wanted; otherwise it may be read no larger than is needed.
    """
    scale *= photograph.visible_share
    if isinstance(source, str):
        source = styles.find(source)
    longest = longest_px(photograph, config) * scale
    if isinstance(source, os.PathLike) and Path(source).is_dir():
        return replace(load_folder(Path(source), longest, config.style_size), scale=scale)
    picture = read(source, "painting", None if whole else config.style_size or round(longest))
    return Painting(picture.name, (picture.filled(),), scale)


def load_folder(folder: Path, longest_px: float, style_size: int | None) -> Painting:
    """All pictures in a folder as one style, each no larger than it will be looked at.

    Args:
        folder: where they are.
        longest_px: longer side of the result, times ``style_scale``.
        style_size: as in Config.

    Raises:
        PictureError: there is none in it.
    """
    paths = pictures.in_folder(folder)
    if not paths:
        raise PictureError(
            f"painting '{folder}' is a folder without pictures", "", "a folder of paintings, or one"
        )
    found = []
    for path in paths:
        picture = read(path, "painting", style_size or round(longest_px)).filled().trimmed()
        factor = pictures.strokes_factor(picture.size, longest_px)
        longer = style_size or round(factor * max(picture.size))
        if max(picture.size) > longer:
            size = pictures.fit(picture.size, longer)
            size = scale_size(size, max(1.0, pictures.MIN_SIDE_PX / min(size)))
            alpha = None if picture.alpha is None else pictures.resize(picture.alpha, size)
            picture = replace(picture, pixels=picture.at(size), alpha=alpha)
        found.append(picture)
    return Painting(folder.resolve().name, tuple(found))


def with_regions(
    scene: Scene,
    paintings: Sequence[Painting],
    given: Masks,
    config: Config,
) -> Scene:
    """The scene with the photograph's regions matched to paintings.

    Raises:
        ImpastoError: of its children the one that fits; for a colour that nothing matches too.
    """
    assert given.mask is not None
    mask = load_mask(given.mask, "mask", scene.photograph.size, "photograph")
    theirs = load_style_masks(paintings, given.style_masks)
    by_label = masks.are_by_label([mask, *theirs], given.regions)
    where = mask.regions(by_label=by_label)
    named = given.regions
    if given.passing:
        named = {text: each for text, each in named.items() if masks.find(text, list(where))}
    own = own_styles(named, where, mask, config, scene.photograph)
    painted = masked(paintings, theirs, list(where), passing=given.passing)
    preserved = [colour for colour in where if own.get(colour) == PHOTO]
    preserve = torch.stack([where[colour] for colour in preserved]).sum(0) if preserved else None
    areas = areas_of(where, own, painted)
    if given.passing and not areas:  # what is to be painted is not in this frame: nothing is
        areas = [Area(tuple(painted) or paintings_of(given, config, scene.photograph))]
    elif not given.passing:
        check_all_used(areas, painted)
    regions: dict[str, str | None] = {
        **{area.name: " + ".join(each.name for each in area.styles) for area in areas},
        **{masks.region_name(colour): None for colour in preserved},
    }
    original = scene.photograph if preserve is not None else None
    inputs = replace(
        scene.inputs,
        mask=source_of(mask.picture),
        style_masks=tuple(source_of(each.picture) for each in theirs),
        regions={
            masks.region_name(colour): None if isinstance(each, str) else source_of(each)
            for colour, each in own.items()
        },
    )
    scene = replace(scene, areas=tuple(areas), regions=regions, inputs=inputs)
    return replace(scene, preserve=preserve, preserved=tuple(preserved), original=original)


def paintings_of(given: Masks, config: Config, photograph: Picture) -> tuple[Painting, ...]:
    """The paintings of regions, where there are no others."""
    several = [each for each in given.regions.values() if each != PHOTO]
    if not several:
        raise ConfigError("every region stays as photographed", "at least one with a painting")
    return (load_painting(several[0], config, 1.0, photograph),)


def located(
    scene: Scene, source: PictureSource
) -> tuple[list[Tensor | None], Tensor | None] | None:
    """Where a scene's areas are by another mask, and where the photograph stays.

    Args:
        scene: composed with a mask of another frame of a film.
        source: this frame's, of the same size.

    Returns:
        For each area (1, 1, H, W) in [0, 1], or None where it is all; the last likewise, None is
        nowhere. None where the mask has other regions.
    """
    known, mask = scene.keys, masks.load(source, "mask")
    found = {
        masks.same(theirs, known): part
        for theirs, part in mask.regions(by_label=isinstance(known[0], int)).items()
    }
    if set(found) != set(known):
        return None
    kept = [found[each] for each in scene.preserved]
    where = [None if each.colour is None else found[each.colour] for each in scene.areas]
    return where, torch.stack(kept).sum(0) if kept else None


def check_all_used(areas: Sequence[Area], paintings: Sequence[Painting]) -> None:
    """Raise a ConfigError where nothing is painted, or a painting is for nothing."""
    if not areas:
        raise ConfigError("every region stays as photographed", "at least one with a painting")
    used = {id(each) for area in areas for each in area.styles}
    idle = next((each for each in paintings if id(each) not in used), None)
    if idle:
        raise ConfigError(f"painting '{idle.name}' has no region", "each region has one already")


def areas_of(
    where: Mapping[Key, Tensor], own: Mapping[Key, Painting | str], paintings: Sequence[Painting]
) -> list[Area]:
    """The regions that are painted: each after its own painting, or after its colour's part of all.

    Args:
        where: each region, by colour.
        own: what colours have of their own; PHOTO is not painted.
        paintings: for the rest.
    """
    areas = []
    for colour, part in where.items():
        mine = own.get(colour)
        if isinstance(mine, Painting):
            areas.append(Area((mine,), masks.region_name(colour), part, colour))
        elif mine is None:
            areas.append(area_of(colour, part, paintings))
    return areas


def area_of(colour: Key, where: Tensor, paintings: Sequence[Painting]) -> Area:
    """The region of a colour that no painting of its own was given for.

    It takes after the part of its colour of each painting, and after all of one without a mask.
    """
    name = masks.region_name(colour)
    mine = tuple(each for each in paintings if colour in each.parts or not each.parts)
    if not mine:
        there = sorted({masks.region_name(c) for each in paintings for c in each.parts})
        what = "is in no style mask" if there else "has no painting"
        raise ConfigError(
            f"region {name} of the mask {what}",
            f"the style masks have {', '.join(there)}" if there else "",
            f"say in `regions` whose manner it takes: a painting's, or {PHOTO!r}",
        )
    return Area(mine, name, where, colour)


def own_styles(
    regions: Mapping[str, PictureSource],
    where: Mapping[Key, Tensor],
    mask: Mask,
    config: Config,
    photograph: Picture,
) -> dict[Key, Painting | str]:
    """By the mask's regions, the paintings of their own, or PHOTO."""
    found: dict[Key, Painting | str] = {}
    loaded: dict[str, Painting] = {}
    for text, source in regions.items():
        colour = masks.find(text, list(where))
        if colour is None:
            raise no_such_region(text, list(where), mask)
        if colour in found:
            raise ConfigError(f"region {text!r} twice", "each region once")
        if isinstance(source, str) and source == PHOTO:
            found[colour] = PHOTO
            continue
        scale = config.style_scale if isinstance(config.style_scale, int | float) else 1.0
        key = str(source) if isinstance(source, str | os.PathLike) else f"id {id(source)}"
        if key not in loaded:
            loaded[key] = load_painting(source, config, scale, photograph)
        found[colour] = loaded[key]
    return found


def no_such_region(text: object, there: Sequence[Key], mask: Mask) -> ConfigError:
    """The error for a region that is named and that the mask does not have."""
    listed = ", ".join(masks.region_name(each) for each in there)
    if isinstance(there[0], int):
        return ConfigError(f"region {text!r}: {mask.what} has no such label", f"it has {listed}")
    number = masks.label_behind(text, mask)
    return ConfigError(
        f"region {text!r}: the mask has no such colour",
        f"it has {listed} (what is smaller than {labels.SMALLEST_FLAT_PX} px, or is a shade, "
        "is no region)",
        f"'label {number}' is its palette's number {number}" if number is not None else "",
    )


def masked(
    paintings: Sequence[Painting],
    style_masks: Sequence[Mask],
    colours: Sequence[Key],
    *,
    passing: bool = False,
) -> list[Painting]:
    """The paintings with the parts that their masks name, by the photograph's colours.

    ``passing`` is as in Masks.

    Raises:
        ConfigError: a region that the photograph's mask has not.
    """
    found = list(paintings)
    for place, mask in enumerate(style_masks):
        by_label = isinstance(colours[0], int)
        parts: dict[Key, Tensor] = {}
        for theirs, part in mask.regions(by_label=by_label).items():
            ours = masks.same(theirs, colours)
            if ours is None and passing:
                continue
            if ours is None:
                there = ", ".join(masks.region_name(each) for each in colours)
                raise ConfigError(
                    f"region {masks.region_name(theirs)} of {mask.what} is not in the "
                    "photograph's mask",
                    f"that one has {there}",
                )
            parts[ours] = parts[ours] + part if ours in parts else part
        found[place] = replace(found[place], parts=parts)
    return found


def load_style_masks(paintings: Sequence[Painting], style_masks: Several) -> list[Mask]:
    """The masks of the paintings, in their order.

    Raises:
        ConfigError: more masks than paintings, or one for a folder.
        PictureError: as ``load_mask``.
    """
    if len(style_masks) > len(paintings):
        raise ConfigError(
            f"{len(style_masks)} style masks for {len(paintings)} paintings", "one for each"
        )
    found = []
    for number, (painting, source) in enumerate(zip(paintings, style_masks, strict=False), 1):
        if len(painting.pictures) > 1:
            raise ConfigError("a style mask for a folder of paintings", "one is for one painting")
        role = "style mask" if number == 1 else f"style mask {number}"
        size = painting.pictures[0].size
        found.append(load_mask(source, role, size, f"painting '{painting.name}'"))
    return found


def load_mask(source: PictureSource, role: str, size: Size, of: str) -> Mask:
    """A mask of just this (height, width).

    Raises:
        PictureError: it has another size, or can't be read.
    """
    mask = masks.load(source, role)
    if mask.picture.size != size:
        (height, width), (h, w) = mask.picture.size, size
        raise PictureError(
            f"{mask.what} is {width} x {height} px, and the {of} {w} x {h} px",
            "the same size is wanted",
            "draw it on a copy of the picture",
        )
    if mask.picture.alpha is not None:
        given = f"{mask.what} is transparent in places"
        raise PictureError(given, "opaque colours are wanted", "fill its background")
    return mask


def made_seamless(scene: Scene, around: Axes) -> Scene:
    """The scene with a photograph, and a start, whose opposite borders meet."""
    photograph, start = (
        each and replace(each, pixels=pictures.periodic(each.pixels, around))
        for each in (scene.photograph, scene.start)
    )
    assert photograph is not None
    return replace(scene, photograph=photograph, start=start)


def recoloured(scene: Scene, config: Config) -> Scene:
    """Recolour a scene's pictures as the network is to see them: grey, or in another's palette."""
    photograph = scene.photograph
    match = color.match_covariance if config.color_match == "covariance" else color.match_histogram

    def to_the_photographs(painting: Picture) -> Tensor:
        return match(painting.pixels, photograph.pixels, painting.alpha, photograph.alpha)

    if config.color == "luminance" or (config.color == "photo" and not coloured(scene.paintings)):
        return in_grey(scene)
    if config.color == "photo":
        return greyed(scene.with_pixels(photograph.pixels, to_the_photographs))
    if config.color == "painting":
        target, alpha = palette(scene.paintings)
        pixels = match(photograph.pixels, target, photograph.alpha, alpha)
        return greyed(scene.with_pixels(pixels, lambda painting: painting.pixels))
    return scene


def as_seen(scene: Scene, photograph: Tensor, config: Config) -> Tensor:
    """Another photograph (1, 3, H, W), such as a film's next frame, as a scene's network sees it.

    Args:
        scene: as from ``compose``, whose paintings stay what they are.
        photograph: sRGB in [0, 1].
        config: whose colours.
    """
    if scene.own_colours:
        return color.grey(photograph)
    if config.color == "painting":
        match = (
            color.match_covariance if config.color_match == "covariance" else color.match_histogram
        )
        target, alpha = palette(scene.paintings)
        photograph = match(photograph, target, None, alpha)
    return color.nearest_grey(photograph) if scene.grey else photograph


def as_painted(scene: Scene, result: Tensor) -> Tensor:
    """A finished picture (1, 3, H, W) as the pixels that were optimised, or nearly those."""
    return color.grey(result) if scene.own_colours else result


def coloured(paintings: Sequence[Painting]) -> bool:
    """Whether any of them has colours that could be recoloured to a photograph's."""
    return any(color.has_chroma(each.pixels, each.alpha) for p in paintings for each in p.pictures)


def greyed(scene: Scene) -> Scene:
    """The scene; exactly grey where photograph and paintings are, but for a JPEG's rounding.

    A texture's canvas is no photograph: there the paintings decide.
    """
    given = [picture for painting in scene.paintings for picture in painting.pictures]
    given += [scene.photograph] if scene.photograph.sha256 else []
    if not all(color.is_grey(picture.pixels, picture.alpha) for picture in given):
        return scene
    start, original = (
        each and replace(each, pixels=color.nearest_grey(each.pixels))
        for each in (scene.start, scene.original)
    )
    grey = color.nearest_grey(scene.photograph.pixels)
    scene = scene.with_pixels(grey, lambda painting: color.nearest_grey(painting.pixels))
    return replace(scene, start=start, original=original, grey=True)


def in_grey(scene: Scene) -> Scene:
    """The scene for a network that sees no colours; the result takes the photograph's own.

    For paintings without chroma too, where the photograph's colours are wanted: they have none that
    could become the photograph's.
    """
    photograph = scene.photograph
    grey = color.grey(photograph.pixels)

    def lit_alike(painting: Picture) -> Tensor:
        light = color.grey(painting.pixels)
        return color.match_luminance(light, grey, painting.alpha, photograph.alpha)

    start = scene.start and replace(scene.start, pixels=color.grey(scene.start.pixels))
    scene = scene.with_pixels(grey, lit_alike)
    return replace(scene, start=start, original=photograph, own_colours=True)


def palette(paintings: Sequence[Painting]) -> tuple[Tensor, Tensor | None]:
    """A picture with the colours of all of them, each counting alike; and its alpha, if any."""
    given = [picture for painting in paintings for picture in painting.pictures]
    if len(given) == 1:
        return given[0].pixels, given[0].alpha
    side = (PALETTE_PX, PALETTE_PX)
    together = torch.cat([picture.at(side) for picture in given], dim=3)
    if all(picture.alpha is None for picture in given):
        return together, None
    full = torch.ones((1, 1, *side), dtype=torch.float32, device="cpu")
    alphas = [full if p.alpha is None else pictures.resize(p.alpha, side) for p in given]
    return together, torch.cat([alpha / alpha.mean() for alpha in alphas], dim=3)
