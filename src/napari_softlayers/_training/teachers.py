"""Teachers to distil semantic features from: segmentation networks in TFLite's format.

What they give is, at every pixel, the square root of the softened probability of every
class. The cosine of two such vectors is Bhattacharyya's coefficient of the two
distributions: it stays near 1 all over an object of a class that the teacher knows, and
where it knows none, the blend of its guesses still tells one thing from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_softlayers._core.arrays import FloatArray

CONV_2D = 3  # BuiltinOperator.CONV_2D of the TFLite schema


def scores_output(model: bytes) -> bytes:
    """Make a TFLite segmentation network return its class scores as they are computed.

    Such a network ends by enlarging the scores (and may take their maximum). Walks from
    the output back to the last convolution, the one that makes the scores, and names its
    output as that of the network: one number in the flatbuffer changes.

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
        if codes(operator.OpcodeIndex()).DeprecatedBuiltinCode() == CONV_2D:
            table = graph._tab
            position = table.Vector(table.Offset(8))  # field "outputs" of SubGraph
            number = tensor.to_bytes(4, "little", signed=True)
            return model[:position] + number + model[position + 4 :]
        tensor = int(operator.Inputs(0))
    raise ValueError(
        "no convolution leads to the output of this TFLite network; a teacher must be "
        "a segmentation network that ends in class scores"
    )


class TfliteTeacher:
    """A TFLite segmentation network that gives its class scores.

    Parameters
    ----------
    path : path-like
        The ``.tflite`` file. Its input must be ``(1, H, W, 3)`` in [-1, 1].
    threads : int
        CPU threads for one picture.
    """

    def __init__(self, path: str | Path, threads: int = 1) -> None:
        interpreter = _litert("interpreter").Interpreter
        content = scores_output(Path(path).read_bytes())
        self._network = interpreter(model_content=content, num_threads=threads)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]
        output = self._network.get_output_details()[0]
        self._output, self.classes = output["index"], int(output["shape"][-1])

    def __call__(self, picture: npt.NDArray[np.uint8], flip: bool = False) -> Any:
        """Class scores of a picture.

        Parameters
        ----------
        picture : (H, W, 3) uint8
        flip : bool
            Average with the scores of the mirrored picture.

        Returns
        -------
        (h, w, classes) float32
        """
        from PIL import Image

        _, height, width, _ = self._input["shape"]
        small = Image.fromarray(picture).resize(
            (int(width), int(height)), Image.Resampling.BILINEAR
        )
        values = np.asarray(small, np.float32) / 127.5 - 1
        scores = self._run(values)
        if flip:
            scores = np.float32(0.5) * (scores + self._run(values[:, ::-1])[:, ::-1])
        return scores

    def _run(self, values: FloatArray) -> FloatArray:
        self._network.set_tensor(self._input["index"], values[None])
        self._network.invoke()
        return np.asarray(self._network.get_tensor(self._output)[0], np.float32)


def joint_features(
    picture: npt.NDArray[np.uint8],
    teachers: Sequence[TfliteTeacher],
    size: int = 65,
    flip: bool = False,
    temperature: float = 2.0,
) -> FloatArray:
    """Features of all teachers side by side on one square grid.

    Parameters
    ----------
    picture : (H, W, 3) uint8
    teachers : sequence of TfliteTeacher
    size : int
        Of the grid.
    flip : bool
        Average every teacher's scores with those of the mirrored picture.
    temperature : float
        Scores are divided by it before the softmax.

    Returns
    -------
    (size, size, D) float32
        Square roots of probabilities; every teacher's block is of length 1.
    """
    import torch
    from torch.nn.functional import interpolate

    blocks = []
    for teacher in teachers:
        scores = torch.from_numpy(teacher(picture, flip)).permute(2, 0, 1)[None]
        scores = interpolate(
            scores,
            (size, size),
            mode="bilinear",
            align_corners=False,
            antialias=scores.shape[-1] > size,
        )
        probabilities = torch.softmax(scores[0] / temperature, 0)
        blocks.append(probabilities.sqrt().permute(1, 2, 0).numpy())
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
