"""Messages of the policy server: MessagePack with NumPy arrays, in the form that openpi's client uses.

An array is a map of `__ndarray__`, `data`, `dtype` and `shape`; nothing that is unpacked can run code.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from math import prod
from typing import Any

import msgpack
import numpy as np

MAX_BYTES = 16 * 2**20
MAX_PARTS = 1000
"""Lists and maps in a message; an observation has some twenty."""
MAX_LENGTH = 64
"""Items of a list or map."""
DTYPES = ("uint8", "int32", "int64", "float32", "float64", "bool")


class WireError(ValueError):
    """A message that is none; one sentence."""


def pack(message: Mapping[str, Any]) -> bytes:
    """Bytes of a message; arrays and NumPy scalars may stand anywhere in it."""
    return msgpack.packb(message, default=_encode)


def unpack(data: bytes) -> dict[str, Any]:
    """The message in `data`.

    Raises:
        WireError: too long or of too many parts, not MessagePack, no map, or an array whose parts do not fit
        each other.
    """
    if len(data) > MAX_BYTES:
        raise WireError(f"a message of {len(data)} bytes; at most {MAX_BYTES} are read")
    parts = itertools.count()

    def decode(item: Any) -> Any:
        if next(parts) >= MAX_PARTS:  # empty lists by the million would take minutes
            raise WireError(f"a message of more than {MAX_PARTS} parts")
        return _decode(item) if isinstance(item, dict) else item

    try:
        message = msgpack.unpackb(
            data,
            object_hook=decode,
            list_hook=decode,
            strict_map_key=False,
            max_array_len=MAX_LENGTH,
            max_map_len=MAX_LENGTH,
            max_ext_len=0,
        )
    except WireError:
        raise
    except Exception as error:  # whatever a hostile message makes of the decoder
        raise WireError(f"no MessagePack message ({type(error).__name__})") from error
    if not isinstance(message, dict):
        raise WireError("a message must be a map")
    return message


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be sent")


def _decode(item: dict[Any, Any]) -> Any:
    marked = [key for key in item if key in (b"__ndarray__", "__ndarray__")]
    if not marked:
        return item
    parts = {(key.decode() if isinstance(key, bytes) else key): value for key, value in item.items()}
    dtype, shape, data = parts.get("dtype"), parts.get("shape"), parts.get("data")
    if isinstance(dtype, bytes):
        dtype = dtype.decode(errors="replace")
    if not (isinstance(dtype, str) and isinstance(shape, list | tuple) and isinstance(data, bytes)):
        raise WireError("an array lacks its dtype, shape or data")
    if not all(type(side) is int and 0 <= side <= MAX_BYTES for side in shape) or len(shape) > 4:
        raise WireError("an array's shape is no shape")
    kinds = {name for known in DTYPES for name in (known, np.dtype(known).str)}
    if dtype not in kinds:
        raise WireError(f"arrays of {dtype[:20]!r} are not read; of {', '.join(DTYPES)} they are")
    if prod(shape) * np.dtype(dtype).itemsize != len(data):
        raise WireError("an array's shape does not fit its data")
    return np.frombuffer(data, dtype).reshape(shape)
