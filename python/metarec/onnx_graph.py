"""Building ONNX models. Needs onnx: `pip install metarec[onnx]`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from metarec._metarec import __version__
from metarec.errors import MissingDependencyError

#: What ONNX Runtime 1.14 and newer reads.
OPSET, IR_VERSION = 17, 8


class OnnxGraph:
    """A graph that grows node by node; values are known by their names."""

    def __init__(self, extra: str = "onnx") -> None:
        try:
            import onnx
        except ImportError as error:
            raise MissingDependencyError(
                f"this needs onnx: pip install metarec[{extra}]"
            ) from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._weights: dict[str, Any] = {}

    def input(self, name: str, dtype: DTypeLike, shape: Sequence[int | str]) -> str:
        """Add an input; a str is a size that a call brings."""
        self._inputs.append(self._described(name, dtype, shape))
        return name

    def weight(self, name: str, value: ArrayLike, *, replaceable: bool = False) -> str:
        """Add a constant; a replaceable one is an input too, whose default it is."""
        array = np.ascontiguousarray(value)
        if name not in self._weights:
            self._weights[name] = self._onnx.numpy_helper.from_array(array, name)
            if replaceable:
                self.input(name, array.dtype, array.shape)
        return name

    def node(
        self, kind: str, *operands: str | NDArray[Any] | np.generic, name: str = "", **options: Any
    ) -> str:
        """Add an operation and return its value's name; arrays among the operands are constants."""
        name = name or f"v{len(self._nodes)}"
        names = [
            each if isinstance(each, str) else self.weight(f"{name}.{place}", each)
            for place, each in enumerate(operands)
        ]
        self._nodes.append(self._onnx.helper.make_node(kind, names, [name], **options))
        return name

    def model(
        self,
        output: tuple[str, DTypeLike, Sequence[int | str]],
        metadata: Mapping[str, str] | None = None,
    ) -> bytes:
        """Return the checked model, as a file has it."""
        helper = self._onnx.helper
        graph = helper.make_graph(
            self._nodes,
            "metarec",
            self._inputs,
            [self._described(*output)],
            list(self._weights.values()),
        )
        model = helper.make_model(
            graph,
            producer_name="metarec",
            producer_version=__version__,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        helper.set_model_props(model, dict(metadata or {}))
        self._onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())

    def _described(self, name: str, dtype: DTypeLike, shape: Sequence[int | str]) -> Any:
        kind = self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self._onnx.helper.make_tensor_value_info(name, kind, list(shape))
