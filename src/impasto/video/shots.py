"""Where one shot ends and the next begins: hard cuts, by PySceneDetect."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np
import PIL.Image

from impasto.video.clip import Frame
from impasto.video.extra import require
from impasto.video.source import Pixels

LONGEST_PX = 256  # at which cuts are looked for, as PySceneDetect does itself
# Of its AdaptiveDetector, which compares a frame's change with those around it, so that fast pans
# are no cuts. The window is two frames each side; its first and last two frames it never looks at,
# and so the first and the last frame are given to it twice more.
WINDOW_FRAMES = 2
RATIO, LEAST_CHANGE = 3.0, 15.0  # its own defaults
LEAST_FRAMES = 2
FLASH_SHARE = 0.5  # of a cut's difference: what comes back after a flash is nearer than that


def small(pixels: Pixels) -> Pixels:
    """In OpenCV's order of channels, and no larger than cuts are looked for at."""
    image = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((LONGEST_PX, LONGEST_PX), PIL.Image.Resampling.BOX, reducing_gap=None)
    return np.ascontiguousarray(np.asarray(image)[..., ::-1])


def padded(frames: Iterable[Pixels]) -> Iterator[tuple[int, Pixels]]:
    """Small frames and their numbers; the first and the last come more often: see WINDOW_FRAMES."""
    last: Pixels | None = None
    number = 0
    for pixels in frames:
        if last is None:
            for before in range(-WINDOW_FRAMES, 0):
                yield before, pixels
        last = pixels
        yield number, pixels
        number += 1
    if last is not None:
        for after in range(number, number + WINDOW_FRAMES):
            yield after, last


def is_flash(before: Pixels, at: Pixels, after: Iterable[Pixels]) -> bool:
    """Whether a cut is none: a frame or two later there is again what there was before it."""
    import cv2

    def far(one: Pixels, other: Pixels) -> float:
        return float(np.mean(cv2.absdiff(one, other)))

    return min(far(before, each) for each in after) < FLASH_SHARE * far(before, at)


def find_shots(frames: Iterable[Frame]) -> list[tuple[int, int]]:
    """The shots of a clip as numbers of their first and last frames, both included, from 0.

    Args:
        frames: in their order; each is looked at once, and none is kept.

    Raises:
        PictureError: PySceneDetect is not there.
    """
    require("finding shots", "cv2", "scenedetect")
    from scenedetect import AdaptiveDetector, FrameTimecode

    detector = AdaptiveDetector(
        adaptive_threshold=RATIO,
        min_scene_len=LEAST_FRAMES,
        window_width=WINDOW_FRAMES,
        min_content_val=LEAST_CHANGE,
    )
    kept: deque[Pixels] = deque(maxlen=2 * WINDOW_FRAMES)  # from the one before a cut on
    cuts, last = [], -1
    for number, pixels in padded(small(frame.pixels) for frame in frames):
        last = number - WINDOW_FRAMES  # a cut is known when its window has come
        kept.append(pixels)
        at = FrameTimecode(number + WINDOW_FRAMES, fps=1.0)  # frames are counted, not timed
        if detector.process_frame(at, pixels) and not is_flash(kept[0], kept[1], [*kept][2:]):
            cuts.append(last)
    if last < 0:
        return []
    begins = [0, *cuts]
    return list(zip(begins, [*(cut - 1 for cut in cuts), last], strict=True))
