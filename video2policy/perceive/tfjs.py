"""Run a TensorFlow.js graph model with torch: the operations of a convolutional detector, nothing more.

A graph model is a JSON file (nodes in TensorFlow's GraphDef form, a manifest of weights) and a binary file
with the weights. Tensors keep TensorFlow's layout (batch, rows, columns, channels), so that broadcasting
means here what it means there; torch sees a convolution's input as a channels-last view of the same memory.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

Node = Mapping[str, Any]


class GraphError(Exception):
    """A graph that cannot be read or run, in one sentence."""


# ------------------------------------------------------------------------------------------ attributes


def text_attribute(node: Node, name: str, default: str = "") -> str:
    """A string attribute; JSON has it in base64."""
    value = node.get("attr", {}).get(name)
    return base64.b64decode(value["s"]).decode() if value else default


def texts_attribute(node: Node, name: str) -> list[str]:
    """A list of strings."""
    value = node.get("attr", {}).get(name, {})
    return [base64.b64decode(v).decode() for v in value.get("list", {}).get("s", ())]


def sizes_attribute(node: Node, name: str) -> tuple[int, int]:
    """Rows and columns of a list [batch, rows, columns, channels]; (1, 1) where it is left out."""
    value = node.get("attr", {}).get(name, {}).get("list", {}).get("i")
    return (int(value[1]), int(value[2])) if value else (1, 1)


def flag_attribute(node: Node, name: str) -> bool:
    return bool(node.get("attr", {}).get(name, {}).get("b", False))


# ------------------------------------------------------------------------------------------ operations


def pad_same(x: Tensor, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Tensor:
    """TensorFlow's "SAME" padding of x (n, c, rows, columns): an odd pixel goes below and to the right."""
    pads: list[int] = []
    for size, k, stride, dilation in zip(x.shape[2:], kernel, strides, dilations, strict=True):
        reach = (-(-size // stride) - 1) * stride + (k - 1) * dilation + 1
        total = max(reach - size, 0)
        pads = [total // 2, total - total // 2, *pads]
    return functional.pad(x, pads) if any(pads) else x


def convolution(node: Node, inputs: Sequence[Tensor], depthwise: bool) -> Tensor:
    """Convolution with what TensorFlow fuses into it: bias, then ReLU or ReLU6.

    x (n, rows, columns, c); weights (kh, kw, c, out), depthwise (kh, kw, c, multiplier).
    """
    if text_attribute(node, "data_format", "NHWC") != "NHWC":
        raise GraphError(f"{node['name']}: only the layout NHWC is known")
    x, weights = inputs[0].permute(0, 3, 1, 2), inputs[1]
    rows, columns, channels, out = weights.shape
    if depthwise:
        weights = weights.permute(2, 3, 0, 1).reshape(channels * out, 1, rows, columns)
    else:
        weights = weights.permute(3, 2, 0, 1)
    strides, dilations = sizes_attribute(node, "strides"), sizes_attribute(node, "dilations")
    padding = text_attribute(node, "padding", "VALID")
    if padding not in ("SAME", "VALID"):
        raise GraphError(f"{node['name']}: padding {padding} is not known")
    if padding == "SAME":
        x = pad_same(x, (rows, columns), strides, dilations)
    groups = channels if depthwise else 1
    y = functional.conv2d(x, weights, None, strides, 0, dilations, groups).permute(0, 2, 3, 1)
    for fused in texts_attribute(node, "fused_ops"):
        if fused == "BiasAdd":
            y = y + inputs[2]
        elif fused == "Relu":
            y = functional.relu(y)
        elif fused == "Relu6":
            y = functional.relu6(y)
        else:
            raise GraphError(f"{node['name']}: the fused operation {fused} is not known")
    return y


def resize_bilinear(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """Bilinear resizing to inputs[1] = (rows, columns), with TensorFlow's three ways to place samples."""
    x, (rows, columns) = inputs[0], (int(v) for v in inputs[1])
    if flag_attribute(node, "align_corners") or flag_attribute(node, "half_pixel_centers"):
        moved = functional.interpolate(
            x.permute(0, 3, 1, 2),
            size=(rows, columns),
            mode="bilinear",
            align_corners=flag_attribute(node, "align_corners"),
        )
        return moved.permute(0, 2, 3, 1)
    # TensorFlow 1: sample i stands at i * input / output, which torch does not offer.
    for dim, size in ((1, rows), (2, columns)):
        have = x.shape[dim]
        place = torch.arange(size, dtype=torch.float32) * (have / size)
        low = place.floor().long().clamp(max=have - 1)
        high = (low + 1).clamp(max=have - 1)
        shape = [1, 1, 1, 1]
        shape[dim] = size
        share = (place - low).reshape(shape)
        x = x.index_select(dim, low) * (1 - share) + x.index_select(dim, high) * share
    return x


def mean(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    dims = [int(v) for v in inputs[1].reshape(-1)]
    return inputs[0].mean(dims, keepdim=flag_attribute(node, "keep_dims"))


Operation = Callable[[Node, Sequence[Tensor]], Tensor]

OPERATIONS: dict[str, Operation] = {
    "Add": lambda node, x: x[0] + x[1],
    "AddV2": lambda node, x: x[0] + x[1],
    "ConcatV2": lambda node, x: torch.cat(list(x[:-1]), int(x[-1])),
    "Conv2D": lambda node, x: convolution(node, x, depthwise=False),
    "_FusedConv2D": lambda node, x: convolution(node, x, depthwise=False),
    "DepthwiseConv2dNative": lambda node, x: convolution(node, x, depthwise=True),
    "FusedDepthwiseConv2dNative": lambda node, x: convolution(node, x, depthwise=True),
    "Identity": lambda node, x: x[0],
    "Mean": mean,
    "Mul": lambda node, x: x[0] * x[1],
    "Relu": lambda node, x: functional.relu(x[0]),
    "Relu6": lambda node, x: functional.relu6(x[0]),
    "ResizeBilinear": resize_bilinear,
    "Sigmoid": lambda node, x: torch.sigmoid(x[0]),
    "Sub": lambda node, x: x[0] - x[1],
}


# ----------------------------------------------------------------------------------------------- model


class GraphModel:
    """A graph with one image input, run up to the nodes that are asked for."""

    def __init__(self, nodes: Sequence[Node], weights: Mapping[str, Tensor], outputs: Sequence[str]) -> None:
        """``outputs``: the nodes whose values a call returns.

        Raises:
            GraphError: for a node that is not there, an operation that is not known, or a cycle.
        """
        self.nodes = {str(node["name"]): node for node in nodes}
        self.weights = dict(weights)
        self.outputs = tuple(outputs)
        self.steps = self._ordered()

    @classmethod
    def load(cls, topology: Path, binary: Path, outputs: Sequence[str]) -> GraphModel:
        """Read a model's two files. Raises GraphError when they are no graph model."""
        try:
            model = json.loads(topology.read_text())
            nodes = model["modelTopology"]["node"]
            entries = [entry for group in model["weightsManifest"] for entry in group["weights"]]
        except (ValueError, KeyError, TypeError) as error:
            raise GraphError(f"{topology.name} is no TensorFlow.js graph model: {error!r}") from None
        return cls(nodes, read_weights(entries, binary.read_bytes()), outputs)

    def _ordered(self) -> list[Node]:
        """The nodes that the outputs need, each after what it needs itself."""
        done: set[str] = set()
        steps: list[Node] = []
        todo = [(name, False) for name in reversed(self.outputs)]
        open_nodes: set[str] = set()
        while todo:
            name, ready = todo.pop()
            if name in done:
                continue
            node = self.nodes.get(name)
            if node is None:
                raise GraphError(f"the graph has no node {name}")
            if ready:
                done.add(name)
                steps.append(node)
                continue
            if name in open_nodes:
                raise GraphError(f"the graph runs in a circle at {name}")
            open_nodes.add(name)
            if node["op"] not in OPERATIONS and node["op"] not in ("Const", "Placeholder"):
                raise GraphError(f"{name}: the operation {node['op']} is not known")
            if node["op"] == "Const" and name not in self.weights:
                raise GraphError(f"the weights of {name} are missing")
            todo.append((name, True))
            todo += [(source, False) for source in sources(node) if source not in done]
        return steps

    @torch.inference_mode()
    def __call__(self, image: Tensor) -> list[Tensor]:
        """Values of the outputs. image: (n, rows, columns, channels) float32, as the placeholder takes it."""
        values: dict[str, Tensor] = {}
        for node in self.steps:
            name = str(node["name"])
            if node["op"] == "Const":
                values[name] = self.weights[name]
            elif node["op"] == "Placeholder":
                values[name] = image
            else:
                values[name] = OPERATIONS[node["op"]](node, [values[s] for s in sources(node)])
        return [values[name] for name in self.outputs]


def sources(node: Node) -> list[str]:
    """Names of the nodes whose first output a node reads."""
    return [name.split(":")[0] for name in node.get("input", ()) if not name.startswith("^")]


def read_weights(entries: Sequence[Mapping[str, Any]], data: bytes) -> dict[str, Tensor]:
    """Tensors by name, one after another in ``data`` as the manifest's entries have them.

    Raises:
        GraphError: for a type or quantization that is not known, or data of another length.
    """
    weights: dict[str, Tensor] = {}
    offset = 0
    for entry in entries:
        stored = entry.get("quantization", {}).get("dtype", entry["dtype"])
        if stored not in ("float16", "float32", "int32"):
            raise GraphError(f"the weights {entry['name']} are stored as {stored}, which is not known")
        count = int(np.prod(entry["shape"], dtype=np.int64))
        size = count * np.dtype(stored).itemsize
        if offset + size > len(data):
            raise GraphError("the weights end too early; the file is not complete")
        values = np.frombuffer(data, np.dtype(stored).newbyteorder("<"), count, offset)
        offset += size
        target = np.int32 if entry["dtype"] == "int32" else np.float32
        weights[entry["name"]] = torch.from_numpy(values.astype(target).reshape(entry["shape"]))
    if offset != len(data):
        raise GraphError("the weights are longer than their manifest says")
    return weights
