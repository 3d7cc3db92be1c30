"""Writing files whole or not at all, limits of what is read, parameters as JSON."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

MAX_SIDE = 1 << 16
MAX_PIXELS = 1 << 27
MAX_LAYERS = 1000
MAX_JSON_BYTES = 1 << 24
MAX_ARRAY_VALUES = 1 << 16
BYTES_PER_LAYER_PIXEL = 52


def as_path(path: Any) -> Path:
    """The path that a user gave; TypeError or ValueError when it is none."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"A {type(path).__name__} came for a path; the name of a file or folder is "
            "needed."
        )
    text = os.fspath(path)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ValueError(f"The path {text!r} names no file; give it a name.")
    return Path(text).expanduser()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when all went well.

    Works for a file and for a folder. When writing fails (a full disk, a read-only
    folder, any error), the temporary one is removed and ``path`` is as it was. An
    OSError names the path and what stood in the way.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        _take_place(part, path)
    except OSError as error:
        raise _explained(error, path) from error
    finally:
        _remove(part)


def _take_place(part: Path, path: Path) -> None:
    if not part.is_dir():
        os.replace(part, path)
        return
    old = path.with_name(f".{path.name}.{secrets.token_hex(4)}.old")
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(part, path)
    except BaseException:  # also when the user stops it just here
        if old.exists():
            os.replace(old, path)
        raise
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)


def _explained(error: OSError, path: Path) -> OSError:
    reason = error.strerror or str(error)
    message = f"'{path}' could not be written: {reason}. Nothing was changed there"
    if isinstance(error, PermissionError):
        message += "; choose a folder that you may write to"
    if isinstance(error, FileNotFoundError):
        message += "; make the folder first"
    return type(error)(error.errno, message)


@contextmanager
def parsing(what: str) -> Iterator[None]:
    """Turn whatever a parser raises over a damaged file into a ValueError with its name.

    What the system says when it cannot read the file stays an OSError.
    """
    try:
        yield
    except ImportError:
        raise
    except MemoryError as error:
        raise ValueError(f"{what} needs more memory than there is.") from error
    except OSError as error:
        if error.errno not in (None, errno.EINVAL):  # a seek to before the start
            raise
        raise ValueError(f"{what} is damaged: {error}") from error
    except ValueError as error:
        if what in str(error):
            raise
        raise ValueError(f"{what} cannot be opened: {error}") from error
    except Exception as error:  # noqa: BLE001  # damage may break a parser anywhere
        kind = type(error).__name__
        raise ValueError(f"{what} is damaged: {kind}: {error}") from error


def check_canvas(width: int, height: int, layers: int, what: str) -> None:
    """Refuse sizes that no picture has or that would not fit into memory."""
    most = ""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        most = f"is {width}x{height} pixels; from 1 to {MAX_SIDE} a side"
    elif width * height > MAX_PIXELS:
        most = f"is {width}x{height} pixels; at most {MAX_PIXELS >> 20} megapixels"
    elif layers > MAX_LAYERS:
        most = f"has {layers} layers; at most {MAX_LAYERS}"
    if most:
        raise ValueError(f"{what} {most} are supported.")
    need = width * height * layers * BYTES_PER_LAYER_PIXEL
    free = memory_limit()
    if need > free:
        raise ValueError(
            f"{what} has {layers} layers of {width}x{height} pixels and would need "
            f"{need / 2**30:.1f} GiB; {free / 2**30:.1f} GiB may be used. Open it on a "
            "computer with more memory, or make it smaller first."
        )


def white_of_bits(pixels: Any, bits: int, notes: list[str]) -> int:
    """What means full light where a file says how many bits its numbers have."""
    top = (1 << bits) - 1
    if pixels.max() > top:  # few bits in the upper part
        return int(np.iinfo(pixels.dtype).max)
    notes.append(f"its numbers have {bits} bits, as it says: {top} is full light")
    return top


def memory_limit() -> int:
    """Half of the memory that is free now, in bytes."""
    import psutil

    return int(psutil.virtual_memory().available // 2)


def encode_json(value: dict[str, Any]) -> bytes:
    """Write parameters as JSON; small arrays are kept, other objects are left out."""
    return json.dumps(_plain(value, "info"), indent=1).encode()


def decode_json(data: bytes, what: str) -> dict[str, Any]:
    """Read what `encode_json` wrote; ValueError when it is anything else."""
    if len(data) > MAX_JSON_BYTES:
        raise ValueError(f"{what} has {len(data)} bytes; it cannot be that large.")
    try:
        value = json.loads(data, object_hook=_with_array)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{what} is damaged: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{what} is damaged: an object was expected.")
    return value


def _plain(value: Any, where: str) -> Any:
    """Turn a value into what JSON knows."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        items = {str(k): _plain(v, f"{where}.{k}") for k, v in value.items()}
        return {k: v for k, v in items.items() if v is not _LEFT_OUT}
    if isinstance(value, (list, tuple, set)):
        items_ = [_plain(v, where) for v in value]
        return [v for v in items_ if v is not _LEFT_OUT]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "uifb":
        kind, shape = str(value.dtype), value.shape
        if value.size <= MAX_ARRAY_VALUES:
            return {"array": value.ravel().tolist(), "shape": shape, "of": kind}
    if ".extras" not in where:
        warnings.warn(
            f"{where.split('.')[-1]} ({type(value).__name__}) cannot be stored in the file "
            "and is left out.",
            stacklevel=2,
        )
    return _LEFT_OUT


_LEFT_OUT = object()


def _with_array(value: dict[str, Any]) -> Any:
    """A stored array as an array again; any other object as it is."""
    if set(value) != {"array", "shape", "of"}:
        return value
    dtype = np.dtype(value["of"])
    if dtype.kind not in "uifb":
        raise ValueError(f"an array of {dtype} was not expected")
    return np.asarray(value["array"], dtype).reshape(value["shape"])
