"""Teachers to distil semantic features from, and the cache of what they say.

A teacher is a TFLite segmentation network. Its class scores are of little use to a
picture that shows other classes; the layer before them is what we want. TFLite hands
out only the tensors named in the file, so :func:`penultimate_output` rewrites that one
number in the flatbuffer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

CONV_2D = 3  # BuiltinOperator.CONV_2D of the TFLite schema


def penultimate_output(model: bytes) -> bytes:
    """Make a TFLite classifier return the layer before its class scores.

    Walks from the output back to the last convolution (the one that makes the class
    scores) and names that convolution's input as the output of the network.

    Parameters
    ----------
    model : bytes
        A TFLite flatbuffer with one subgraph and one output.

    Returns
    -------
    bytes
        The same network with another output.

    Raises
    ------
    ValueError
        If no convolution leads to the output.
    """
    schema = _litert("schema_py_generated")
    graph = schema.Model.GetRootAs(model, 0).Subgraphs(0)
    codes = schema.Model.GetRootAs(model, 0).OperatorCodes
    maker = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        for output in operator.OutputsAsNumpy():
            maker[int(output)] = operator
    tensor = int(graph.Outputs(0))
    while tensor in maker:
        operator = maker[tensor]
        tensor = int(operator.Inputs(0))
        if codes(operator.OpcodeIndex()).DeprecatedBuiltinCode() == CONV_2D:
            table = graph._tab
            position = table.Vector(table.Offset(8))  # field "outputs" of SubGraph
            number = tensor.to_bytes(4, "little", signed=True)
            return model[:position] + number + model[position + 4 :]
    raise ValueError(
        "no convolution leads to the output of this TFLite network; a teacher must be "
        "a segmentation network that ends in class scores"
    )


class TfliteTeacher:
    """A TFLite segmentation network that gives its penultimate layer.

    Parameters
    ----------
    path : path-like
        The ``.tflite`` file. Its input must be ``(1, H, W, 3)`` in [-1, 1].
    threads : int
        CPU threads for one picture.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        interpreter = _litert("interpreter").Interpreter
        content = penultimate_output(Path(path).read_bytes())
        self._network = interpreter(model_content=content, num_threads=threads)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]
        self._output = self._network.get_output_details()[0]["index"]
        self.name = Path(path).stem

    def __call__(self, picture: npt.NDArray[np.uint8], flip: bool = False) -> Any:
        """Features of a picture.

        Parameters
        ----------
        picture : (H, W, 3) uint8
        flip : bool
            Average with the features of the mirrored picture.

        Returns
        -------
        (h, w, D) float32, rows of length 1.
        """
        from PIL import Image

        _, height, width, _ = self._input["shape"]
        small = Image.fromarray(picture).resize(
            (int(width), int(height)), Image.Resampling.BILINEAR
        )
        values = np.asarray(small, np.float32) / 127.5 - 1
        features = self._run(values)
        if flip:
            features = features + self._run(values[:, ::-1])[:, ::-1]
        return unit_length(features)

    def _run(self, values: FloatArray) -> FloatArray:
        self._network.set_tensor(self._input["index"], values[None])
        self._network.invoke()
        return unit_length(self._network.get_tensor(self._output)[0])


def unit_length(values: FloatArray) -> FloatArray:
    """Scale the last axis to length 1 (zero vectors stay zero)."""
    length = np.sqrt(np.einsum("...d,...d->...", values, values))[..., None]
    return np.asarray(values / np.maximum(length, 1e-12), np.float32)


def joint_features(
    picture: npt.NDArray[np.uint8],
    teachers: Sequence[TfliteTeacher],
    size: int = 65,
    flip: bool = False,
) -> FloatArray:
    """Features of all teachers side by side on one square grid.

    Returns
    -------
    (size, size, D) float32
        Rows of length 1 in every teacher's block.
    """
    import torch
    from torch.nn.functional import interpolate

    blocks = []
    for teacher in teachers:
        block = torch.from_numpy(teacher(picture, flip)).permute(2, 0, 1)[None]
        block = interpolate(
            block,
            (size, size),
            mode="bilinear",
            align_corners=False,
            antialias=block.shape[-1] > size,
        )
        blocks.append(unit_length(block[0].permute(1, 2, 0).numpy()))
    return np.concatenate(blocks, -1)


def _litert(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"ai_edge_litert.{module}")
    except ImportError as error:
        raise ImportError(
            "teachers are TFLite networks; to run them: "
            "pip install 'napari-softlayers[train]'"
        ) from error
