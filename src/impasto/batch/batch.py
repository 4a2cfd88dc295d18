"""The whole of a batch: what is there is left alone, the rest is made, and all of it recorded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress

from impasto.batch.crew import Crew, Event
from impasto.batch.orders import Piece
from impasto.batch.record import Record
from impasto.batch.there import Ledger, difference
from impasto.errors import ImpastoError, PictureError

QUEUE = ".impasto-batch"  # in the results' folder: what is on its way
LEDGER = ".impasto-batch.json"  # likewise: what results without recipes were made from


def of_this_machine(_: str) -> str:
    """The device is found out here."""
    return ""


def missing(
    found: Sequence[Piece],
    record: Record,
    *,
    overwrite: bool = False,
    device: Callable[[str], str] = of_this_machine,
) -> list[int]:
    """The numbers of the pieces that are yet to be made; the others are recorded.

    Args:
        found: all of a batch.
        record: of it.
        overwrite: whether what was made from others is made anew.
        device: that a setting means, where other machines do the work.

    Raises:
        PictureError: something is there that was made from others, and is not to be overwritten.
    """
    left, ledger = list[int](), Ledger(record.folder / LEDGER)
    others: list[tuple[Piece, str]] = []
    for number, piece in enumerate(found):
        differs = None
        with suppress(ImpastoError):  # an input that can't be read: its turn will tell
            differs = difference(piece.order, device(piece.order.config.device))
            if differs and not piece.order.recipe and ledger.knows(piece.order):
                differs = ""
        if differs:
            others.append((piece, differs))
        if differs == "":
            record.was_there(number)
        else:
            left.append(number)
    if others and not overwrite:
        piece, why = others[0]
        more = f", and {len(others) - 1} more" if len(others) > 1 else ""
        given = f"{piece.order.target} is there and is another picture: {why}{more}"
        raise PictureError(given, "", "add `overwrite`, or choose another folder")
    return left


def batch(
    found: Sequence[Piece], left: Sequence[int], crew: Crew, record: Record
) -> Generator[Event, None, None]:
    """Make what is missing, and yield all that happens; the table is written as it goes.

    Args:
        found: all of a batch.
        left: the numbers of those that are to be made.
        crew: whoever makes them.
        record: of the batch.

    Raises:
        ImpastoError: nothing can be done at all, or the table can't be written.
    """
    record.write()
    orders = [found[number].order for number in left]
    if unsigned := [order for order in orders if not order.recipe]:
        Ledger(record.folder / LEDGER).expect(unsigned)
    try:
        with closing(crew.work(orders)) as events:
            for event in events:
                number = left[event.number]
                record.heard(number, event.state)
                if event.state.ended:
                    with suppress(PictureError):  # told at the end, if it still holds
                        record.write(at_once=False)
                yield Event(number, event.state)
    finally:
        record.rest()
        with suppress(PictureError):
            record.write()
