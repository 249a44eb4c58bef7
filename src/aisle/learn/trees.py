"""A LightGBM model as ONNX, exactly.

LightGBM compares float64 thresholds; the graph compares float32. Features are
float32, so rounding a threshold down to the next float32 leaves every
comparison as it was; plain rounding, which converters do, flips some.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import lightgbm

INPUT, OUTPUT = "features", "score"


def write_onnx(booster: lightgbm.Booster, file: Path) -> None:
    """Write float32[n, n_features] `features` → float32[n, 1] `score`, the raw score of the booster.

    Raises ValueError for a model with categorical splits or missing values.
    """
    import onnx
    from onnx import TensorProto, helper

    model = booster.dump_model()
    nodes: dict[str, list[Any]] = {
        name: []
        for name in (
            "treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids",
            "missing_value_tracks_true", "hitrates",
        )
    }  # fmt: skip
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    for number, tree in enumerate(model["tree_info"]):
        _walk(tree["tree_structure"], number, nodes, leaves, [0])
    attributes: dict[str, Any] = {f"nodes_{name}": values for name, values in nodes.items()}
    attributes |= {f"target_{name}": values for name, values in leaves.items()}
    node = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        [OUTPUT],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="SUM",
        post_transform="NONE",
        **attributes,
    )
    graph = helper.make_graph(
        [node],
        "ranking",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, booster.num_feature()])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(file))


def _walk(
    part: dict[str, Any], tree: int, nodes: dict[str, list[Any]], leaves: dict[str, list[Any]], free: list[int]
) -> int:
    """Add a node and all below it; the number it gets. `free` holds the next one."""
    number = free[0]
    free[0] += 1
    at = len(nodes["nodeids"])
    row = {"treeids": tree, "nodeids": number, "featureids": 0, "values": 0.0, "modes": "LEAF", "truenodeids": 0,
           "falsenodeids": 0, "missing_value_tracks_true": 0, "hitrates": 1.0}  # fmt: skip
    for name, value in row.items():
        nodes[name].append(value)
    if "split_feature" not in part:
        for name, value in (("treeids", tree), ("nodeids", number), ("ids", 0), ("weights", part["leaf_value"])):
            leaves[name].append(value)
        return number
    if part["decision_type"] != "<=" or part["missing_type"] != "None":
        raise ValueError("only splits of numbers, without missing ones, can be written")
    nodes["featureids"][at] = part["split_feature"]
    nodes["values"][at] = _down(part["threshold"])
    nodes["modes"][at] = "BRANCH_LEQ"
    nodes["truenodeids"][at] = _walk(part["left_child"], tree, nodes, leaves, free)
    nodes["falsenodeids"][at] = _walk(part["right_child"], tree, nodes, leaves, free)
    return number


def _down(threshold: float) -> float:
    """The largest float32 that is not above."""
    rounded = np.float32(threshold)
    if float(rounded) > threshold:
        rounded = np.nextafter(rounded, np.float32(-np.inf), dtype=np.float32)
    return float(rounded)
