"""Pictures on things: prints, labels, fruit skin, wood, cloth; tables and walls. RGB uint8, drawn from a
seed.

Solids with six faces have them in the six cells of a 3 x 2 atlas (`shapes.box_mesh`); other textures run
around
the shape from left to right and along its outline from the bottom row of the image to its top row.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (196, 44, 40),
    "blue": (38, 84, 190),
    "green": (44, 146, 72),
    "yellow": (226, 196, 40),
    "orange": (232, 120, 30),
    "purple": (122, 66, 160),
    "pink": (226, 130, 160),
    "white": (226, 224, 218),
    "black": (40, 40, 44),
    "brown": (122, 82, 54),
    "grey": (138, 140, 142),
}
"""Colour words of captions."""

# ---------------------------------------------------------------------------------------------- the demo's


def object_print(colour: Colour, rng: np.random.Generator, size: int = 512) -> Image:
    """A print in shades of one colour with pale letters and patches: enough corners to track."""
    base = np.array(colour, np.float64)
    image = np.empty((size, size, 3), np.uint8)
    image[:] = base
    step = size // 8
    for y in range(0, size, step):
        for x in range(0, size, step):
            shade = rng.uniform(0.62, 1.12)
            image[y : y + step, x : x + step] = np.clip(base * shade, 0, 255)
    pale = tuple(int(v) for v in np.clip(base * 0.25 + 185, 0, 255))
    dark = tuple(int(v) for v in base * 0.35)
    for _ in range(26):
        centre = tuple(int(v) for v in rng.integers(0, size, 2))
        cv2.circle(
            image, centre, int(rng.integers(8, 26)), pale if rng.random() < 0.4 else dark, -1, cv2.LINE_AA
        )
    for _ in range(16):
        letter = chr(ord("A") + int(rng.integers(26)))
        at = tuple(int(v) for v in rng.integers(0, size - 40, 2) + (0, 40))
        cv2.putText(image, letter, at, cv2.FONT_HERSHEY_DUPLEX, rng.uniform(1.4, 2.4), pale, 5, cv2.LINE_AA)
    return image


def wood_texture(rng: np.random.Generator, size: int = 768) -> Image:
    """Planks of pale wood with grain."""
    image = np.zeros((size, size, 3), np.float64)
    plank = size // 6
    for start in range(0, size, plank):
        tone = np.array([172, 158, 138]) * rng.uniform(0.9, 1.06)
        noise = cv2.GaussianBlur(rng.normal(0, 1, (plank, size // 24)), (0, 0), 1.0)
        grain = cv2.resize(noise, (size, plank), interpolation=cv2.INTER_CUBIC)[..., None]
        image[start : start + plank] = (tone + 17 * grain)[: size - start]
        image[start : start + 2] *= 0.7
    return np.clip(image, 0, 255).astype(np.uint8)


def wall_texture(rng: np.random.Generator, size: int = 1024) -> Image:
    """A painted wall with a window, shelves of books and a picture."""
    stains = cv2.resize(rng.normal(0, 5, (48, 48)), (size, size), interpolation=cv2.INTER_CUBIC)[..., None]
    image = np.clip(np.array([150, 160, 168]) + stains, 0, 255).astype(np.uint8)
    for shelf in (0.30, 0.52, 0.74):
        y = int(shelf * size)
        x = int(0.04 * size)
        while x < 0.38 * size:
            wide, tall = int(rng.integers(12, 30)), int(rng.integers(90, 150))
            tone = tuple(int(v) for v in rng.uniform(60, 150, 3) * 0.4 + rng.uniform(40, 110))
            cv2.rectangle(image, (x, y - tall), (x + wide - 2, y), tone, -1)
            cv2.rectangle(image, (x + 3, y - tall + 15), (x + wide - 6, y - tall + 25), (205, 205, 200), -1)
            x += wide
        cv2.rectangle(image, (20, y), (int(0.4 * size), y + 14), (95, 80, 66), -1)
    cv2.rectangle(image, (470, 180), (740, 640), (225, 228, 226), -1)
    cv2.rectangle(image, (486, 196), (724, 624), (176, 196, 208), -1)
    cv2.line(image, (605, 190), (605, 630), (225, 228, 226), 12)
    cv2.line(image, (480, 400), (730, 400), (225, 228, 226), 12)
    cv2.rectangle(image, (810, 260), (980, 520), (70, 62, 58), -1)
    for _ in range(30):
        centre = tuple(int(v) for v in (rng.integers(830, 960), rng.integers(285, 495)))
        cv2.circle(
            image, centre, int(rng.integers(5, 26)), tuple(int(v) for v in rng.integers(70, 170, 3)), -1
        )
    return image


# ------------------------------------------------------------------------------------------------- the tools

SIZE = 256
"""Side of the textures of objects in the suite's clips; an object covers some 60 pixels there."""

