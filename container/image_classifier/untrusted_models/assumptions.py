"""Assumptions about a SavedModel without a complete model info: its image size and its pixel scaling."""

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from image_classifier import artifacts
from image_classifier.artifacts import LARGEST_SIDE, ModelInfo
from image_classifier.untrusted_models import operations

Size = tuple[int, int]


def complete(folder: Path, info: ModelInfo, known: Collection[str] = ()) -> tuple[ModelInfo, str | None]:
    """Return a model info completed with the size that the SavedModel declares, and a warning about assumptions.

    `info` is the result of `artifacts.read_model_info`, whose recorded values are kept; `known` are keys whose values
    the caller supplies.

    Raises:
        UserError: There is no SavedModel, or it cannot be read.
    """
    lacking = [key for key in artifacts.unrecorded(folder) if key not in known]
    if not lacking:
        return info, None
    declared = declared_size(artifacts.saved_model_folder(folder)) if "image_size" in lacking else None
    info = replace(info, image_size=declared or info.image_size)
    height, width = info.image_size
    used = []
    if "image_size" in lacking:
        used.append(f"images of {height}x{width} pixels ({'from its signature' if declared else 'assumed'})")
    if "pixel_scaling_method" in lacking:
        used.append(f"pixel_scaling_method {info.pixel_scaling_method} (assumed)")
    return info, (
        f"WARNING: No model info in {folder} records {' and '.join(lacking)}; using {', '.join(used)}. If the model "
        f'needs other values, add a {artifacts.MODEL_INFO_FILE}: {{"image_size": [{height}, {width}], '
        f'"pixel_scaling_method": "{info.pixel_scaling_method}"}}, or stage it with scripts/stage-backbone '
        "--image-size HxW --pixel-scaling METHOD."
    )


def declared_size(saved_model: Path) -> Size | None:
    """Return the height and width that a SavedModel requires, by its signatures and its root's call function.

    None if it accepts any size or several ones.

    Raises:
        UserError: It cannot be read.
    """
    parsed = operations.parse(saved_model)
    sizes = {size for graph in parsed.meta_graphs for shape in _shapes(graph) if (size := _size(shape))}
    return sizes.pop() if len(sizes) == 1 else None


def _size(shape: list[int]) -> Size | None:
    if len(shape) != 4 or shape[3] != 3 or not all(1 <= side <= LARGEST_SIDE for side in shape[1:3]):
        return None
    return shape[1], shape[2]


def _shapes(graph: Any) -> Iterator[list[int]]:
    for signature in graph.signature_def.values():
        yield from (_dimensions(tensor.tensor_shape) for tensor in signature.inputs.values())
    objects = graph.object_graph_def
    called = (
        [child.node_id for child in objects.nodes[0].children if child.local_name == "__call__"]
        if objects.nodes
        else []
    )
    for name in (name for node in called for name in objects.nodes[node].function.concrete_functions):
        yield from _specifications(objects.concrete_functions[name].canonicalized_input_signature)


def _specifications(value: Any) -> Iterator[list[int]]:
    """Yield the tensor shapes in a `StructuredValue`: in tuples, lists and dictionaries."""
    kind = value.WhichOneof("kind")
    if kind == "tensor_spec_value":
        yield _dimensions(value.tensor_spec_value.shape)
    elif kind in ("tuple_value", "list_value"):
        for inner in getattr(value, kind).values:
            yield from _specifications(inner)
    elif kind == "dict_value":
        for inner in value.dict_value.fields.values():
            yield from _specifications(inner)


def _dimensions(shape: Any) -> list[int]:
    return [dimension.size for dimension in shape.dim]
