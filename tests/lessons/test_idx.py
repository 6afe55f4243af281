import gzip
from pathlib import Path

import numpy as np
import pytest
from idx_bytes import CODES, idx_bytes

from houseprices.errors import DataError
from houseprices.lessons.idx import read_idx

GOOD = idx_bytes(np.arange(24, dtype="u1").reshape(2, 3, 4))


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("zipped", [True, False])
def test_what_was_written_is_read(tmp_path: Path, dtype: str, zipped: bool):
    array = np.arange(24).astype(dtype).reshape(2, 3, 4)
    content = idx_bytes(array)
    (tmp_path / "file").write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    read = read_idx(tmp_path / "file")
    assert read.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "begins with nothing"),
        (b"<html>", "no IDX header"),
        (b"\0\0\x07\x01" + GOOD[4:], "no IDX header"),
        (b"\0\0\x08\0", "no IDX header"),
        (GOOD[:10], "the header breaks off"),
        (GOOD[:-1], "23 bytes after the header; accepted: 24"),
        (GOOD + b"\0", "more bytes after the header; accepted: 24"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "the header announces"),
        (gzip.compress(GOOD, mtime=0)[:-9], "damaged or cut off"),
        (gzip.compress(GOOD, mtime=0)[:20] + b"spoilt" + gzip.compress(GOOD, mtime=0)[26:], "damaged or cut off"),
        (gzip.compress(GOOD[:-5], mtime=0), "19 bytes after the header; accepted: 24"),
    ],
)
def test_a_broken_file_is_one_line_that_names_it(tmp_path: Path, content: bytes, words: str):
    (tmp_path / "broken").write_bytes(content)
    with pytest.raises(DataError, match=words) as error:
        read_idx(tmp_path / "broken")
    assert str(tmp_path / "broken") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="No such file"):
        read_idx(tmp_path / "missing")
