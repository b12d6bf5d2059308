"""The systems that are measured, each in a process of its own.

A peer is a class with `name`, `package` (None, or what must be installed), and

    prepare(workload, algorithm)    the training state, from the workload's parameters
    gradient(batch_number)          the meta-gradient by metarec's names: the check
    gradients(count)                so many meta-gradients, batch after batch, no optimizer
    steps(count)                    so many whole outer steps, with the peer's own Adam
    adapt(...)                      one user: adaptation, and the scores of candidates

`count` is a multiple of `workload.BLOCK`. A peer that does not do an algorithm says so by
`supports`.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from workload import Algorithm, Parameters, Workload


class Peer(Protocol):
    """What the worker calls."""

    name: str

    def supports(self, algorithm: Algorithm) -> bool: ...
    def prepare(self, workload: Workload, algorithm: Algorithm) -> None: ...
    def gradient(self, number: int) -> Parameters: ...
    def gradients(self, count: int) -> None: ...
    def steps(self, count: int) -> None: ...


#: Module, class, and the package that it needs.
PEERS = {
    "metarec": ("peers.metarec_", "Metarec", "metarec"),
    "JAX": ("peers.jax_vmap", "JaxVmap", "jax"),
    "torch.func vmap": ("peers.torch_vmap", "TorchVmap", "torch"),
    "PyTorch loop": ("peers.torch_loop", "TorchLoop", "torch"),
    "NumPy by hand": ("peers.numpy_hand", "NumpyByHand", "numpy"),
}


def available() -> tuple[list[str], list[str]]:
    """Names of the systems that can run here, and of those that cannot."""
    there = [name for name, (_, _, package) in PEERS.items() if find_spec(package)]
    return there, [name for name in PEERS if name not in there]


def create(name: str, threads: int) -> Any:
    """Import the system and return it."""
    module, kind, _ = PEERS[name]
    return getattr(import_module(module), kind)(threads)
