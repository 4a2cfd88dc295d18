"""A cluster: connected to, its nodes' versions checked, and what they have."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from impasto.cluster.extra import ABOVE_ALL, ray_module, silence
from impasto.cluster.line import Board
from impasto.cluster.probe import probed
from impasto.cluster.versions import asking, check, versions
from impasto.errors import ClusterError, ImpastoError, printable

# Until every node has answered: the first process of a job on a node takes 1 s to 3 s to start,
# and as long again to import PyTorch; from a network's drive much longer.
ANSWER_S = 120.0
# Of a node that Ray does not know any more, or that not all of it knows yet: it comes and goes.
AGAIN_S = 1.0
TRIES = 3


@dataclass(frozen=True)
class Needs:
    """What a task takes of a node, as Ray's resources.

    Attributes:
        cpus: as many as it has threads.
        gpus: likewise.
        memory_bytes: 0 is not said.
    """

    cpus: int = 1
    gpus: int = 0
    memory_bytes: int = 0


@dataclass(frozen=True)
class Node:
    """A machine of the cluster.

    Attributes:
        id: Ray's.
        name: its address, for people.
        cpus, gpus, memory_bytes: that it has, at work or not.
    """

    id: str
    name: str
    cpus: int
    gpus: int
    memory_bytes: int

    def takes(self, needs: Needs) -> int:
        """How many tasks at once."""
        found = [self.cpus // max(1, needs.cpus)]
        if needs.gpus:
            found.append(self.gpus // needs.gpus)
        if needs.memory_bytes:
            found.append(self.memory_bytes // needs.memory_bytes)
        return min(found)


class Session:
    """A cluster, as long as the context lasts; a process has one at a time.

    Args:
        address: HOST:PORT, or ``auto`` for the one that this machine is a part of.

    Attributes:
        address: HOST:PORT.
        ray: the module.
        board: the actor that tasks talk to, a `Board`.

    Raises:
        ClusterError: when entered, that Ray is not installed, nobody answers there, or it is of
            another version.
    """

    def __init__(self, address: str) -> None:
        self.given = self.address = address
        self.ray: Any = None
        self.board: Any = None

    def __enter__(self) -> Self:
        self.address = probed(self.given)
        self.ray = ray_module()
        try:
            with silence():
                self.ray.init(address=self.address, log_to_driver=False, logging_level=ABOVE_ALL)
                self.board = self._hung_up()
        except Exception as error:
            self.close()
            raise ClusterError(f"`cluster` {self.given}: {first_line(error)}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; what still runs of ours there ends."""
        with suppress(Exception), silence():
            self.ray.shutdown()

    def _hung_up(self) -> Any:
        """The board, on this machine: no other node's death is its own."""
        here = self.ray.get_runtime_context().get_node_id()
        options = {"num_cpus": 0, "max_restarts": -1, "scheduling_strategy": self.on(here)}
        return self.ray.remote(Board).options(**options).remote()

    def on(self, node: str) -> Any:
        """Ray's word for a node, by its id, and no other."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=False)

    def nodes(self) -> list[Node]:
        """The machines that are alive."""
        return [
            Node(
                each["NodeID"],
                each["NodeManagerAddress"],
                math.floor(each["Resources"].get("CPU", 0)),
                math.floor(each["Resources"].get("GPU", 0)),
                math.floor(each["Resources"].get("memory", 0)),
            )
            for each in self.ray.nodes()
            if each["Alive"]
        ]

    def has_gpus(self) -> bool:
        """Whether any node has one."""
        return any(node.gpus for node in self.nodes())

    def at_once(self, needs: Needs) -> int:
        """How many tasks of these needs all nodes take."""
        return sum(node.takes(needs) for node in self.nodes())

    def takers(self, needs: Needs) -> list[Node]:
        """The nodes that take such tasks.

        Raises:
            ClusterError: there is none.
        """
        nodes = self.nodes()
        takers = [node for node in nodes if node.takes(needs)]
        if not takers:
            raise ClusterError(*wanting(nodes, needs))
        return takers

    def ask(
        self, nodes: Sequence[Node], work: Callable[..., Any], *words: Any
    ) -> list[tuple[Node, Any]]:
        """Call a function on every node at once; what each returns. One that has gone is left out.

        Raises:
            ClusterError: one does not answer, or can't do it.
        """
        answers: list[tuple[Node, Any]] = []
        left = list(nodes)
        for attempt in range(TRIES):
            if left and attempt:
                time.sleep(AGAIN_S)
                alive = {node.id for node in self.nodes()}
                left = [node for node in left if node.id in alive]
            left = self._asked(left, work, words, answers)
        return answers

    def _asked(
        self,
        nodes: Sequence[Node],
        work: Callable[..., Any],
        words: tuple[Any, ...],
        answers: list[tuple[Node, Any]],
    ) -> list[Node]:
        """Ask each once, and add what it answers; those that Ray does not reach."""
        from ray import exceptions

        remote = self.ray.remote(work).options
        asked = [
            remote(num_cpus=0, max_retries=0, scheduling_strategy=self.on(node.id)).remote(*words)
            for node in nodes
        ]
        if not asked:
            return []
        unreached = (exceptions.TaskUnschedulableError, exceptions.WorkerCrashedError)
        done, _ = self.ray.wait(asked, num_returns=len(asked), timeout=ANSWER_S)
        gone = []
        for node, each in zip(nodes, asked, strict=True):
            if each not in done:
                given = f"node {node.name} has not answered in {ANSWER_S:.0f} s"
                raise ClusterError(given, "", "see `ray status`")
            try:
                answers.append((node, self.ray.get(each)))
            except unreached:
                gone.append(node)
            except Exception as error:
                raise ClusterError(f"node {node.name}: {first_line(error)}") from error
        return gone

    def check_versions(self, nodes: Sequence[Node]) -> None:
        """Make sure that nodes have what this machine has.

        Raises:
            ClusterError: one has another impasto, or another package that bytes depend on.
        """
        here = versions()
        for node, there in self.ask(nodes, asking()):
            check(node.name, there, here)


def wanting(nodes: Sequence[Node], needs: Needs) -> tuple[str, str, str]:
    """What no node has enough of: the parts of an error."""
    gpus = [node for node in nodes if node.gpus >= needs.gpus]
    if not gpus:
        return "no node of the cluster has a GPU", "", "set `device` to cpu"
    cpus = max(node.cpus for node in gpus)
    if cpus < needs.cpus:
        given = f"no node of the cluster has {needs.cpus} CPUs, one for each thread of a picture"
        return given, f"allowed: up to {cpus}", "set `threads`"
    given = f"no node of the cluster has {needs.memory_bytes / 1e9:.1f} GB of memory"
    return given, "", "a smaller `size` needs less"


def first_line(error: BaseException) -> str:
    """What an error of Ray's says, without its colours and its tracebacks."""
    cause = getattr(error, "cause", None)  # of a RayTaskError: what the task has raised
    error = cause if isinstance(cause, BaseException) else error
    if isinstance(error, ImpastoError):
        return str(error)
    lines = str(error).strip().splitlines()
    return printable(f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__)
