"""Jobs as the page's script hears of them: plain words and addresses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from impasto.queue.entry import Entry
from impasto.queue.task import PICTURE, State
from impasto.studio.forecast import GIGABYTE, duration
from impasto.studio.widgets import LABELS, spelling

WORDS = {
    "waiting": "Waiting for its turn",
    "working": "Painting",
    "paused": "Paused",
    "done": "Done",
    "stopped": "Stopped: this is the picture as it stood",
    "failed": "No picture came of it",
}
ENDING_S = 3.0  # seconds left below which a number of them would say nothing


def view(entry: Entry, before: int = 0) -> dict[str, Any]:
    """A job for the page.

    Args:
        entry: that one.
        before: how many wait before it.
    """
    state = entry.state()
    return {
        "id": entry.id,
        "name": entry.name,
        "kind": entry.task.kind,
        "status": state.status,
        "words": words(state, before, entry.wish().word),
        "details": details(state),
        "fraction": 1.0 if state.status == "done" else state.fraction,
        "seconds_left": state.seconds_left,
        "iteration": state.iteration,
        "iterations": state.iterations,
        "size": state.size,
        "photo": f"studio/jobs/{entry.id}/photo.jpg" if entry.task.order.photo else "",
        "preview": preview(entry),
        "result": has_result(entry, state),
        "note": state.note,
        "error": state.error,
        "steered": steered(entry),
    }


def has_result(entry: Entry, state: State) -> bool:
    """Whether there is a picture to take away."""
    return entry.task.kind == PICTURE and state.ended and entry.result_path.is_file()


def preview(entry: Entry) -> str:
    """The newest preview's address, another one for each; "" where there is none yet."""
    for path in (entry.preview, entry.result_path):  # previews go where the disk is full
        with suppress(OSError):
            return f"studio/jobs/{entry.id}/preview.jpg?v={path.stat().st_mtime_ns}"
    return ""


def words(state: State, before: int = 0, word: str = "go") -> str:
    """Where a job stands, for people."""
    if state.status == "waiting" and before:
        return f"Waiting: {before} before it"
    if state.status == "working":
        if word == "pause":
            return "Pausing after this step"
        if word == "stop":
            return "Stopping after this step"
        if not state.iteration:
            return "Getting ready"
        return f"Painting: {100 * state.fraction:.0f} %{left(state)}"
    return WORDS[state.status]


def left(state: State) -> str:
    """How much longer, for people."""
    if state.seconds_left is None:
        return ""
    if state.seconds_left < ENDING_S:
        return ", nearly there"
    return f", {duration(state.seconds_left)} left"


def details(state: State) -> str:
    """What those want to know who look closer."""
    parts = []
    if state.size:
        height, width = state.size
        parts.append(f"{width} × {height} px")
        if state.scale and tuple(state.scale) != tuple(state.size) and not state.ended:
            parts.append(f"now at {state.scale[1]} × {state.scale[0]} px")
    if state.iterations and not state.ended:
        parts.append(f"step {state.iteration} of {state.iterations}")
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
    return {
        "id": entry.id,
        "name": entry.name,
        "favourite": entry.favourite,
        "summary": f"{size[1]} × {size[0]} px" + (", stopped" if state.status == "stopped" else ""),
        "size": size,
        "photo": f"studio/jobs/{entry.id}/photo.jpg",
        "preview": preview(entry),
    }
