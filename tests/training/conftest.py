"""A tiny panoptic data set and a tiny teacher."""

import json

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def panoptic(tmp_path_factory):
    """Six pictures of three coloured regions each, as two splits."""
    root = tmp_path_factory.mktemp("panoptic")
    rng = np.random.default_rng(7)
    for split, count in (("train2017", 4), ("val2017", 2)):
        images, notes = [], []
        maps = root / "annotations" / f"panoptic_{split}"
        photos = root / "images" / split
        maps.mkdir(parents=True)
        photos.mkdir(parents=True)
        for number in range(count):
            ids = np.zeros((48, 64), np.int64)
            ids[:, :30] = 70_000 + number
            ids[:20, 30:] = 300
            ids[20:44, 30:] = 5
            picture = rng.integers(0, 30, (48, 64, 3))
            for colour, segment in enumerate((70_000 + number, 300, 5)):
                picture[ids == segment, colour] += 180
            coded = np.stack([ids % 256, ids // 256 % 256, ids // 65536], -1)
            name = f"{number:012d}"
            Image.fromarray(coded.astype(np.uint8)).save(maps / f"{name}.png")
            Image.fromarray(picture.astype(np.uint8)).save(photos / f"{name}.jpg")
            images.append({"id": number, "file_name": f"{name}.jpg"})
            infos = [
                {"id": int(segment), "category_id": index, "iscrowd": int(segment == 5)}
                for index, segment in enumerate((70_000 + number, 300, 5))
            ]
            notes.append(
                {
                    "image_id": number,
                    "file_name": f"{name}.png",
                    "segments_info": infos,
                }
            )
        about = {"images": images, "annotations": notes, "categories": []}
        (root / "annotations" / f"panoptic_{split}.json").write_text(json.dumps(about))
    return root


@pytest.fixture(scope="session")
def teachers(tmp_path_factory):
    """A folder with one TFLite network: two 1x1 convolutions, 3 -> 4 -> 2 channels.

    It ends by enlarging what they give, from 33 to 65 pixels.
    """
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    import flatbuffers

    rng = np.random.default_rng(3)
    model = schema.ModelT()
    model.version, model.description = 3, "tiny"
    model.operatorCodes = []
    for operator in (
        schema.BuiltinOperator.CONV_2D,
        schema.BuiltinOperator.RESIZE_BILINEAR,
    ):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = operator
        model.operatorCodes.append(code)
    model.buffers = [schema.BufferT()]
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = [], []

    def tensor(name, shape, values=None):
        found = schema.TensorT()
        found.name, found.shape, found.type = (
            name,
            list(shape),
            schema.TensorType.FLOAT32,
        )
        found.buffer = 0
        if values is not None:
            buffer = schema.BufferT()
            if values.dtype == np.int32:
                found.type = schema.TensorType.INT32
            else:
                values = values.astype(np.float32)
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            model.buffers.append(buffer)
            found.buffer = len(model.buffers) - 1
        graph.tensors.append(found)
        return len(graph.tensors) - 1

    def convolution(source, before, after):
        weight = tensor("w", (after, 1, 1, before), rng.normal(size=(after, before)))
        bias = tensor("b", (after,), np.zeros(after))
        target = tensor("out", (1, 33, 33, after))
        operator = schema.OperatorT()
        operator.opcodeIndex = 0
        operator.inputs, operator.outputs = [source, weight, bias], [target]
        operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = 1
        options.dilationHFactor = options.dilationWFactor = 1
        operator.builtinOptions = options
        graph.operators.append(operator)
        return target

    def enlargement(source):
        size = tensor("size", (2,), np.array([65, 65], np.int32))
        target = tensor("large", (1, 65, 65, 2))
        operator = schema.OperatorT()
        operator.opcodeIndex = 1
        operator.inputs, operator.outputs = [source, size], [target]
        operator.builtinOptionsType = schema.BuiltinOptions.ResizeBilinearOptions
        operator.builtinOptions = schema.ResizeBilinearOptionsT()
        graph.operators.append(operator)
        return target

    source = tensor("in", (1, 33, 33, 3))
    scores = convolution(convolution(source, 3, 4), 4, 2)
    graph.inputs, graph.outputs = [source], [enlargement(scores)]
    model.subgraphs = [graph]
    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")
    folder = tmp_path_factory.mktemp("teachers")
    (folder / "tiny.tflite").write_bytes(bytes(builder.Output()))
    return folder
