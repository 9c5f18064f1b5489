"""A small PNG encoder for the forms Pillow does not write: any depth, Adam7, tRNS, eXIf."""

import struct
import zlib

import numpy as np

ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _row_bytes(row, depth):
    """row: [width * channels] integers below 2^depth."""
    if depth == 16:
        return row.astype(">u2").tobytes()
    if depth == 8:
        return row.astype(np.uint8).tobytes()
    per_byte = 8 // depth
    padded = np.zeros(-(-len(row) // per_byte) * per_byte, np.uint8)
    padded[: len(row)] = row
    shifts = np.arange(per_byte - 1, -1, -1) * depth
    return (padded.reshape(-1, per_byte) << shifts).sum(1).astype(np.uint8).tobytes()


def _filtered(rows, bytes_per_pixel, start):
    """PNG filters 0 to 4 in turn, beginning with `start`."""
    previous, out = bytes(len(rows[0])), b""
    for index, row in enumerate(rows):
        kind = (index + start) % 5
        line = bytearray([kind])
        for i, value in enumerate(row):
            a = row[i - bytes_per_pixel] if i >= bytes_per_pixel else 0
            b = previous[i]
            c = previous[i - bytes_per_pixel] if i >= bytes_per_pixel else 0
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line.append((value - (0, a, b, (a + b) // 2, nearest)[kind]) & 255)
        out += bytes(line)
        previous = row
    return out


def write_png(path, samples, colour_type, depth, interlaced=False, palette=None, trns=None, exif=None, exif_last=False):
    """samples: [height, width, channels] integers; palette: [n, 3]."""
    height, width, channels = samples.shape
    size = max(1, channels * depth // 8)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    data = b""
    for x0, y0, dx, dy in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        part = samples[y0::dy, x0::dx]
        if part.size:
            data += _filtered([_row_bytes(row.reshape(-1), depth) for row in part], size, start=1)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    if exif is not None and not exif_last:
        out += chunk(b"eXIf", exif)
    if palette is not None:
        out += chunk(b"PLTE", np.asarray(palette, np.uint8).tobytes())
    if trns is not None:
        out += chunk(b"tRNS", trns)
    # Two IDAT chunks: readers must join them.
    packed = zlib.compress(data, 9)
    out += chunk(b"IDAT", packed[:20]) + chunk(b"IDAT", packed[20:])
    if exif is not None and exif_last:
        out += chunk(b"eXIf", exif)
    path.write_bytes(out + chunk(b"IEND", b""))
