"""Jobs as the page's script hears of them: plain words and addresses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from impasto.queue.entry import Entry
from impasto.queue.task import PICTURE, State
from impasto.studio import kinds
from impasto.studio.forecast import GIGABYTE, duration
from impasto.studio.widgets import LABELS, capital, spelling

WORDS = {
    "waiting": "Waiting for its turn",
    "working": "Painting",
    "paused": "Paused",
    "done": "Done",
    "stopped": "Stopped: this is the picture as it stood",
    "failed": "No picture came of it",
}
# Of a clip and its preview, where that is another thing.
MOVING = {
    "stopped": "Stopped: the frames that are painted are kept",
    "failed": "No film came of it",
}
SAMPLE = {"done": "Preview", "stopped": "Stopped", "failed": "No preview came of it"}
ENDING_S = 3.0  # seconds left below which a number of them would say nothing


def view(entry: Entry, before: int = 0) -> dict[str, Any]:
    """A job for the page.

    Args:
        entry: that one.
        before: how many wait before it.
    """
    state, kind = entry.state(), entry.task.kind
    still = kind not in (kinds.CLIP, kinds.PREVIEW)
    return {
        "id": entry.id,
        "name": entry.name,
        "kind": kind,
        "status": state.status,
        "words": words(state, before, entry.wish().word, kind),
        "details": details(state, kind),
        "fraction": 1.0 if state.status == "done" else state.fraction,
        "seconds_left": state.seconds_left,
        "iteration": state.iteration,
        "iterations": state.iterations,
        "size": state.size,
        "photo": f"studio/jobs/{entry.id}/photo.jpg" if still and entry.task.order.photo else "",
        "preview": preview(entry),
        "result": has_result(entry, state),
        "film": film(entry, state),
        "note": state.note,
        "error": capital(state.error),
        "steered": steered(entry),
    }


def has_result(entry: Entry, state: State) -> bool:
    """Whether there is a picture to take away."""
    return entry.task.kind == PICTURE and state.ended and entry.result_path.is_file()


def film(entry: Entry, state: State) -> str:
    """A clip's film's address; "" where there is none."""
    made = kinds.moving(entry) if entry.task.kind == kinds.CLIP else None
    there = made is not None and state.status == "done" and made.is_file()
    return f"studio/jobs/{entry.id}/film{made.suffix}" if there and made else ""


def preview(entry: Entry) -> str:
    """The newest preview's address, another one for each; "" where there is none yet."""
    for path in (entry.preview, entry.result_path):  # previews go where the disk is full
        with suppress(OSError):
            return f"studio/jobs/{entry.id}/preview.jpg?v={path.stat().st_mtime_ns}"
    return ""


def words(state: State, before: int = 0, word: str = "go", kind: str = PICTURE) -> str:
    """Where a job stands, for people."""
    own = {kinds.CLIP: MOVING, kinds.PREVIEW: SAMPLE}.get(kind, {})
    if state.status == "waiting" and before:
        return f"Waiting: {before} before it"
    if state.status == "working":
        if word == "pause":
            return "Pausing after this step"
        if word == "stop":
            return "Stopping after this step"
        if not state.iteration and not state.fraction:
            return "Getting ready"
        return f"Painting: {100 * state.fraction:.0f} %{left(state)}"
    if state.status == "stopped" and not (state.iteration or state.fraction):
        return "Stopped before it began"
    return own.get(state.status) or WORDS[state.status]


def left(state: State) -> str:
    """How much longer, for people."""
    return "" if state.seconds_left is None else f", {left_words(state.seconds_left)}"


def left_words(seconds: float) -> str:
    """``3 min left``."""
    return "nearly there" if seconds < ENDING_S else f"{duration(seconds)} left"


def details(state: State, kind: str = PICTURE) -> str:
    """What those want to know who look closer."""
    parts, step = [], "frame" if kind in (kinds.CLIP, kinds.PREVIEW) else "step"
    if state.size and kind != kinds.PREVIEW:  # a sheet's is nobody's
        height, width = state.size
        parts.append(f"{width} × {height} px")
        if state.scale and tuple(state.scale) != tuple(state.size) and not state.ended:
            parts.append(f"now at {state.scale[1]} × {state.scale[0]} px")
    if state.iterations and not state.ended:
        parts.append(f"{step} {state.iteration} of {state.iterations}")
    if state.peak_bytes and not state.ended:
        parts.append(f"{state.peak_bytes / GIGABYTE:.1f} GB of memory planned")
    if state.ended and state.seconds:
        parts.append(f"in {duration(state.seconds)}")
    return ", ".join(parts)


def steered(entry: Entry) -> list[str]:
    """Each change of settings that was made on the way, for people; the last ones."""
    found = []
    for turn in entry.turns()[-3:]:
        changed = ", ".join(f"{label(name)} {value(each)}" for name, each in turn.settings.items())
        found.append(f"Steered after step {turn.iteration}: {changed}")
    return found


def label(name: str) -> str:
    """A setting's name in the middle of a sentence."""
    return LABELS[name].lower() if name in LABELS else spelling(name)


def value(each: Any) -> str:
    """A setting's value for people."""
    if isinstance(each, tuple | list):
        return " : ".join(f"{part:g}" for part in each)
    return f"{each:g}" if isinstance(each, float) else str(each)


def summary(entry: Entry) -> dict[str, Any]:
    """A picture for the gallery."""
    state = entry.state()
    size = state.size or (1, 1)
    parts = [f"{size[1]} × {size[0]} px"]
    moving = film(entry, state)
    parts += ["film"] if moving else []
    parts += ["stopped"] if state.status == "stopped" else []
    return {
        "id": entry.id,
        "name": entry.name,
        "favourite": entry.favourite,
        "summary": ", ".join(parts),
        "size": size,
        "photo": "" if moving else f"studio/jobs/{entry.id}/photo.jpg",
        "preview": preview(entry),
        "film": moving,
    }