_FONTS = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SIMPLEX)


def noise(rng: np.random.Generator, cells: int | tuple[int, int], size: int = SIZE) -> Array:
    """Smooth noise (size, size) of unit variance with about ``cells`` bumps across."""
    across = (cells, cells) if isinstance(cells, int) else cells
    small = rng.normal(0, 1, across)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC), float)


def shaded(colour: Colour | Array, amount: Array) -> Array:
    """The colour made lighter or darker by ``amount`` (levels), per pixel."""
    return np.asarray(colour, float) + amount[..., None]


def as_image(values: NDArray[Any]) -> Image:
    return np.clip(values, 0, 255).astype(np.uint8)


def _ints(values: Array | tuple[float, ...]) -> Colour:
    r, g, b = (int(np.clip(v, 0, 255)) for v in values)
    return r, g, b


def _contrast(colour: Colour, rng: np.random.Generator) -> Colour:
    """A colour that shows on ``colour``."""
    bright = float(np.mean(colour)) > 120
    if rng.random() < 0.5:
        return _ints(rng.uniform(20, 70, 3) if bright else rng.uniform(200, 245, 3))
    options = [c for c in COLOURS.values() if np.abs(np.subtract(c, colour)).sum() > 160]
    return options[int(rng.integers(len(options)))]


def _word(rng: np.random.Generator) -> str:
    parts = ("ka", "lo", "mi", "tra", "nu", "ves", "pol", "der", "sin", "go", "ba", "rem", "fi", "zu")
    word = "".join(parts[int(i)] for i in rng.integers(0, len(parts), int(rng.integers(2, 4))))
    return word.upper() if rng.random() < 0.5 else word.capitalize()


def _write(
    image: Image, text: str, box: tuple[int, int, int, int], colour: Colour, rng: np.random.Generator
) -> None:
    """Text that fills the box (x0, y0, x1, y1)."""
    x0, y0, x1, y1 = box
    font = _FONTS[int(rng.integers(len(_FONTS)))]
    (w, h), _ = cv2.getTextSize(text, font, 1.0, 2)
    scale = min((x1 - x0) / max(w, 1), (y1 - y0) / max(h, 1)) * 0.95
    thick = max(1, round(2.2 * scale))
    cv2.putText(
        image, text, (x0, int(y0 + (y1 - y0 + h * scale) / 2)), font, scale, colour, thick, cv2.LINE_AA
    )


