"""The graph interpreter against plain loops over numpy arrays, and what it refuses."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from video2policy.perceive.tfjs import OPERATIONS, GraphError, GraphModel, read_weights


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def convolution_node(op: str, padding: str, stride: int, dilation: int, fused: tuple[str, ...] = ()) -> dict:
    def sizes(v: int) -> dict[str, Any]:
        return {"list": {"i": ["1", str(v), str(v), "1"]}}

    return {
        "name": "conv",
        "op": op,
        "attr": {
            "padding": text(padding),
            "strides": sizes(stride),
            "dilations": sizes(dilation),
            "data_format": text("NHWC"),
            "fused_ops": {"list": {"s": [text(f)["s"] for f in fused]}},
        },
    }


def slow_convolution(
    x: np.ndarray, w: np.ndarray, padding: str, stride: int, dilation: int, depthwise: bool
) -> np.ndarray:
    """TensorFlow's definition, one output at a time. x (rows, columns, c); w (kh, kw, c, out)."""
    kh, kw, channels, out = w.shape
    reach = (dilation * (kh - 1) + 1, dilation * (kw - 1) + 1)
    if padding == "SAME":
        shape = tuple(-(-n // stride) for n in x.shape[:2])
        total = [max((m - 1) * stride + r - n, 0) for m, r, n in zip(shape, reach, x.shape[:2], strict=True)]
        x = np.pad(x, [*[(t // 2, t - t // 2) for t in total], (0, 0)])
    else:
        shape = tuple((n - r) // stride + 1 for n, r in zip(x.shape[:2], reach, strict=True))
    y = np.zeros((*shape, channels * out if depthwise else out))
    for i in range(shape[0]):
        for j in range(shape[1]):
            top, left = i * stride, j * stride
            patch = x[top : top + reach[0] : dilation, left : left + reach[1] : dilation]
            product = patch[..., None] * w
            y[i, j] = product.sum((0, 1)).ravel() if depthwise else product.sum((0, 1, 2))
    return y


@settings(max_examples=40)
@given(
    st.integers(3, 9), st.integers(3, 9), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2]),
    st.sampled_from(["SAME", "VALID"]), st.booleans(), st.sampled_from([1, 2, 3]), st.integers(0, 99),
)  # fmt: skip
def test_convolutions(
    rows: int, columns: int, stride: int, dilation: int, padding: str, depthwise: bool, kernel: int, seed: int
) -> None:
    reach = dilation * (kernel - 1) + 1
    if padding == "VALID" and reach > min(rows, columns):
        return
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(rows, columns, 2)), rng.normal(size=(kernel, kernel, 2, 3))
    op = "DepthwiseConv2dNative" if depthwise else "Conv2D"
    node = convolution_node(op, padding, stride, dilation)
    y = OPERATIONS[op](node, [torch.from_numpy(x)[None], torch.from_numpy(w)])[0].numpy()
    np.testing.assert_allclose(y, slow_convolution(x, w, padding, stride, dilation, depthwise), atol=1e-9)


@pytest.mark.parametrize(
    ("fused", "least", "most"),
    [(("BiasAdd",), -np.inf, np.inf), (("BiasAdd", "Relu"), 0, np.inf), (("BiasAdd", "Relu6"), 0, 6)],
)
def test_what_is_fused_into_a_convolution(fused: tuple[str, ...], least: float, most: float) -> None:
    x = torch.linspace(-9, 9, 12).reshape(1, 3, 4, 1)
    inputs = [x, torch.ones(1, 1, 1, 2), torch.tensor([1.0, -1.0])]
    y = OPERATIONS["_FusedConv2D"](convolution_node("_FusedConv2D", "SAME", 1, 1, fused), inputs)
    assert torch.equal(y, (torch.cat([x + 1, x - 1], -1)).clamp(least, most))


def test_what_is_not_known_is_refused() -> None:
    inputs = [torch.ones(1, 3, 3, 1), torch.ones(1, 1, 1, 1)]
    with pytest.raises(GraphError, match="fused operation Elu"):
        OPERATIONS["_FusedConv2D"](convolution_node("_FusedConv2D", "SAME", 1, 1, ("Elu",)), inputs)
    with pytest.raises(GraphError, match="padding EXPLICIT"):
        OPERATIONS["Conv2D"](convolution_node("Conv2D", "EXPLICIT", 1, 1), inputs)


@pytest.mark.parametrize(("have", "want"), [((4, 5), (8, 10)), ((3, 3), (7, 5)), ((6, 4), (3, 4))])
def test_old_tensorflow_resizing(have: tuple[int, int], want: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=(1, *have, 2)).astype(np.float32)
    y = OPERATIONS["ResizeBilinear"]({"name": "r"}, [torch.from_numpy(x), torch.tensor(want)])[0].numpy()
    for i in range(want[0]):
        for j in range(want[1]):
            r, c = i * have[0] / want[0], j * have[1] / want[1]
            r0, c0 = int(r), int(c)
            r1, c1 = min(r0 + 1, have[0] - 1), min(c0 + 1, have[1] - 1)
            top = x[0, r0, c0] * (1 - c + c0) + x[0, r0, c1] * (c - c0)
            bottom = x[0, r1, c0] * (1 - c + c0) + x[0, r1, c1] * (c - c0)
            np.testing.assert_allclose(y[i, j], top * (1 - r + r0) + bottom * (r - r0), atol=1e-5)


def test_resizing_with_corners_aligned() -> None:
    x = torch.arange(4.0).reshape(1, 2, 2, 1)
    node = {"name": "r", "attr": {"align_corners": {"b": True}}}
    y = OPERATIONS["ResizeBilinear"](node, [x, torch.tensor([3, 3])])[0, :, :, 0]
    assert torch.allclose(y, torch.tensor([[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]))


def test_mean_and_concatenation() -> None:
    x = torch.arange(12.0).reshape(1, 2, 3, 2)
    node = {"name": "m", "attr": {"keep_dims": {"b": True}}}
    assert OPERATIONS["Mean"](node, [x, torch.tensor([1, 2])]).flatten().tolist() == [5.0, 6.0]
    assert OPERATIONS["ConcatV2"]({"name": "c"}, [x, x, torch.tensor(3)]).shape == (1, 2, 3, 4)


def graph(*nodes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": "image", "op": "Placeholder"}, *nodes]


def test_a_graph_runs_in_the_order_of_need() -> None:
    nodes = graph(
        {"name": "sum", "op": "Add", "input": ["twice", "one"]},
        {"name": "twice", "op": "Mul", "input": ["image:0", "two"]},
        {"name": "one", "op": "Const"},
        {"name": "two", "op": "Const"},
        {"name": "never", "op": "NonMaxSuppression", "input": ["sum"]},
    )
    model = GraphModel(nodes, {"one": torch.tensor(1.0), "two": torch.tensor(2.0)}, ("sum", "twice"))
    total, twice = model(torch.tensor([3.0]))
    assert (float(total), float(twice)) == (7.0, 6.0)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([{"name": "out", "op": "TopKV2", "input": ["image"]}], "TopKV2 is not known"),
        ([{"name": "out", "op": "Relu", "input": ["nowhere"]}], "no node nowhere"),
        ([{"name": "out", "op": "Relu", "input": ["out"]}], "circle"),
        ([{"name": "out", "op": "Const"}], "weights of out are missing"),
    ],
)
def test_graphs_that_cannot_run(nodes: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(GraphError, match=message):
        GraphModel(graph(*nodes), {}, ("out",))


def test_weights_are_read_one_after_another(tmp_path: Path) -> None:
    half = {"name": "w", "shape": [2], "dtype": "float32", "quantization": {"dtype": "float16"}}
    entries = [half, {"name": "n", "shape": [], "dtype": "int32"}]
    data = np.array([0.5, -2], np.float16).tobytes() + np.array(7, np.int32).tobytes()
    weights = read_weights(entries, data)
    assert weights["w"].tolist() == [0.5, -2.0] and weights["w"].dtype == torch.float32
    assert int(weights["n"]) == 7
    with pytest.raises(GraphError, match="end too early"):
        read_weights(entries, data[:-1])
    with pytest.raises(GraphError, match="longer"):
        read_weights(entries, data + b"\0")
    with pytest.raises(GraphError, match="uint8, which is not known"):
        read_weights(
            [{"name": "q", "shape": [1], "dtype": "float32", "quantization": {"dtype": "uint8"}}], b"0"
        )
    (tmp_path / "m.json").write_text(json.dumps({"format": "layers-model"}))
    (tmp_path / "m.bin").write_bytes(b"")
    with pytest.raises(GraphError, match="no TensorFlow"):
        GraphModel.load(tmp_path / "m.json", tmp_path / "m.bin", ("out",))
