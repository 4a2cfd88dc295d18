"""All that a person does in the studio, without a page: choose, paint, try, enlarge, film."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from impasto import pictures
from impasto.config import PHOTO, Config, Size, configure
from impasto.errors import ConfigError, PictureError, QueueError
from impasto.job.order import Order
from impasto.parsing import PARSERS, parse_setting
from impasto.queue.entry import Entry
from impasto.queue.store import Queue
from impasto.queue.task import PICTURE, Task
from impasto.studio import brush, clips, kinds
from impasto.studio.forecast import Forecast, forecast
from impasto.studio.lines import changed
from impasto.studio.shelf import Painting, Shelf, titled
from impasto.studio.widgets import LABELS, by_name

VIEW_PX = 1024  # longer side at which a photograph is looked at when it comes in
SHELVES = "shelves"  # a folder for each person's list of paintings
KEPT_BITS = 16  # a channel, of every result: a TIFF of 16 bits is then what it says
NONE_CAME = "failed", "stopped"  # of a film, a report or measures, which is begun anew then
FILM = ".mp4", ".gif"  # where PyAV is, and where not
CLIP_ENDING = next(iter(clips.ENDINGS))
SHOWN = PICTURE, kinds.CLIP  # of the gallery
# What a region can take after, besides a painting by its id.
AS_CHOSEN, SAME_COLOUR, AS_PHOTOGRAPHED = "as chosen", "same colour", "as photographed"
EXAMPLE = "chelsea.png"  # of scikit-image's wheel: a cat, by Stefan van der Walt, CC0
EXAMPLE_NAME, EXAMPLE_PAINTING = "cat.png", "night-swirls"


@dataclass(frozen=True)
class Wanted:
    """What somebody has chosen on the page.

    Attributes:
        photo: its file in the queue's folder.
        paintings: by id, how much each counts.
        settings: Config's, by name, those that are not the default's.
        mask: of the photograph, a file, or None.
        style_mask: of the painting, likewise.
        regions: what each colour of the mask takes after: a painting's id or a word of the above.
    """

    photo: Path
    paintings: Mapping[str, float]
    settings: Mapping[str, Any] = field(default_factory=dict)
    mask: Path | None = None
    style_mask: Path | None = None
    regions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """One person's place in the studio.

    Attributes:
        queue: that does the work.
        owner: whose jobs these are; "" where everybody is one.
    """

    queue: Queue
    owner: str = ""

    @property
    def shelf(self) -> Shelf:
        """Paintings to choose from."""
        digits = hashlib.sha256(self.owner.encode()).hexdigest()[:16]
        return Shelf(self.queue.folder / SHELVES / (digits if self.owner else "all"))

    # What comes in.

    def keep(self, path: Path, name: str, role: str = "photograph") -> Path:
        """A picture that was handed in, checked as the command line does, and kept.

        Raises:
            ImpastoError: what the command line says of such a file.
        """
        with by_name(path, name):
            pictures.load(path, role, VIEW_PX)
        return self.queue.keep(path, name)

    def keep_clip(self, path: Path, name: str) -> Path:
        """A clip that was handed in, checked as the command line does, and kept.

        Raises:
            ImpastoError: what the command line says of such a file, or that nothing reads it here.
        """
        with by_name(path, name):
            clips.poster(clips.open_clip(path, name))
        return self.queue.keep(path, name)

    def kept(self, ticket: str) -> Path | None:
        """The picture that came in and has this ticket; None where there is none any more."""
        path, inputs = (self.queue.inputs / ticket).resolve(), self.queue.inputs.resolve()
        return path if path.parent.parent == inputs and path.is_file() else None

    def example(self) -> tuple[Path, str]:
        """A photograph and a painting's id, for who has none at hand."""
        from importlib.resources import files

        data = (files("skimage") / "data" / EXAMPLE).read_bytes()
        return self.queue.keep(data, EXAMPLE_NAME), EXAMPLE_PAINTING

    def keep_painting(self, path: Path, name: str) -> Painting:
        """A painting of one's own, on the shelf from now on.

        Raises:
            ImpastoError: what the command line says of such a file.
        """
        return self.shelf.add(self.keep(path, name, "painting"))

    def keep_mask(self, layers: Sequence[Any], like: Size) -> Path | None:
        """What was painted with the brush as a mask's file, (height, width) as the picture's.

        None where nothing was painted.
        """
        mask = brush.mask_of([np.asarray(each) for each in layers if each is not None])
        if mask is None:
            return None
        image = PIL.Image.fromarray(mask).resize(like[::-1], PIL.Image.Resampling.NEAREST)
        return self.queue.keep(brush.to_png(np.asarray(image)), "mask.png")

    # What is made.

    def config(self, wanted: Wanted) -> Config:
        """Every setting of what is wanted.

        Raises:
            ConfigError: one that can't be used.
        """
        settings = dict(wanted.settings)
        weights = tuple(wanted.paintings.values())
        if len(set(weights)) > 1:
            settings["style_weights"] = weights
        return configure(settings.pop("preset", Config.preset), **settings)

    def order(self, wanted: Wanted) -> Order:
        """The order of what is wanted.

        Raises:
            ConfigError: no painting, one that is not there, or a setting that can't be used.
        """
        chosen = self.chosen(wanted.paintings)
        if not chosen and not wanted.regions:
            raise ConfigError("no painting", "choose one")
        named = "-".join(titled(each.title) for each in chosen[:2]) or "regions"
        order = Order(
            wanted.photo,
            tuple(each.source for each in chosen),
            self.config(wanted),
            Path(f"{wanted.photo.stem} {named}.png".replace(" ", "-")),
            bits=KEPT_BITS,
        )
        return self._with_regions(order, wanted) if wanted.mask else order

    def _with_regions(self, order: Order, wanted: Wanted) -> Order:
        """The order with a mask, and what each of its colours takes after."""
        assert wanted.mask is not None
        mask = np.asarray(PIL.Image.open(wanted.mask).convert("RGB"))
        there = brush.colours_in(mask)
        regions: dict[str, str] = {}
        for name in there:
            what = wanted.regions.get(name, AS_CHOSEN)
            if what == AS_PHOTOGRAPHED:
                regions[brush.code_of(name)] = PHOTO
            elif what not in (SAME_COLOUR, AS_CHOSEN):
                regions[brush.code_of(name)] = self.source(what)
        same = [name for name in there if wanted.regions.get(name) == SAME_COLOUR]
        if same and wanted.style_mask is None:
            raise ConfigError(
                f"{same[0].lower()} is to take after the same colour in the painting",
                "and nothing is painted on the painting",
                "paint it there too",
            )
        if same:  # the others take after all of it, which a style mask would not have
            chosen = {n for n in there if wanted.regions.get(n, AS_CHOSEN) == AS_CHOSEN}
            regions |= {brush.code_of(name): order.paintings[0] for name in chosen}
        elif not regions:  # every colour takes after what the whole picture would
            return order
        if len(regions) == len(there):
            order = replace(order, paintings=())  # each region has its own
        styles = (wanted.style_mask,) if same and wanted.style_mask else ()
        return replace(order, mask=wanted.mask, style_masks=styles, regions=regions)

    def chosen(self, ids: Mapping[str, float]) -> list[Painting]:
        """The paintings of these ids, in their order.

        Raises:
            ConfigError: one that is not on the shelf.
        """
        shelf = {each.id: each for each in self.shelf.all()}
        for identity in ids:
            if identity not in shelf:
                raise ConfigError(
                    f"painting {identity!r}: it is not on the shelf", ", ".join(shelf)
                )
        return [shelf[identity] for identity in ids]

    def source(self, identity: str) -> str:
        """What an order calls a painting."""
        return self.chosen({identity: 1.0})[0].source

    def forecast(self, wanted: Wanted) -> Forecast:
        """What a picture will take, before.

        Raises:
            ImpastoError: of its children the one that fits.
        """
        paths = [each.path for each in self.chosen(wanted.paintings)]
        return forecast(wanted.photo, paths, self.config(wanted), len(wanted.regions))

    def paint(
        self,
        wanted: Wanted,
        *,
        group: str = "",
        name: str = "",
        options: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Let a picture be made.

        Raises:
            ImpastoError: of its children the one that fits; a QueueError where the queue is full.
        """
        order = self.order(wanted)
        titles = " and ".join(each.title for each in self.chosen(wanted.paintings)[:2])
        name = name or f"{titled(wanted.photo.stem)}, {titles or 'in regions'}"
        known = options or {}
        return self.queue.add(Task(order, name, owner=self.owner, group=group, options=known))

    def steer(self, entry: Entry, settings: Mapping[str, Any]) -> bool:
        """Change settings of a picture that is not done; False where there is nothing to change."""
        if entry.task.kind != PICTURE or entry.state().ended:
            return False
        now = entry.config
        changed = {name: value for name, value in settings.items() if getattr(now, name) != value}
        if changed:
            entry.steer(changed)
        return bool(changed)

    def clip(
        self, wanted: Wanted, span: clips.Span, kind: str = kinds.CLIP, ending: str = CLIP_ENDING
    ) -> Entry:
        """Let a clip be painted, or a preview of it.

        Args:
            wanted: its photograph is the clip; masks are passed over.
            span: which part of it.
            kind: ``clip`` or ``preview``.
            ending: of the film's file.

        Raises:
            ImpastoError: of its children the one that fits; a QueueError where the queue is full.
        """
        order = self.order(replace(wanted, mask=None, style_mask=None, regions={}))
        clips.film_of(order, span)
        if kind == kinds.CLIP:
            order = replace(order, target=order.target.with_suffix(ending))
        titles = " and ".join(each.title for each in self.chosen(wanted.paintings)[:2])
        name = f"{titled(wanted.photo.stem)}, {titles}"
        options = clips.options_of(order, span)
        return self.queue.add(Task(order, name, kind, self.owner, options=options))

    # Many at once.

    def sweep(self, wanted: Wanted, varied: Sequence[tuple[str, str]]) -> list[tuple[Entry, str]]:
        """A picture for each combination of an option's or two options' values.

        Args:
            wanted: what stays the same.
            varied: a setting's name, and its values as text, parted by commas (by semicolons,
                where values have commas of their own).

        Returns:
            Each job, with the words that say what is different in it.

        Raises:
            ImpastoError: of its children the one that fits, before anything is begun.
        """
        from impasto.sweep import Variation, cells

        variations = []
        for name, text in varied:
            words = [part.strip() for part in text.split(";" if ";" in text else ",")]
            if not all(words):
                raise ConfigError(f"`{name}` {text!r}", "values such as 0.2, 0.5, 0.8")
            values = tuple(parse_setting(f"{name}={word}")[1] for word in words)
            variations.append(Variation(name, values, tuple(words)))
        base = self.order(wanted)
        usual = {n: getattr(base.config, n) for n in wanted.settings}
        usual |= {"style_weights": base.config.style_weights}
        made = cells(variations, base.config.preset, usual, Path())
        group = new_group("sweep")
        found = []
        for cell in made:
            order = replace(base, config=cell.config)
            label = ", ".join(f"{LABELS[n].lower()} {word}" for n, word in cell.words.items())
            name = f"{titled(wanted.photo.stem)}, {label}"
            task = Task(order, name, owner=self.owner, group=group, options={"sweep": label})
            found.append((self.queue.add(task), label.capitalize()))
        return found

    # From a finished picture.

    def larger(self, entry: Entry, size: Any) -> Entry:
        """The same picture at another size.

        Raises:
            ImpastoError: of its children the one that fits.
        """
        config = replace(entry.config, size=size, fit=Config.fit)
        order = replace(entry.task.order, config=config)
        word = f"{size} px" if isinstance(size, int) else str(size)
        task = Task(order, f"{entry.name}, {word}", owner=self.owner, parent=entry.id)
        return self.queue.add(task)

    def larger_forecast(self, entry: Entry, size: Any) -> Forecast:
        """What that will take.

        Raises:
            ImpastoError: of its children the one that fits.
        """
        order = entry.task.order
        assert order.photo is not None, "the studio makes no textures"
        config = replace(entry.config, size=size, fit=Config.fit)
        named = {each.source: each.path for each in self.shelf.all()}
        paths = [named.get(each, Path(each)) for each in order.paintings]
        return forecast(order.photo, paths, config, len(order.regions))

    def more(self, entry: Entry, kind: str) -> Entry:
        """Let something be made of a finished picture: ``film``, ``explain`` or ``measures``.

        One that is there, or on its way, is not made again.

        Raises:
            ImpastoError: of its children the one that fits.
        """
        there = self.made_of(entry, kind)
        if there and there.state().status not in NONE_CAME:
            return there
        order = replace(entry.task.order, config=entry.task.order.config)
        if kind == kinds.FILM:
            order = replace(order, timeline=Path(f"film{film_ending()}"))
        task = Task(order, f"{entry.name}: {kind}", kind, self.owner, parent=entry.id)
        return self.queue.add(task)

    def made_of(self, entry: Entry, kind: str) -> Entry | None:
        """The newest job of a kind that came from a picture."""
        return next(
            (
                each
                for each in self.queue.entries(self.owner)
                if each.task.parent == entry.id and each.task.kind == kind
            ),
            None,
        )

    def get(self, identity: str) -> Entry:
        """One of this person's jobs.

        Raises:
            QueueError: there is none.
        """
        return self.queue.get(identity, self.owner)

    def find(self, identity: str) -> Entry | None:
        """One of this person's jobs that is not deleted; None where there is none."""
        try:
            entry = self.get(identity)
        except QueueError:
            return None
        return None if entry.deleted else entry

    def newest(self) -> Entry | None:
        """The newest picture that is not ended yet, of those made one at a time."""
        return next(
            (
                each
                for each in self.queue.entries(self.owner)
                if each.task.kind == PICTURE and not each.task.group and not each.state().ended
            ),
            None,
        )

    def newest_clip(self) -> Entry | None:
        """The newest clip, or preview of one, that is not ended yet."""
        wanted = (kinds.CLIP, kinds.PREVIEW)
        every = (each for each in self.queue.entries(self.owner) if each.task.kind in wanted)
        return next((each for each in every if not each.state().ended), None)

    def finished(self) -> list[Entry]:
        """Every picture and every film of a clip that there is, the newest first."""
        return [
            each
            for each in self.queue.entries(self.owner)
            if each.task.kind in SHOWN and each.state().ended and each.result_path.is_file()
        ]

    def wanted_of(self, entry: Entry) -> Wanted:
        """What to choose on the page for such a picture again.

        Raises:
            PictureError: its photograph has gone.
        """
        order, config = entry.task.order, entry.config
        if order.photo is None or not order.photo.is_file():
            raise PictureError(f"the photograph of '{entry.name}' is not there any more")
        on_shelf = [self.shelf.of_source(each) for each in order.paintings]
        weights = config.style_weights or (1.0,) * len(on_shelf)
        found = {
            each.id: weight
            for each, weight in zip(on_shelf, weights, strict=True)
            if each is not None
        }
        settings = {
            name: value for name, value in changed(config).items() if name != "style_weights"
        }
        styles = order.style_masks[0] if order.style_masks else None
        regions = self._words_of(order) if order.mask else {}
        return Wanted(order.photo, found, settings, order.mask, styles, regions)

    def _words_of(self, order: Order) -> dict[str, str]:
        """What each colour of an order's mask takes after, in the page's words."""
        usual = SAME_COLOUR if order.style_masks else AS_CHOSEN
        found = {}
        for name in (*brush.COLOURS, brush.REST_NAME):
            what = order.regions.get(brush.code_of(name))
            painting = self.shelf.of_source(what) if what else None
            if what == PHOTO:
                found[name] = AS_PHOTOGRAPHED
            else:
                found[name] = painting.id if painting else usual
        return found


def ticket(kept: Path) -> str:
    """What a browser remembers a picture by that came in, without where this machine has it."""
    return f"{kept.parent.name}/{kept.name}"


def new_group(kind: str) -> str:
    """A name that several jobs have in common, and no others."""
    return f"{kind}-{secrets.token_hex(4)}"


def film_ending() -> str:
    """Of the best film that can be written here."""
    from importlib.util import find_spec

    return FILM[0] if find_spec("av") else FILM[1]


def parsed(name: str, value: Any) -> Any:
    """A setting as a page's widget gives it, as Config takes it."""
    if isinstance(value, str) and name in PARSERS:
        return PARSERS[name](value.removesuffix(" px"))
    whole = isinstance(value, float) and value == int(value)
    return int(value) if whole and name in ("seed", "iterations", "threads") else value