def _motif(image: Image, box: tuple[int, int, int, int], colour: Colour, rng: np.random.Generator) -> None:
    """A small picture: sun, leaf, star, hill or stripes in a frame."""
    x0, y0, x1, y1 = box
    cx, cy, r = (x0 + x1) // 2, (y0 + y1) // 2, max(3, min(x1 - x0, y1 - y0) // 2 - 2)
    second = _contrast(colour, rng)
    match int(rng.integers(4)):
        case 0:
            cv2.circle(image, (cx, cy), r, colour, -1, cv2.LINE_AA)
            cv2.circle(image, (cx - r // 4, cy - r // 5), r // 2, second, -1, cv2.LINE_AA)
        case 1:
            angle = np.arange(10) * np.pi / 5
            radius = np.where(np.arange(10) % 2, 0.45 * r, r)
            star = np.stack([cx + radius * np.sin(angle), cy - radius * np.cos(angle)], -1).astype(np.int32)
            cv2.fillPoly(image, [star], colour, cv2.LINE_AA)
        case 2:
            turn = float(rng.uniform(0, 180))
            cv2.ellipse(image, (cx, cy), (r, r // 2), turn, 0, 360, colour, -1, cv2.LINE_AA)
            cv2.ellipse(image, (cx, cy), (r // 2, r // 4), turn + 60, 0, 360, second, -1, cv2.LINE_AA)
        case _:
            cv2.rectangle(image, (x0, y0), (x1, y1), colour, -1)
            hill = np.array(
                [[x0, y1], [cx - r // 3, y0 + r // 2], [cx, cy], [cx + r // 2, y0 + r // 3], [x1, y1]]
            )
            cv2.fillPoly(image, [hill.astype(np.int32)], second, cv2.LINE_AA)


def _small_print(
    image: Image, box: tuple[int, int, int, int], colour: Colour, rng: np.random.Generator
) -> None:
    """Lines of text too small to read."""
    x0, y0, x1, y1 = box
    for y in range(y0, y1 - 2, 5):
        x = x0
        while x < x1 - 4:
            end = min(x + int(rng.integers(3, 12)), x1)
            cv2.line(image, (x, y), (end, y), colour, 2)
            x = end + 4


def _quarter(image: Image) -> Image:
    """The image turned clockwise by 90 degrees, to be drawn on."""
    return np.ascontiguousarray(np.rot90(image, -1))


def _cells(draw: Callable[[Image, int], None], base: Array) -> Image:
    """An atlas of six faces, each drawn by ``draw(cell image, cell)``: 0 +x, 1 -x, 2 +y, 3 -y, 4 +z, 5 -z."""
    atlas = as_image(base)
    size = len(atlas)
    for cell in range(6):
        x0, x1 = round(cell % 3 * size / 3), round((cell % 3 + 1) * size / 3)
        row = 1 - cell // 3  # the first row of cells is at the bottom of the image
        y0, y1 = row * size // 2, (row + 1) * size // 2
        part = np.ascontiguousarray(atlas[y0:y1, x0:x1])
        draw(part, cell)
        atlas[y0:y1, x0:x1] = part
    return atlas


# ------------------------------------------------------------------------------------------ styles of objects


def _flat(colour: Colour, rng: np.random.Generator, grain: float = 3.0) -> Array:
    return shaded(colour, grain * noise(rng, 64) + 5 * noise(rng, 5))


def _plain(colour: Colour, rng: np.random.Generator) -> Image:
    """Glaze or plastic: one colour, an edge in another, a few scratches."""
    image = as_image(_flat(colour, rng))
    if rng.random() < 0.6:
        edge = int(rng.integers(90, 150))
        image[edge : edge + int(rng.integers(4, 12))] = _contrast(colour, rng)
    for _ in range(int(rng.integers(0, 12))):
        a, b = rng.integers(0, SIZE, 2), rng.integers(-14, 14, 2)
        cv2.line(
            image,
            (int(a[0]), int(a[1])),
            (int(a[0] + b[0]), int(a[1] + b[1])),
            _ints(np.array(colour) * 0.82),
            1,
        )
    return image


def _print(colour: Colour, rng: np.random.Generator) -> Image:
    """Motifs and words scattered over one colour."""
    image = as_image(_flat(colour, rng))
    ink = [_contrast(colour, rng) for _ in range(3)]
    for _ in range(int(rng.integers(14, 26))):
        x, y, r = (int(v) for v in (*rng.integers(0, SIZE - 20, 2), rng.integers(14, 38)))
        colour_here = ink[int(rng.integers(3))]
        if rng.random() < 0.3:
            _write(image, _word(rng), (x, y, x + 2 * r, y + r), colour_here, rng)
        else:
            _motif(image, (x, y, x + r, y + r), colour_here, rng)
    return image


def _stripes(colour: Colour, rng: np.random.Generator) -> Image:
    image = _flat(colour, rng)
    second, y = np.array(_contrast(colour, rng), float), 0
    upright = rng.random() < 0.4
    while y < SIZE:
        wide = int(rng.integers(6, 26))
        image[y : y + wide] = 0.15 * image[y : y + wide] + 0.85 * second * rng.uniform(0.85, 1.05)
        y += wide + int(rng.integers(8, 36))
    return as_image(np.ascontiguousarray(image.transpose(1, 0, 2)) if upright else image)


def _dots(colour: Colour, rng: np.random.Generator) -> Image:
    image = as_image(_flat(colour, rng))
    second, step = _contrast(colour, rng), int(rng.integers(22, 40))
    for row, y in enumerate(range(0, SIZE, step)):
        for x in range(0, SIZE, step):
            at = (x + (row % 2) * step // 2 + int(rng.integers(-2, 3)), y + int(rng.integers(-2, 3)))
            cv2.circle(image, at, int(step * 0.24), second, -1, cv2.LINE_AA)
    return image


def _check(colour: Colour, rng: np.random.Generator) -> Image:
    image, second = _flat(colour, rng), np.array(_contrast(colour, rng), float)
    step = int(rng.integers(18, 40))
    lines = (np.arange(SIZE) // step) % 2 * 0.5
    mix = (lines[:, None] + lines[None])[..., None]
    return as_image(image * (1 - mix) + second * mix)


def _speckle(colour: Colour, rng: np.random.Generator) -> Image:
    image = _flat(colour, rng)
    spots = noise(rng, 90) > 1.5
    image[spots] = _contrast(colour, rng)
    return as_image(cv2.GaussianBlur(image, (0, 0), 0.6))


def _patches(colour: Colour, rng: np.random.Generator) -> Image:
    """Panels of a ball."""
    image = as_image(_flat(colour, rng))
    second = _contrast(colour, rng)
    for x in range(0, SIZE, 64):
        cv2.rectangle(image, (x, 0), (x + 28, SIZE), second, -1)
        cv2.line(image, (x, 0), (x, SIZE), (50, 50, 50), 2)
    _write(image, _word(rng), (20, 110, 110, 140), (40, 40, 40), rng)
    _write(image, _word(rng), (150, 110, 240, 140), (40, 40, 40), rng)
    return image


def _package(colour: Colour, rng: np.random.Generator) -> Image:
    """A folded carton: a title, a picture, small print, a code of bars."""
    second = _contrast(colour, rng)
    title = _word(rng)

    def draw(face: Image, cell: int) -> None:
        h, w = face.shape[:2]
        face[: h // 8] = second
        if cell in (0, 1, 4):
            _write(face, title, (6, h // 6, w - 6, h // 6 + h // 5), second, rng)
            _motif(face, (w // 5, h // 2 - 6, 4 * w // 5, 9 * h // 10), second, rng)
        elif cell in (2, 3):
            _write(face, title, (8, h // 6, w - 8, h // 3), second, rng)
            _small_print(face, (8, h // 2, w - 8, h - 10), second, rng)
        else:
            for x in range(w // 4, 3 * w // 4, 4):
                cv2.line(face, (x, h // 3), (x, 2 * h // 3), (30, 30, 30), int(rng.integers(1, 3)))

    return _cells(draw, _flat(colour, rng))


def _kraft(colour: Colour, rng: np.random.Generator) -> Image:
    """Brown card with fibres, a strip of tape and a label in the object's colour."""
    base = shaded((176, 140, 98), 5 * noise(rng, (128, 20)) + 4 * noise(rng, 40))

    def draw(face: Image, cell: int) -> None:
        h, w = face.shape[:2]
        if cell in (4, 5):
            face[:, 2 * w // 5 : 3 * w // 5] = (198, 170, 130)
        else:
            cv2.rectangle(face, (w // 6, h // 4), (5 * w // 6, 3 * h // 4), colour, -1)
            _write(face, _word(rng), (w // 5, h // 3, 4 * w // 5, h // 2), _contrast(colour, rng), rng)

    return _cells(draw, base)


def _label(colour: Colour, rng: np.random.Generator) -> Image:
    """A bottle's or can's skin: a coloured body, around it a label with title, picture and small print."""
    body = colour if rng.random() < 0.5 else _ints(rng.uniform(150, 235, 3))
    image = as_image(_flat(body, rng))
    top, bottom = int(rng.integers(70, 105)), int(rng.integers(175, 215))
    paper = colour if body != colour else _contrast(colour, rng)
    image[top:bottom] = paper
    ink = _contrast(paper, rng)
    image[top : top + 5] = image[bottom - 5 : bottom] = ink
    for x in (4, SIZE // 2 + 4):
        _write(image, _word(rng), (x, top + 10, x + 84, top + 42), ink, rng)
        _motif(image, (x + 20, top + 46, x + 64, bottom - 8), _contrast(paper, rng), rng)
        _small_print(image, (x + 90, top + 12, x + 120, bottom - 10), ink, rng)
    image[:42] = _contrast(body, rng) if rng.random() < 0.6 else body  # the cap
    return image


def _fruit(
    base: Colour, blush: Colour, streak: float, spots: Colour | None, cells: int = 70
) -> Callable[..., Image]:
    def draw(_: Colour, rng: np.random.Generator) -> Image:
        mix = np.clip(0.5 + 0.6 * noise(rng, 3) + streak * noise(rng, (2, 60)), 0, 1)[..., None]
        image = np.asarray(base, float) * (1 - mix) + np.asarray(blush, float) * mix
        image += 4 * noise(rng, 100)[..., None]
        if spots is not None:
            image[noise(rng, cells) > 2.0] = spots
        image[:10] *= 0.5  # the stalk
        return as_image(cv2.GaussianBlur(image, (0, 0), 0.7))

    return draw


def _garlic(_: Colour, rng: np.random.Generator) -> Image:
    image = shaded((232, 222, 208), 7 * noise(rng, (3, 50)) + 4 * noise(rng, 20))
    for x in rng.integers(0, SIZE, 16):
        cv2.line(image, (int(x), 40), (int(x + rng.integers(-8, 8)), SIZE), (186, 150, 160), 1)
    image[SIZE - 26 :] = (168, 144, 112)
    return as_image(image)


def _banana(_: Colour, rng: np.random.Generator) -> Image:
    image = shaded((232, 200, 62), 6 * noise(rng, 12))
    image[noise(rng, 36) > 1.7] = (120, 84, 34)
    image[:14] = image[-16:] = (86, 66, 32)
    for x in range(0, SIZE, 51):
        image[:, x : x + 3] *= 0.86
    return as_image(cv2.GaussianBlur(image, (0, 0), 0.8))


def _tape(colour: Colour, rng: np.random.Generator) -> Image:
    image = _flat(colour, rng)
    for y in range(0, SIZE, 3):
        image[y] *= rng.uniform(0.8, 1.0)
    image[3 * SIZE // 8 : SIZE // 2] = (196, 170, 130)
    return as_image(image)


def _pen(colour: Colour, rng: np.random.Generator) -> Image:
    image = as_image(_flat(colour, rng))
    image[: SIZE // 4] = _ints(np.array(colour) * 0.55)
    for x in (10, 138):
        text = np.full((40, 120, 3), colour, np.uint8)
        _write(text, _word(rng), (2, 4, 116, 36), _contrast(colour, rng), rng)
        image[90:210, x : x + 40] = cv2.rotate(text, cv2.ROTATE_90_CLOCKWISE)
    return image


def _keys(rows: int, columns: int) -> Callable[[Image, Colour, np.random.Generator], None]:
    def draw(face: Image, body: Colour, rng: np.random.Generator) -> None:
        h, w = face.shape[:2]
        for column in range(columns):
            for row in range(rows):
                x, y = int((column + 0.5) * w / columns), int((row + 0.6) * h / (rows + 0.6))
                ink = _ints(np.array(body) + 70) if rng.random() < 0.85 else COLOURS["red"]
                cv2.ellipse(
                    face, (x, y), (w // columns // 3, h // rows // 4), 0, 0, 360, ink, -1, cv2.LINE_AA
                )

    return draw


def _remote(colour: Colour, rng: np.random.Generator) -> Image:
    """Keys on the upper face, which is the atlas's cell 4 with the object's length along its rows."""
    dark = _ints(np.array(colour) * 0.55 + 8)

    def draw(face: Image, cell: int) -> None:
        if cell == 4:
            upright = _quarter(face)
            _keys(8, 3)(upright, dark, rng)
            _write(upright, _word(rng), (20, len(upright) - 12, 60, len(upright) - 3), (200, 200, 200), rng)
            face[:] = cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE)

    return _cells(draw, _flat(dark, rng))


def _phone(colour: Colour, rng: np.random.Generator) -> Image:
    def draw(face: Image, cell: int) -> None:
        h, w = face.shape[:2]
        if cell == 4:
            face[6:-6, 6:-6] = (34, 44, 66)
            for _ in range(18):
                x, y = int(rng.integers(8, w - 20)), int(rng.integers(8, h - 20))
                cv2.rectangle(face, (x, y), (x + 11, y + 11), _ints(rng.uniform(60, 240, 3)), -1)

    return _cells(draw, _flat(_ints(np.array(colour) * 0.6), rng))


def _book(colour: Colour, rng: np.random.Generator) -> Image:
    ink = _contrast(colour, rng)

    def draw(face: Image, cell: int) -> None:
        if cell in (4, 5):
            upright = _quarter(face)
            hh, ww = upright.shape[:2]
            cv2.rectangle(upright, (5, 5), (ww - 6, hh - 6), ink, 2)
            _write(upright, _word(rng), (12, 10, ww - 12, 32), ink, rng)
            _motif(upright, (ww // 4, 36, 3 * ww // 4, hh - 22), _contrast(colour, rng), rng)
            _small_print(upright, (ww // 4, hh - 18, 3 * ww // 4, hh - 8), ink, rng)
            face[:] = cv2.rotate(upright, cv2.ROTATE_90_COUNTERCLOCKWISE)
        elif cell != 1:  # pages; cell 1 is the spine
            face[:] = (226, 218, 196)
            face[::3] = (196, 186, 160)

    return _cells(draw, _flat(colour, rng))


def _sponge(colour: Colour, rng: np.random.Generator) -> Image:
    base = _flat(colour, rng)
    base[noise(rng, 110) > 1.1] *= 0.7

    def draw(face: Image, cell: int) -> None:
        if cell == 4:
            face[:] = as_image(shaded((46, 104, 62), 16 * rng.normal(0, 1, face.shape[:2])))

    return _cells(draw, base)


def _leather(_: Colour, rng: np.random.Generator) -> Image:
    tone = _ints(np.array([104, 66, 42]) * rng.uniform(0.4, 1.2))

    def draw(face: Image, cell: int) -> None:
        h, w = face.shape[:2]
        for x in range(6, w - 6, 6):
            for y in (6, h - 7):
                cv2.line(face, (x, y), (x + 3, y), (196, 172, 136), 1)

    return _cells(draw, shaded(tone, 9 * noise(rng, 90) + 8 * noise(rng, 9)))


def _mouse(colour: Colour, rng: np.random.Generator) -> Image:
    """Laid on from above, the front at the image's top."""
    image = as_image(_flat(_ints(np.array(colour) * 0.7), rng))
    cv2.line(image, (SIZE // 2, 0), (SIZE // 2, SIZE // 2), (20, 20, 20), 5)
    cv2.ellipse(image, (SIZE // 2, SIZE // 2), (SIZE // 2, 26), 0, 0, 180, (24, 24, 26), 4)
    cv2.ellipse(image, (SIZE // 2, SIZE // 4), (13, 30), 0, 0, 360, (180, 60, 50), -1)
    _write(image, _word(rng), (SIZE // 3, 180, 2 * SIZE // 3, 205), (200, 200, 200), rng)
    return image


def _steel(_: Colour, rng: np.random.Generator) -> Image:
    return as_image(shaded((168, 170, 174), 14 * noise(rng, (3, 30)) + 10 * noise(rng, 8)))


def _two_parts(low: Callable[..., Image], high: Callable[..., Image]) -> Callable[..., Image]:
    """Lower and upper half of the image in different styles: a handle, and what it holds."""

    def draw(colour: Colour, rng: np.random.Generator) -> Image:
        image = high(colour, rng)
        image[SIZE // 2 :] = low(colour, rng)[SIZE // 2 :]
        return image

    return draw


def _wood(_: Colour, rng: np.random.Generator) -> Image:
    tone = np.array([178, 132, 84]) * rng.uniform(0.6, 1.1)
    return as_image(shaded(tone, 14 * noise(rng, (40, 4)) + 5 * noise(rng, (100, 10))))


def _weave(colour: Colour, rng: np.random.Generator) -> Image:
    y, x = np.mgrid[:SIZE, :SIZE]
    step = int(rng.integers(7, 14))
    over = ((x // step + y // step) % 2).astype(float)
    shade = 0.6 + 0.4 * np.where(
        over > 0, np.sin(np.pi * (x % step) / step), np.sin(np.pi * (y % step) / step)
    )
    return as_image(np.asarray(colour, float) * (shade * (0.85 + 0.15 * over))[..., None])


def _clay(_: Colour, rng: np.random.Generator) -> Image:
    return as_image(shaded((186, 104, 70), 8 * noise(rng, 60) + 9 * noise(rng, (12, 2))))


def _car(colour: Colour, rng: np.random.Generator) -> Image:
    def draw(face: Image, cell: int) -> None:
        h, w = face.shape[:2]
        cv2.rectangle(face, (w // 8, h // 8), (7 * w // 8, h // 2), (60, 74, 90), -1)
        cv2.rectangle(face, (w // 2 - 2, h // 8), (w // 2 + 2, h), (30, 30, 30), -1)
        if cell in (0, 1):
            _write(face, str(int(rng.integers(1, 99))), (w // 8, h // 2, w // 2, h - 8), (240, 240, 240), rng)

    image = _cells(draw, _flat(colour, rng))
    image[SIZE // 2 - 8 : SIZE // 2, SIZE // 3 : SIZE // 3 + 8] = (26, 26, 28)  # tyres, see shapes._car
    return image


_STYLES: dict[str, Callable[[Colour, np.random.Generator], Image]] = {
    "plain": _plain,
    "print": _print,
    "stripes": _stripes,
    "dots": _dots,
    "check": _check,
    "speckle": _speckle,
    "patches": _patches,
    "package": _package,
    "kraft": _kraft,
    "label": _label,
    "apple": _fruit((206, 176, 60), (176, 30, 34), 0.45, (222, 190, 120)),
    "peel": _fruit((236, 138, 30), (226, 116, 16), 0.0, (206, 100, 10), 110),
    "tomato": _fruit((206, 44, 26), (186, 26, 20), 0.1, None),
    "pear": _fruit((190, 190, 74), (176, 158, 60), 0.1, (128, 106, 50)),
    "lemon": _fruit((240, 214, 52), (228, 196, 36), 0.0, (206, 178, 30), 110),
    "egg": _fruit((222, 184, 150), (208, 164, 128), 0.0, (176, 128, 96), 80),
    "garlic": _garlic,
    "banana": _banana,
    "tape": _tape,
    "pen": _pen,
    "remote": _remote,
    "phone": _phone,
    "book": _book,
    "sponge": _sponge,
    "leather": _leather,
    "mouse": _mouse,
    "steel": _steel,
    "knife": _two_parts(_plain, _steel),
    "brush": _two_parts(_wood, _speckle),
    "wood": _wood,
    "weave": _weave,
    "clay": _clay,
    "car": _car,
}

UNCOLOURED = frozenset(
    {
        "apple",
        "peel",
        "tomato",
        "pear",
        "lemon",
        "egg",
        "garlic",
        "banana",
        "leather",
        "steel",
        "wood",
        "clay",
    }
)
"""Styles in which the colour word plays no part."""


def object_texture(style: str, colour: Colour, rng: np.random.Generator) -> Image:
    """A square texture of SIZE pixels in one of the styles that `shapes.Kind.textures` names.

    Raises:
        ValueError: for an unknown style.
    """
    if style not in _STYLES:
        raise ValueError(f"texture {style!r} is not one of {', '.join(_STYLES)}")
    return _STYLES[style](colour, rng)


# -------------------------------------------------------------------------------------- hand and surroundings


def skin_texture(tone: Colour, rng: np.random.Generator, size: int = 128) -> Image:
    """Blotches, pores and creases in the direction across the limb (rows of the image)."""
    image = shaded(
        tone, 6 * noise(rng, 7, size) + 4 * noise(rng, 60, size) - 4 * np.abs(noise(rng, (40, 6), size))
    )
    image[..., 0] += 5 * noise(rng, 4, size)
    return as_image(image)


def sleeve_texture(colour: Colour, rng: np.random.Generator) -> Image:
    """Knitted or woven cloth with folds, some striped."""
    image = _stripes(colour, rng).astype(float) if rng.random() < 0.3 else _flat(colour, rng)
    folds = noise(rng, (24, 3))
    return as_image(image * (0.92 + 0.10 * folds)[..., None] + 5 * rng.normal(0, 1, (SIZE, SIZE, 1)))


def table_texture(rng: np.random.Generator, size: int = 512) -> Image:
    """Wood, planks, laminate, stone, plain paint, a woven or printed cloth, tiles."""
    style = str(
        rng.choice(["planks", "wood", "wood", "laminate", "stone", "paint", "cloth", "printed", "tiles"])
    )
    tone = np.array([rng.uniform(95, 215)] * 3) * rng.uniform(0.86, 1.1, 3)
    if style == "planks":
        return wood_texture(rng, size)
    if style == "wood":
        wooden = np.array([180, 138, 96]) * rng.uniform(0.45, 1.15)
        ring = noise(rng, (30, 2), size) + 0.6 * noise(rng, (90, 5), size)
        return as_image(shaded(wooden, 13 * ring))
    if style == "laminate":
        return as_image(shaded(tone, 4 * noise(rng, 6, size) + 9 * noise(rng, 200, size)))
    if style == "stone":
        veins = np.abs(noise(rng, 6, size) + 0.5 * noise(rng, 14, size))
        return as_image(
            shaded(tone, -34 * np.exp(-12 * veins) + 10 * noise(rng, 10, size) + 4 * noise(rng, 120, size))
        )
    if style == "paint":
        return as_image(shaded(tone, 3 * noise(rng, 5, size) + 2 * noise(rng, 150, size)))
    if style == "tiles":
        image = shaded(tone, 5 * noise(rng, 60, size))
        step = size // int(rng.integers(5, 9))
        for at in range(0, size, step):
            image[at : at + 4] *= 0.75
            image[:, at : at + 4] *= 0.75
        return as_image(image)
    cloth = shaded(tone, 5 * rng.normal(0, 1, (size, size)) + 5 * noise(rng, 8, size))
    if style == "printed":
        second = np.array(list(COLOURS.values())[int(rng.integers(len(COLOURS)))]) * 0.5 + tone * 0.5
        step = int(rng.integers(24, 60))
        lines = ((np.arange(size) // step) % 2) * 0.45
        mix = (lines[:, None] + lines[None])[..., None] * rng.uniform(0.5, 1.0)
        cloth = cloth * (1 - mix) + second * mix
    return as_image(cloth)


def room_texture(rng: np.random.Generator, size: int = 512) -> Image:
    """A wall with whatever stands or hangs there: shelves, pictures, a window, a curtain, or not much."""
    tone = np.array([rng.uniform(110, 215)] * 3) * rng.uniform(0.88, 1.1, 3)
    image = as_image(shaded(tone, 5 * noise(rng, 6, size)))
    for _ in range(int(rng.integers(1, 6))):
        x, y = (int(v) for v in rng.integers(0, size - 60, 2))
        w, h = (int(v) for v in rng.integers(50, 200, 2))
        match int(rng.integers(4)):
            case 0:  # a picture
                cv2.rectangle(
                    image, (x - 5, y - 5), (x + w + 5, y + h + 5), _ints(rng.uniform(20, 90, 3)), -1
                )
                picture = shaded(rng.uniform(60, 200, 3), 40 * noise(rng, 4)) + 25 * noise(rng, 12)[..., None]
                part = as_image(picture)[: min(h, size - y), : min(w, size - x)]
                image[y : y + part.shape[0], x : x + part.shape[1]] = part
            case 1:  # a window
                cv2.rectangle(image, (x, y), (x + w, y + h), (226, 226, 222), -1)
                cv2.rectangle(
                    image, (x + 6, y + 6), (x + w - 6, y + h - 6), _ints(rng.uniform(150, 230, 3)), -1
                )
                cv2.line(image, (x + w // 2, y), (x + w // 2, y + h), (220, 220, 216), 6)
            case 2:  # books on a shelf
                at = x
                while at < min(x + 2 * w, size - 8):
                    wide, tall = int(rng.integers(7, 18)), int(rng.integers(40, 80))
                    cv2.rectangle(
                        image, (at, y + 80 - tall), (at + wide, y + 80), _ints(rng.uniform(30, 190, 3)), -1
                    )
                    at += wide + 1
                cv2.rectangle(image, (x - 8, y + 80), (at + 8, y + 88), _ints(rng.uniform(50, 120, 3)), -1)
            case _:  # a curtain or door
                folds = (np.sin(np.arange(w) / rng.uniform(4, 12)) * 22)[None, : max(0, size - x)]
                base = rng.uniform(60, 190, 3)
                image[:, x : x + folds.shape[1]] = as_image(shaded(base, np.repeat(folds, size, 0)))
    return image
