"""The modes that impasto computes in, whatever those of the program around it are.

PyTorch and numpy have modes that change what a line of code does: what is recorded for gradients,
in which precision, on which device, what a rounding error raises. A host program's are its own:
inside impasto's work they would be errors, or other bytes under the same recipe. All that is
changed here is the calling thread's, and put back. PyTorch's default dtype is the whole process's,
so it is left alone, and every tensor is made with a dtype that is named.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from typing import TypeVar

import numpy as np
import torch

T = TypeVar("T")

AUTOCAST_DEVICES = ("cpu", "cuda", "mps")


@contextmanager
def own_modes() -> Iterator[None]:
    """Compute as impasto does: with gradients, in the types that tensors have, on the CPU if no
    device is named, and with numpy's usual warnings. For a ``with``, or to decorate a function.

    What the body calls back, such as a listener, runs in these modes too: leave them first.
    """
    computes_in()
    compute_alone_after_fork()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for kind in AUTOCAST_DEVICES:
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":  # a mode of torch's costs time at every call
            stack.enter_context(torch.device("cpu"))
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        yield


def made_in_own_modes(items: Iterator[T]) -> Iterator[T]:
    """The items, each made in `own_modes`; while the consumer has one, its own are in force."""
    while True:
        with own_modes():
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


@cache
def computes_in() -> int:
    """The process that has computed first: this one, or one that this one was forked from."""
    return os.getpid()


def was_forked() -> bool:
    """Whether this process was forked from one that had computed: it can have one thread only."""
    return computes_in() != os.getpid()


@cache
def compute_alone_after_fork() -> None:
    """Have processes that are forked from this one, now that it computes, do so in one thread.

    OpenMP's threads do not survive a fork, but GNU's library waits for them all the same: the
    child's first parallel loop would never end. PyTorch's own data loader does likewise.
    """
    if hasattr(os, "register_at_fork"):  # Windows has no forks
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
