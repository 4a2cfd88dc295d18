"""What the studio bears: many clients at once, and what its server holds after many jobs.

    .venv/bin/python benchmarks/studio.py [--clients 50] [--jobs 500]

It opens a studio in a folder of its own, as `impasto studio` does, and uses it over HTTP. While one
picture is painted, the clients ask for its status; then all of them ask for a picture of their own
at once; then small jobs are done one after the other, and the server's memory is looked at.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import PIL.Image
import psutil
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from skimage import data

STATUS_CALLS = 20  # of each client
SMALL_PX = 64  # of the many jobs: nothing but the queue and the server is measured by them
MEGABYTE = 1e6
FULL = "the queue is full"


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=500)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        photo = folder / "photo.jpg"
        PIL.Image.fromarray(data.coffee()).save(photo)
        with opened(folder / "studio") as (url, server):
            print("| what | measured |\n|---|---|")
            for what, told in rows(url, server, photo, given.clients, given.jobs):
                print(f"| {what} | {told} |", flush=True)


@contextmanager
def opened(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """A studio's address and the server's process, as long as the context lasts."""
    command = [sys.executable, "-m", "impasto", "studio", "--no-browser", "--folder", str(folder)]
    started = subprocess.Popen(
        [*command, "--port", "0"], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert started.stderr is not None
    try:
        address = re.search(r"http://\S+", started.stderr.readline())
        assert address is not None, "it did not open"
        yield address[0], psutil.Process(started.pid)
    finally:
        started.terminate()
        started.wait()


def rows(
    url: str, server: psutil.Process, photo: Path, clients: int, jobs: int
) -> Iterator[tuple[str, str]]:
    """Every measurement."""
    client = Client(url, verbose=False)
    asked = [Client(url, verbose=False) for _ in range(clients)]
    job = stylize(client, photo, "512", "normal")
    yield (
        f"a status call, {clients} clients, while one picture is painted",
        calls(url, job, clients),
    )
    with ThreadPoolExecutor(clients) as pool:
        answers = Counter(pool.map(lambda each: answer(each, photo), asked))
    told = ", ".join(f"{count} {what}" for what, count in answers.items())
    yield f"{clients} pictures asked for at once", told
    done = finished(url, client, photo, clients)
    before = server.memory_info().rss
    yield f"the server's memory after {done + 1} jobs", f"{before / MEGABYTE:.0f} MB"
    finished(url, client, photo, jobs)
    after = server.memory_info().rss
    yield (
        f"the server's memory after {jobs} jobs more",
        f"{after / MEGABYTE:.0f} MB ({(after - before) / MEGABYTE:+.0f})",
    )


def stylize(client: Client, photo: Path, size: str = str(SMALL_PX), quality: str = "draft") -> str:
    """Ask for a picture; the job's id."""
    found: str = client.predict(
        photo=handle_file(photo),
        painting="charcoal",
        own=None,
        strength=0.5,
        style_scale=1.0,
        quality=quality,
        size=size,
        color="painted",
        api_name="/stylize",
    )
    return found


def answer(client: Client, photo: Path) -> str:
    """What a client that asks for a picture gets, in a word."""
    try:
        stylize(client, photo)
    except AppError as error:
        return "told that the queue is full" if FULL in str(error) else f"failed: {error}"
    return "a job each"


def calls(url: str, job: str, clients: int) -> str:
    """How long status calls take."""
    asked = f"{url}studio/status?ids={job}"

    def ask(_: int) -> list[float]:
        with httpx.Client() as session:
            return [
                timed(lambda: session.get(asked).raise_for_status()) for _ in range(STATUS_CALLS)
            ]

    with ThreadPoolExecutor(clients) as pool:
        seconds = [each for several in pool.map(ask, range(clients)) for each in several]
    milliseconds = sorted(1000 * each for each in seconds)
    return (
        f"median {statistics.median(milliseconds):.0f} ms, "
        f"95 of 100 below {milliseconds[len(milliseconds) * 95 // 100]:.0f} ms, "
        f"longest {milliseconds[-1]:.0f} ms"
    )


def finished(url: str, client: Client, photo: Path, count: int) -> int:
    """Have so many small jobs done, a few waiting at any time; how many were."""
    waiting: list[str] = []
    for number in range(count):
        waiting.append(stylize(client, photo))
        while len(waiting) > 20 or (number == count - 1 and waiting):
            ids = ",".join(waiting)
            told: Any = httpx.get(f"{url}studio/status?ids={ids}").json()
            ended = {each["id"] for each in told["jobs"] if each["status"] in ("done", "failed")}
            waiting = [each for each in waiting if each not in ended]
            time.sleep(0.2)
    return count


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
