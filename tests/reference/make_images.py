"""Small pictures of every kind the engine decodes, and what Pillow makes of them as RGB."""

import pathlib
import shutil
import struct

import numpy as np
from PIL import Image, ImageOps

from common import be_deterministic, fnv1a64, hash_picture, shapes_picture, versions, write_json
from png_writer import write_png


def exif_block(orientation, big_endian):
    """A TIFF block with one entry, Orientation."""
    order, mark = (">", b"MM") if big_endian else ("<", b"II")
    return mark + struct.pack(order + "HI", 42, 8) + struct.pack(
        order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def patch_adobe(data, transform):
    """Sets the colour transform byte of the Adobe marker."""
    at = data.index(b"\xff\xee\x00\x0eAdobe")
    return data[: at + 15] + bytes([transform]) + data[at + 16:]


def without_adobe(data):
    at = data.index(b"\xff\xee\x00\x0eAdobe")
    return data[:at] + data[at + 16:]


def jpegs(folder):
    picture = Image.fromarray(shapes_picture(37, 53, 41))
    noise = Image.fromarray(hash_picture(29, 43, 42))
    save = lambda image, name, **options: image.save(folder / name, quality=options.pop("quality", 90), **options)
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        save(picture, f"baseline_{subsampling.replace(':', '')}.jpg", subsampling=subsampling)
        save(noise, f"progressive_{subsampling.replace(':', '')}.jpg", subsampling=subsampling, progressive=True)
    save(noise, "low_quality.jpg", quality=20)
    save(noise, "restart_markers.jpg", restart_marker_blocks=2)
    save(Image.fromarray(hash_picture(8, 8, 1)), "one_block.jpg", subsampling="4:2:0")
    save(Image.fromarray(hash_picture(1, 1, 2)), "one_pixel.jpg", subsampling="4:2:0")
    save(Image.fromarray(hash_picture(1, 17, 3)), "one_row.jpg", subsampling="4:2:0")
    save(Image.fromarray(hash_picture(16, 3, 3)), "three_columns.jpg", subsampling="4:2:2")
    save(picture.convert("L"), "grey.jpg")
    save(picture.convert("L"), "grey_progressive.jpg", progressive=True)
    save(picture, "rgb_components.jpg", keep_rgb=True)
    # Four independent inks, so that no conversion rule can pass by luck.
    inks = np.concatenate([hash_picture(31, 26, 51), hash_picture(31, 26, 52)[..., :1]], -1)
    cmyk = Image.frombytes("CMYK", (inks.shape[1], inks.shape[0]), inks.tobytes())
    save(cmyk, "cmyk.jpg")
    data = (folder / "cmyk.jpg").read_bytes()
    (folder / "ycck.jpg").write_bytes(patch_adobe(data, 2))
    (folder / "cmyk_without_adobe_marker.jpg").write_bytes(without_adobe(data))
    for orientation in range(1, 9):
        exif = b"Exif\0\0" + exif_block(orientation, big_endian=orientation % 2 == 0)
        save(picture, f"orientation_{orientation}.jpg", exif=exif, subsampling="4:4:4")
    # Orientation in XMP counts where EXIF has none.
    xmp = (b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="6"/>'
           b"</rdf:RDF></x:xmpmeta>")
    save(picture, "xmp_orientation_6.jpg", xmp=xmp, subsampling="4:4:4")
    save(picture, "xmp_orientation_loses_to_exif.jpg", xmp=xmp, subsampling="4:4:4",
         exif=b"Exif\0\0" + exif_block(3, True))
    save(picture, "orientation_0_is_ignored.jpg", exif=b"Exif\0\0" + exif_block(0, True))
    save(picture, "orientation_9_is_ignored.jpg", exif=b"Exif\0\0" + exif_block(9, False))


def pngs(folder):
    rng = np.random.default_rng(61)
    deep = lambda h, w, c, depth: rng.integers(0, 1 << depth, (h, w, c))
    for interlaced in (False, True):
        tail = "_interlaced" if interlaced else ""
        for depth in (1, 2, 4, 8, 16):
            # Pillow clips 16-bit grey at 255; values around it tell clipping from shifting.
            grey = deep(19, 23, 1, depth) if depth < 16 else rng.integers(0, 600, (19, 23, 1))
            write_png(folder / f"grey{depth}{tail}.png", grey, 0, depth, interlaced)
        for depth in (8, 16):
            write_png(folder / f"rgb{depth}{tail}.png", deep(19, 23, 3, depth), 2, depth, interlaced)
            write_png(folder / f"grey_alpha{depth}{tail}.png", deep(19, 23, 2, depth), 4, depth, interlaced)
            write_png(folder / f"rgba{depth}{tail}.png", deep(19, 23, 4, depth), 6, depth, interlaced)
        for depth in (1, 2, 4, 8):
            colours = 1 << depth if depth < 8 else 200
            palette = rng.integers(0, 256, (colours, 3))
            samples = rng.integers(0, colours, (19, 23, 1))
            write_png(folder / f"palette{depth}{tail}.png", samples, 3, depth, interlaced, palette)
            write_png(folder / f"palette{depth}_trns{tail}.png", samples, 3, depth, interlaced, palette,
                      trns=rng.integers(0, 256, max(1, colours // 2), np.uint8).tobytes())
    write_png(folder / "grey8_trns.png", deep(11, 13, 1, 8), 0, 8, trns=struct.pack(">H", 7))
    write_png(folder / "grey2_trns.png", deep(11, 13, 1, 2), 0, 2, trns=struct.pack(">H", 1))
    write_png(folder / "rgb8_trns.png", deep(11, 13, 3, 8), 2, 8, trns=struct.pack(">HHH", 1, 2, 3))
    write_png(folder / "one_pixel.png", deep(1, 1, 3, 8), 2, 8)
    write_png(folder / "one_pixel_interlaced.png", deep(1, 1, 1, 1), 0, 1, interlaced=True)
    write_png(folder / "interlaced_3x2.png", deep(2, 3, 3, 8), 2, 8, interlaced=True)
    write_png(folder / "orientation_after_pixels.png", deep(7, 10, 3, 8), 2, 8,
              exif=exif_block(8, True), exif_last=True)
    for orientation in (3, 6, 8):
        write_png(folder / f"orientation_{orientation}.png", deep(7, 10, 3, 8), 2, 8,
                  exif=exif_block(orientation, orientation == 6))


def webps(folder):
    picture, noise = Image.fromarray(shapes_picture(37, 53, 71)), Image.fromarray(hash_picture(29, 43, 72))
    alpha = Image.fromarray(np.concatenate([hash_picture(29, 43, 73), hash_picture(29, 43, 74)[..., :1]], -1))
    noise.save(folder / "animated.webp", save_all=True, append_images=[Image.fromarray(hash_picture(29, 43, 75))],
               lossless=True, duration=100)
    picture.save(folder / "lossy.webp", quality=80)
    noise.save(folder / "lossy_low.webp", quality=10)
    noise.save(folder / "lossless.webp", lossless=True)
    picture.save(folder / "lossless_shapes.webp", lossless=True)
    alpha.save(folder / "lossy_alpha.webp", quality=80)
    alpha.save(folder / "lossless_alpha.webp", lossless=True, exact=True)
    Image.fromarray(hash_picture(1, 1, 5)).save(folder / "one_pixel.webp", quality=90)
    for orientation in (1, 6, 7):
        picture.save(folder / f"orientation_{orientation}.webp", lossless=True,
                     exif=b"Exif\0\0" + exif_block(orientation, orientation == 6))


def make(out):
    be_deterministic()
    folder = pathlib.Path(out) / "images"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "inputs").mkdir(parents=True)
    (folder / "expected").mkdir()
    jpegs(folder / "inputs")
    pngs(folder / "inputs")
    webps(folder / "inputs")
    listed = []
    for path in sorted((folder / "inputs").iterdir()):
        with Image.open(path) as image:
            mode, size = image.mode, image.size
            rgb = ImageOps.exif_transpose(image).convert("RGB")
        assert max(rgb.size) <= 64
        expected = f"{path.name.replace('.', '_')}.png"
        rgb.save(folder / "expected" / expected, optimize=True)
        listed.append({
            "file": path.name, "expected": expected, "width": rgb.width, "height": rgb.height,
            "stored_width": size[0], "stored_height": size[1], "pillow_mode": mode,
            "rgb_fnv1a64": fnv1a64(rgb.tobytes())})
    write_json(folder / "case.json", {
        "what": "Image.open, ImageOps.exif_transpose, convert('RGB'); the alpha channel is dropped",
        "pictures": listed, "versions": versions()})
    print(f"{len(listed)} pictures")


if __name__ == "__main__":
    import sys

    make(sys.argv[1])
