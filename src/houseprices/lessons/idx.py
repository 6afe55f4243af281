"""The IDX file format of MNIST and its kin: a header with the shape, then the bytes, gzipped or not."""

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from houseprices.errors import DataError

_DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"
_LARGEST_BYTES = 1_000_000_000


def read_idx(file: Path) -> NDArray[Any]:
    """Read the array in an IDX file, in the machine's own byte order.

    The header is two zero bytes, a byte for the type, a byte for the number of dimensions and each dimension as a
    big-endian 32-bit integer (yann.lecun.com/exdb/mnist).

    Raises:
        DataError: the file is missing, is no IDX file, or holds fewer or more bytes than its header says.
    """
    try:
        with file.open("rb") as stream:
            zipped = stream.read(2) == _GZIP_MAGIC
            stream.seek(0)
            if not zipped:
                return _read(stream, file)
            with gzip.open(stream) as unzipped:
                return _read(unzipped, file)  # type: ignore[arg-type]  # a GzipFile reads as any binary stream
    # GzipFile raises BadGzipFile, an OSError without a number, and EOFError where the file is cut off.
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError([f"{file}: damaged or cut off ({error}); accepted: a whole gzipped IDX file"]) from None
    except OSError as error:
        raise DataError([f"{file}: {error.strerror}; accepted: an IDX file, gzipped or not"]) from None


def _read(stream: BinaryIO, file: Path) -> NDArray[Any]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _DTYPES or magic[3] == 0:
        shown = magic.hex(" ") or "nothing"
        raise DataError([f"{file}: begins with {shown}, which is no IDX header; accepted: 00 00, a type, dimensions"])
    n_dimensions = magic[3]
    header = stream.read(4 * n_dimensions)
    if len(header) < 4 * n_dimensions:
        raise DataError([f"{file}: the header breaks off; accepted: {n_dimensions} dimensions of 4 bytes"])
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4"))
    dtype = np.dtype(_DTYPES[magic[2]])
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > _LARGEST_BYTES:
        raise DataError([f"{file}: the header announces {n_bytes} bytes; accepted: at most {_LARGEST_BYTES}"])
    # One byte more than announced shows whether anything follows, however large it is.
    body = stream.read(n_bytes + 1)
    if len(body) != n_bytes:
        got = "more" if len(body) > n_bytes else str(len(body))
        raise DataError([f"{file}: {got} bytes after the header; accepted: {n_bytes}, as the shape {shape} says"])
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))
