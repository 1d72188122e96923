"""A heat map as a PNG: cells, their percent, and the numbers of rows and columns; no library draws it.

The format is that of the PNG specification (W3C, third edition): signature, header, one block of rows that zlib
packed, end. Letters are no more than the picture needs, five dots wide and seven high.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from .heat_map import COLOURS, HeatMap, percent

__all__ = ["heat_picture"]

_WIDE, _HIGH, _GAP, _SCALE = 30, 17, 2, 3  # of a cell, between two, and pixels for each of them
_PAPER, _INK, _SOFT = (255, 255, 255), (29, 29, 27), (98, 98, 92)
_COLUMNS, _ROWS = 64, 200  # more columns are drawn as means of neighbours; more rows are left out

# seven rows of five dots, a row in two hexadecimal digits, the leftmost dot the highest bit
_DOTS = {
    "0": "0e11131519110e", "1": "040c040404040e", "2": "0e11010204081f", "3": "1f02040201110e",
    "4": "02060a121f0202", "5": "1f101e0101110e", "6": "0608101e11110e", "7": "1f010204080808",
    "8": "0e11110e11110e", "9": "0e11110f01020c", ".": "00000000000c0c", "·": "00000004000000",
    "-": "0000000e000000", "A": "0e11111f111111", "D": "1e11111111111e", "E": "1f10101e10101f",
    "H": "1111111f111111", "L": "1010101010101f", "M": "111b1515111111", "O": "0e11111111110e",
    "P": "1e11111e101010", "R": "1e11111e141211", "T": "1f040404040404", "Y": "11110a04040404",
}  # fmt: skip

Picture = npt.NDArray[np.uint8]


def heat_picture(heat: HeatMap) -> bytes:
    """Returns a heat map as the bytes of a PNG, white behind it; at most 64 columns and 200 rows."""
    drawn = heat.narrowed(_COLUMNS)
    rows = range(min(_ROWS, len(drawn.rows)))
    left = 6 * max(len(drawn.row), *map(len, drawn.rows)) + 2 * _GAP + 4
    top = 2 * 7 + 4 * _GAP + 3
    size = (top + len(rows) * (_HIGH + _GAP) + _GAP, left + len(drawn.columns) * (_WIDE + _GAP) + _GAP)
    picture = np.full((*size, 3), _PAPER, np.uint8)
    _write(picture, drawn.column, left, _GAP + 1, _SOFT)
    _write(picture, drawn.row, _GAP + 2, top - 10, _SOFT)
    for column, name in enumerate(drawn.columns):
        _centred(picture, name, left + column * (_WIDE + _GAP), top - 15, _SOFT)
    for row in rows:
        across = top + row * (_HIGH + _GAP)
        _write(picture, drawn.rows[row], _GAP + 2, across + 5, _INK)
        for column in range(len(drawn.columns)):
            down, level = left + column * (_WIDE + _GAP), drawn.level(row, column)
            ink = _INK
            if level is not None:
                ground, written = COLOURS[level]
                picture[across : across + _HIGH, down : down + _WIDE] = _rgb(ground)
                ink = _rgb(written)
            _centred(picture, percent(float(drawn.shares[row, column])), down, across, ink)
    return _png(picture.repeat(_SCALE, 0).repeat(_SCALE, 1))


def _centred(picture: Picture, text: str, left: int, top: int, ink: tuple[int, int, int]) -> None:
    _write(picture, text, left + (_WIDE - 6 * len(text) + 1) // 2, top + (_HIGH - 7) // 2, ink)


def _write(picture: Picture, text: str, left: int, top: int, ink: tuple[int, int, int]) -> None:
    for place, char in enumerate(text):
        rows = np.frombuffer(bytes.fromhex(_DOTS[char.upper()]), np.uint8)
        dots = np.unpackbits(rows[:, None], 1)[:, 3:].astype(bool)
        start = left + 6 * place
        picture[top : top + 7, start : start + 5][dots] = ink


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _png(picture: Picture) -> bytes:
    height, width, _ = picture.shape
    rows = np.concatenate((np.zeros((height, 1), np.uint8), picture.reshape(height, -1)), 1)  # 0: a row as it is
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits of red, green and blue
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
