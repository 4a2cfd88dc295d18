"""A published file into the cache: fetched only when asked for, resumed, checked, converted."""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from impasto.errors import WeightsError
from impasto.files import locked
from impasto.network.weights import published
from impasto.network.weights.own_format import stored_source
from impasto.network.weights.published import MEGABYTE, KnownFile
from impasto.network.weights.reading import CHUNK_BYTES, file_digests
from impasto.network.weights.store import add, cache_dir, cached, unwritable

TIMEOUT_S = 8.0  # to connect, and between two pieces of a download

Progress = Callable[[int, int | None], None]  # (bytes so far, bytes in all if known)


class _DownloadError(Exception):
    """The connection could not be made, or ended early; its text says how."""


def _reason(error: BaseException) -> str:
    cause = getattr(error, "reason", None) or error
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _connect(url: str, offset: int, timeout_s: float) -> Any:
    """The open response; None where the server says that nothing lies beyond the offset.

    A name that won't resolve and a host with many addresses that all stay silent each take far
    longer than a socket's timeout, so the wait is bounded from outside, by a thread.
    """
    results: list[Any] = []

    def attempt() -> None:
        headers = {"User-Agent": "impasto"} | ({"Range": f"bytes={offset}-"} if offset else {})
        request = urllib.request.Request(url, headers=headers)
        try:
            results.append(urllib.request.urlopen(request, timeout=timeout_s))
        except Exception as error:  # handed over to the waiting thread
            results.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(timeout_s)
    result = results[0] if results else TimeoutError(f"no answer within {timeout_s:g} s")
    if isinstance(result, urllib.error.HTTPError) and result.code == 416 and offset:
        return None
    if isinstance(result, Exception):
        raise _DownloadError(f"it can't be reached ({_reason(result)})") from result
    return result


def _next_piece(response: Any) -> bytes:
    try:
        return bytes(response.read1(CHUNK_BYTES))
    except (OSError, http.client.HTTPException) as error:
        raise _DownloadError(f"the connection broke ({_reason(error)})") from error


def _copy(
    response: Any, file: IO[bytes], done: int, total: int | None, on_progress: Progress
) -> int:
    """Copy to the end; what came before a break stays in the file."""
    on_progress(done, total)
    while piece := _next_piece(response):
        file.write(piece)
        done += len(piece)
        on_progress(done, total)
    return done


def _starts_at(response: Any, offset: int) -> bool:
    return str(response.headers.get("Content-Range", "")).startswith(f"bytes {offset}-")


def _download(row: KnownFile, part: Path, on_progress: Progress, timeout_s: float) -> None:
    """Bring the .part to its full length, from where it stands."""
    offset = part.stat().st_size if part.exists() else 0
    response = _connect(row.url, offset, timeout_s)
    if response is None:  # the server has nothing beyond the offset: complete, or not this file
        if row.matches(file_digests(part)):
            return
        part.unlink()
        offset, response = 0, _connect(row.url, 0, timeout_s)
    if response is None:
        raise _DownloadError("the server sends nothing")
    with response:
        resumed = response.status == 206 and _starts_at(response, offset)
        offset = offset if resumed else 0  # a server that ignores Range sends it all again
        length = response.headers.get("Content-Length")
        total = offset + int(length) if length and length.isdecimal() else row.size
        with part.open("ab" if resumed else "wb") as file:
            done = _copy(response, file, offset, total, on_progress)
    if total is not None and done < total:
        raise _DownloadError(f"the connection ended after {done} of {total} bytes")


def _hint(error: _DownloadError) -> str:
    """What may be the matter where nothing came."""
    reason = getattr(error.__cause__, "reason", None)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return (
            "its certificate is not trusted here: is the clock right, is there a proxy that "
            "signs anew? SSL_CERT_FILE=FILE names certificates to trust"
        )
    return "is there a network?"


def _by_hand(row: KnownFile) -> str:
    return (
        f"by hand: get {row.url} ({row.size_in_words}, {row.algorithm} {row.digits}) "
        "with any browser, then `impasto weights add FILE`"
    )


@contextlib.contextmanager
def _network_errors(row: KnownFile, part: Path) -> Iterator[None]:
    try:
        yield
    except _DownloadError as error:
        kept = part.stat().st_size if part.exists() else 0
        resume = f"the {kept / MEGABYTE:.1f} MB that came are kept: run it again to go on"
        hint = resume if kept else _hint(error)
        raise WeightsError(f"{row.url}: {error}", hint, _by_hand(row)) from error


def fetch(
    name: str,
    on_progress: Progress | None = None,
    *,
    on_wait: Callable[[], None] = lambda: None,
    timeout_s: float = TIMEOUT_S,
) -> Path:
    """Download a known file, check it and keep it in the cache, as ``add`` does.

    An interrupted download is resumed where it stopped, if the server can. Where another process
    fetches the same file, that is waited for, and what it brought is taken.

    Args:
        name: ``"vgg19"``, ``"vgg16"`` or the name of a known file.
        on_progress: called with the bytes so far and in all (None where the server won't say).
        on_wait: called once where another process is to be waited for.
        timeout_s: seconds to wait for a connection, and for the next piece.

    Raises:
        WeightsError: an unknown name, no network, a wrong checksum, an unwritable cache; it says
            what to do by hand.
    """
    row = published.find(name)
    part, waited = cache_dir() / f"{row.file}.part", False

    def waiting() -> None:
        nonlocal waited
        waited = True
        on_wait()

    try:
        part.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(part.parent, error) from error
    with locked(part.with_name(f"{part.name}.lock"), waiting):
        brought = cached(row.architecture)
        if waited and brought.exists() and stored_source(brought) == row.source:
            return brought
        return _fetch(row, part, on_progress or (lambda _done, _total: None), timeout_s)


def _fetch(row: KnownFile, part: Path, on_progress: Progress, timeout_s: float) -> Path:
    """The same, with the .part all to ourselves."""
    try:
        with _network_errors(row, part):
            _download(row, part, on_progress, timeout_s)
    except OSError as error:
        raise unwritable(part.parent, error) from error
    digests = file_digests(part)
    if not row.matches(digests):
        part.unlink()
        given = digests[row.algorithm]
        raise WeightsError(
            f"{row.url}: the download's {row.algorithm} is {given}, not {row.digits}",
            "nothing was kept",
            _by_hand(row),
        )
    target = add(part)
    part.unlink()
    return target
