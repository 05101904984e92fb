import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import PIL.Image
import pytest
from av.stream import Disposition

from scripts import frames as frames_script
from tests.conftest import RenderedClip
from video2policy.clip import (
    CameraMotion,
    Frames,
    Limits,
    Source,
    SourceFrame,
    complaint,
    extract,
    file_hash,
    photo_lens,
    survey,
    thumbnail,
)
from video2policy.perceive.verdict import Rejected

ROOT = Path(__file__).parents[1]
SIZE = (160, 120)  # width, height


def scene(count: int, seed: int = 0, shift: float = 0.0) -> list[np.ndarray]:
    """A textured still scene with a small moving disc; ``shift`` moves the camera, pixels per frame."""
    rng = np.random.default_rng(seed)
    wide = rng.uniform(0, 255, (16, 32, 3)).astype(np.uint8)
    wide = cv2.resize(wide, (320, 160), interpolation=cv2.INTER_NEAREST)
    images = []
    for index in range(count):
        matrix = np.array([[1, 0, -20 - shift * index], [0, 1, -20]], np.float64)
        image = cv2.warpAffine(wide, matrix, SIZE)
        cv2.circle(image, (20 + index % 120, 60), 12, (220, 170, 140), -1)
        images.append(image)
    return images


def write(path: Path, images: list[np.ndarray], codec: str = "libx264", fps: int = 12) -> Path:
    pixel = {"gif": "rgb8", "ffv1": "bgr0"}.get(codec, "yuv420p")
    with av.open(f"file:{path}", "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.bit_rate = 4_000_000
        stream.width, stream.height, stream.pix_fmt = images[0].shape[1], images[0].shape[0], pixel
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame.reformat(format=pixel)))
        container.mux(stream.encode())
    return path


def reason(path: Path, tmp_path: Path) -> str:
    with pytest.raises(Rejected) as caught:
        extract(path, tmp_path / "frames")
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("clip.mp4", "libx264"),
        ("clip.webm", "libvpx-vp9"),
        ("clip.webm", "libvpx"),
        ("clip.gif", "gif"),
        ("clip.mkv", "ffv1"),
        ("clip.avi", "mpeg4"),
    ],
)
def test_containers(tmp_path: Path, name: str, codec: str) -> None:
    images = scene(20)
    record, complaint_ = extract(write(tmp_path / name, images, codec), tmp_path / "frames")
    assert complaint_ is None
    assert (record["n_frames"], record["width"], record["height"]) == (20, *SIZE)
    assert record["fps"] == pytest.approx(12, rel=0.05)
    assert record["source_index"] == list(range(20))
    found = Frames(tmp_path / "frames")
    assert [p.name for p in found.paths][:2] == ["000000.jpg", "000001.jpg"]
    assert len(found) == 20 and len(found[2:5]) == 3
    for index in (0, 19):
        assert np.abs(found[index].astype(int) - images[index]).mean() < 15


def test_a_colon_in_a_name_is_no_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("10:30 cup.mp4"), scene(9), "mpeg4")
    assert len(list(Source.open(Path("10:30 cup.mp4")))) == 9


def test_image_folder_in_natural_order(tmp_path: Path) -> None:
    images = scene(12)
    folder = tmp_path / "clip"
    folder.mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index}.png"), image[..., ::-1])
    record, _ = extract(folder, tmp_path / "frames")
    assert record["n_frames"] == 12 and record["fps"] == 12
    assert np.abs(Frames(tmp_path / "frames")[10].astype(int) - images[10]).mean() < 8


def test_only_images_count_in_a_folder(tmp_path: Path) -> None:
    """Not the files that macOS hides beside them; a raised 2 is no number."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for name, image in zip(("0.png", "1.png", "\u00b20.png"), scene(3), strict=True):
        cv2.imwrite(str(folder / name), image)
    before = file_hash(folder)
    for name in ("._0.png", "._1.png", ".DS_Store"):
        (folder / name).write_bytes(b"fork")
    assert len(list(Source.open(folder))) == 3
    assert file_hash(folder) == before


def test_a_clip_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "clip.mp4", scene(1))
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "may not be read (permission denied)" in reason(path, tmp_path)


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "clip"
    folder.mkdir()
    cv2.imwrite(str(folder / "0.png"), np.zeros((60, 80, 3), np.uint8))
    cv2.imwrite(str(folder / "1.png"), np.zeros((80, 80, 3), np.uint8))
    assert "1.png is 80x80" in reason(folder, tmp_path)


def test_missing_empty_and_foreign_files(tmp_path: Path) -> None:
    assert "does not exist" in reason(tmp_path / "no.mp4", tmp_path)
    (tmp_path / "empty.webm").touch()
    assert "is an empty file" in reason(tmp_path / "empty.webm", tmp_path)
    (tmp_path / "text.mp4").write_text("not a video at all " * 50)
    assert "no frame could be decoded" in reason(tmp_path / "text.mp4", tmp_path)
    (tmp_path / "nothing").mkdir()
    assert "folder without images" in reason(tmp_path / "nothing", tmp_path)


def test_sound_without_pictures(tmp_path: Path) -> None:
    path = tmp_path / "sound.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "no video stream" in reason(path, tmp_path)


def test_one_frame(tmp_path: Path) -> None:
    text = reason(write(tmp_path / "one.mp4", scene(1)), tmp_path)
    assert "one.mp4 has 1 frame," in text and "give a longer clip" in text


def test_truncated_file_gives_what_decodes(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.webm", scene(60), "libvpx").read_bytes()
    part = tmp_path / "part.webm"
    part.write_bytes(whole[: len(whole) * 4 // 5])
    record, _ = extract(part, tmp_path / "frames")
    assert 8 <= record["n_frames"] < 60
    assert "it ends after" in record["quality"]["fault"]
    head = tmp_path / "head.webm"
    head.write_bytes(whole[:400])
    assert "head.webm" in reason(head, tmp_path)
    moovless = tmp_path / "moovless.mp4"
    moovless.write_bytes(write(tmp_path / "whole.mp4", scene(60)).read_bytes()[:3000])
    assert "no frame could be decoded" in reason(moovless, tmp_path)


def test_long_clip_is_refused_and_many_frames_are_thinned(tmp_path: Path) -> None:
    path = write(tmp_path / "many.mp4", scene(100), fps=25)
    record, _ = extract(path, tmp_path / "frames", max_frames=40)
    assert record["source_index"] == list(range(0, 100, 3))
    assert record["n_frames"] == 34 and record["fps"] == pytest.approx(25 / 3)
    with pytest.raises(Rejected, match="longer than 2 s"):
        survey(Source.open(path), Limits(max_seconds=2))


def test_long_side_and_upscaling(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.mp4", scene(10))
    small, _ = extract(path, tmp_path / "small", long_side=80)
    assert (small["width"], small["height"], small["scale"]) == (80, 60, 0.5)
    large, _ = extract(path, tmp_path / "large", long_side=320, upscale=True)
    assert (large["width"], large["height"], large["scale"]) == (320, 240, 2.0)
    same, _ = extract(path, tmp_path / "same", long_side=320)
    assert same["scale"] == 1.0


QUARTER = (0, 1, -1, 0)


def turned(path: Path, matrix: tuple[int, int, int, int] = QUARTER) -> Path:
    """Write a quarter turn, or what else, into the display matrix of an MP4 file, as phones do."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40  # version 0: the matrix stands 40 bytes behind the tag
    a, b, c, d = (value << 16 for value in matrix)
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def test_rotation_of_a_phone_is_respected(tmp_path: Path) -> None:
    images = scene(10)
    path = turned(write(tmp_path / "phone.mp4", images))
    record, _ = extract(path, tmp_path / "frames")
    assert (record["source_width"], record["source_height"]) == (SIZE[1], SIZE[0])
    shown = Frames(tmp_path / "frames")[0]
    clockwise = np.rot90(images[0], -1)
    assert np.abs(shown.astype(int) - clockwise).mean() < 12


@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((1, 0, 0, 1), lambda image: image),
        (QUARTER, lambda image: np.rot90(image, -1)),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, 1), np.fliplr),
        ((1, 0, 0, -1), np.flipud),
        ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
        ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
    ],
)
def test_turned_and_mirrored_clips_are_shown_as_they_are_played(
    tmp_path: Path, matrix: tuple[int, int, int, int], shown: Callable[[np.ndarray], np.ndarray]
) -> None:
    images = scene(1)
    (frame,) = Source.open(turned(write(tmp_path / "selfie.mp4", images), matrix))
    assert frame.image.shape == shown(images[0]).shape
    assert np.abs(frame.image.astype(int) - shown(images[0])).mean() < 12


def test_a_turn_beside_data_that_pyav_does_not_know(tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    (image,) = scene(1)
    PIL.Image.fromarray(image).save(tmp_path / "photo.jpg", exif=exif)
    (frame,) = Source.open(tmp_path / "photo.jpg")
    assert np.abs(frame.image.astype(int) - np.rot90(image, -1)).mean() < 12


@pytest.mark.parametrize("size", [(4096, 16), (16, 2048), (32, 24), (1920, 64)])
def test_a_clip_too_small_or_narrow_to_see_anything(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "clip").mkdir()
    cv2.imwrite(str(tmp_path / "clip" / "0.png"), np.zeros((*size[::-1], 3), np.uint8))
    assert f"too small or too narrow ({size[0]}x{size[1]})" in reason(tmp_path / "clip", tmp_path)


@dataclass
class Timed(Source):
    """A clip whose frames come at given times (s, None unknown), some damaged."""

    times: Sequence[float | None] = ()
    gone: Sequence[int] = ()

    def __iter__(self) -> Iterator[SourceFrame]:
        self.damaged = len(self.gone)
        images = scene(len(self.times))
        return (SourceFrame(i, self.times[i], images[i]) for i in range(len(images)) if i not in self.gone)


@pytest.mark.parametrize(
    ("rate", "times", "fps", "fault"),
    [
        (None, [2.0 * n for n in range(9)], 0.5, None),
        (None, [n / 1000 for n in range(9)], 1000, None),
        (30, [n / 570 for n in range(9)], 30, None),
        (None, [0.0] * 9, 12, "frame rate unknown, 12 assumed"),
        (None, [None] * 9, 12, "frame rate unknown, 12 assumed"),
        (10, [0.033 * min(n, 5) + 0.2 * max(n - 5, 0) for n in range(12)], 8.058, "uneven frame times"),
    ],
)
def test_the_rate_of_frames_by_their_times(
    rate: float | None, times: list[float | None], fps: float, fault: str | None
) -> None:
    found = survey(Timed(Path("c.mp4"), rate or 12.0, rate is not None, times=times), Limits())
    assert found.fps == pytest.approx(fps, rel=1e-3) and found.fault == fault


def test_a_clip_is_as_long_as_its_times_say() -> None:
    slow, fast = ([step * n for n in range(30)] for step in (3.0, 0.001))
    with pytest.raises(Rejected, match="longer than 60 s"):
        survey(Timed(Path("c.mp4"), timed=False, times=slow), Limits())
    survey(Timed(Path("c.mp4"), timed=False, times=fast), Limits(max_seconds=1))


def test_damaged_frames_keep_their_numbers_and_too_many_are_refused() -> None:
    times = [n / 12 for n in range(20)]
    found = survey(Timed(Path("c.mp4"), times=times, gone=[0, 7]), Limits())
    assert (found.n_frames, found.fps) == (20, pytest.approx(12))
    assert found.fault == "2 of 20 frames are damaged"
    with pytest.raises(Rejected, match="11 of 20 frames are damaged; copy"):
        survey(Timed(Path("c.mp4"), times=times, gone=range(8, 19)), Limits())


def test_a_cover_is_not_the_clip(tmp_path: Path) -> None:
    """Nor is a small preview, whichever comes first."""
    path = tmp_path / "covered.mp4"
    cover, preview = np.zeros((400, 400, 3), np.uint8), np.zeros((60, 80, 3), np.uint8)
    pictures = [("mjpeg", [cover]), ("mpeg4", [preview] * 9), ("mpeg4", scene(9))]
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=12) for codec, _ in pictures]
        for stream, (codec, images) in zip(streams, pictures, strict=True):
            stream.height, stream.width = images[0].shape[:2]
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        streams[0].disposition = Disposition.attached_pic
        for stream, (_, images) in zip(streams, pictures, strict=True):
            for image in images:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
    assert [frame.image.shape for frame in Source.open(path)] == [(*SIZE[::-1], 3)] * 9


def test_a_list_of_other_files_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path / "clip.mp4", scene(9), "mpeg4")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile clip.mp4\n")
    assert "is a list of other files" in reason(tmp_path / "list.mp4", tmp_path)


def seen(path: Path, **limits: float) -> str | None:
    measured = Limits(**limits)
    return complaint(path, survey(Source.open(path), measured), measured)


def test_moving_camera(tmp_path: Path) -> None:
    moving = write(tmp_path / "pan.mp4", scene(30, shift=0.7))
    assert "the camera moves by" in (seen(moving) or "")
    assert seen(moving, max_camera_motion=0.5) is None
    assert seen(write(tmp_path / "still.mp4", scene(30))) is None


def test_two_frames_that_cannot_be_matched_are_no_camera_motion() -> None:
    still = [thumbnail(image) for image in scene(9)]
    aside = [np.roll(image, 14, axis=1) for image in still]
    one, two = [*still[:4], aside[4], *still[5:]], [*still[:4], *aside[4:6], *still[6:]]
    for frames, moves in ((one, False), (two, False), ([*still[:4], *aside[4:]], True)):
        camera = CameraMotion(frames[0])
        for image in frames:
            camera.update(image)
        assert max(camera.shifts) > 0.03
        assert (camera.largest > 0.03) is moves


def test_a_large_moving_hand_is_no_camera_motion(tmp_path: Path) -> None:
    images = scene(30)
    for index, image in enumerate(images):
        patch = np.random.default_rng(5).uniform(120, 220, (60, 90, 3)).astype(np.uint8)
        image[40:100, 2 * index : 2 * index + 90] = cv2.blur(patch, (3, 3))[:, : 160 - 2 * index]
    assert seen(write(tmp_path / "hand.mp4", images)) is None


def prints(grain: float, count: int, shift: float = 0.0) -> list[np.ndarray]:
    """Frames of a table with so much grain, over which things with strong prints are pushed together."""
    rng = np.random.default_rng(3)
    noise = cv2.GaussianBlur(rng.normal(0, 1, (240, 400)), (0, 0), 2.5)
    table = np.repeat((150 + grain * noise / noise.std())[..., None], 3, axis=2).astype(np.uint8)
    print_ = cv2.resize(rng.integers(0, 2, (12, 10)).astype(np.uint8), (70, 84), interpolation=0) * 255
    images = []
    for index in range(30):
        image = table[:, round(shift * index) :][:, :320].copy()
        for one in range(count):
            left = 120 - 80 * one
            image[150 - 4 * index : 234 - 4 * index, left : left + 70] = print_[..., None]
        images.append(image)
    return images


def test_a_printed_object_on_a_faint_table_is_no_camera_motion(tmp_path: Path) -> None:
    assert seen(write(tmp_path / "print.mp4", prints(9, 1))) is None


def test_few_features_of_the_table_outvote_many_of_what_is_pushed(tmp_path: Path) -> None:
    images = prints(3, 2)
    camera = CameraMotion(thumbnail(images[0]))
    for image in images:
        camera.update(thumbnail(image))
    assert max(camera.shifts) < 0.01
    assert seen(write(tmp_path / "prints.mp4", images)) is None
    assert "the camera moves by" in (seen(write(tmp_path / "pan.mp4", prints(3, 2, shift=1.5))) or "")


def test_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "cut.mp4", scene(15) + scene(15, seed=9))
    assert "has a cut at frame 15" in (seen(path, max_camera_motion=1) or "")
    dark = [np.zeros_like(scene(1)[0])]
    assert "has a cut at frame 15" in (seen(write(tmp_path / "dark.mp4", scene(15) + 3 * dark)) or "")
    bright = scene(30)
    bright[15:] = [cv2.convertScaleAbs(image, alpha=1, beta=25) for image in bright[15:]]
    assert seen(write(tmp_path / "lamp.mp4", bright)) is None


def test_an_arm_that_comes_in_at_once_is_no_cut(tmp_path: Path) -> None:
    """It moves the picture's median from a bright half to a dark one, but not what it leaves in view."""
    images = [cv2.convertScaleAbs(image, alpha=0.2, beta=150) for image in scene(30)]
    for image in images:
        image[:55] //= 3
    for image in images[15:]:
        image[-50:, :60] = (60, 80, 110)
    assert seen(write(tmp_path / "arm.mp4", images)) is None


def test_blur(tmp_path: Path) -> None:
    path = write(tmp_path / "blur.mp4", [cv2.GaussianBlur(image, (0, 0), 9) for image in scene(12)])
    assert "is blurred throughout" in (seen(path, max_camera_motion=1) or "")


def test_black(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    dark = [rng.integers(0, 14, (*SIZE[::-1], 3)).astype(np.uint8) for _ in range(12)]
    assert "is black throughout" in (seen(write(tmp_path / "black.mp4", dark)) or "")
    night = [cv2.convertScaleAbs(image, alpha=0.25) for image in scene(30)]
    assert "black" not in (seen(write(tmp_path / "night.mp4", night)) or "")


def test_static(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    still = [np.clip(scene(1)[0] + rng.normal(0, 4, (*SIZE[::-1], 3)), 0, 255) for _ in range(20)]
    path = write(tmp_path / "static.mp4", [image.astype(np.uint8) for image in still])
    assert "nothing moves" in (seen(path) or "")
    assert seen(path, min_motion=0) is None
    flicker = [cv2.convertScaleAbs(scene(1)[0], alpha=0.8, beta=2 * t) for t in range(20)]
    assert "nothing moves" in (seen(write(tmp_path / "lamp.mp4", flicker)) or "")
    coin = [scene(1)[0].copy() for _ in range(20)]
    for t, image in enumerate(coin):
        cv2.circle(image, (60 + t, 80), 3, (255, 255, 255), -1)
    assert seen(write(tmp_path / "coin.mp4", coin)) is None


@pytest.mark.parametrize(
    ("aspect", "width", "fault"), [((4, 3), 213, None), ((10, 1), 160, "pixels 10 times")]
)
def test_pixels_that_are_not_square(
    tmp_path: Path, aspect: tuple[int, int], width: int, fault: str | None
) -> None:
    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(*aspect)
        for image in scene(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    record, _ = extract(path, tmp_path / "frames")
    assert (record["source_width"], record["source_height"]) == (width, 120)
    assert Frames(tmp_path / "frames")[0].shape == (120, width, 3)
    assert (fault or "None") in str(record["quality"]["fault"])


@pytest.mark.parametrize(
    ("key", "value", "equivalent"),
    [
        ("com.apple.quicktime.camera.focal_length.35mm_equivalent", "26", 26.0),
        ("FocalLengthIn35mmFilm", "28", 28.0),
        ("com.apple.quicktime.camera.focal_length.35mm_equivalent", "0", None),
        ("comment", "26", None),
    ],
)
def test_lens_by_a_videos_tags(tmp_path: Path, key: str, value: str, equivalent: float | None) -> None:
    path = tmp_path / "phone.mov"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata[key] = value
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for image in scene(12):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    record, _ = extract(path, tmp_path / "frames")
    expected = equivalent and {"equivalent": equivalent, "source": key, "video": True}
    assert record["lens"] == expected


def test_lens_by_the_exif_of_images(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, image in enumerate(scene(10)):
        exif = PIL.Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = 27
        exif[0x0112] = 6  # to be turned a quarter clockwise
        PIL.Image.fromarray(image).save(folder / f"{index}.jpg", exif=exif)
    record, _ = extract(folder, tmp_path / "frames")
    assert record["lens"] == {"equivalent": 27.0, "source": "FocalLengthIn35mmFilm", "video": False}
    assert (record["source_width"], record["source_height"]) == SIZE[::-1], "held upright"
    (folder / "0.jpg").write_bytes((folder / "0.jpg").read_bytes()[:600])
    assert photo_lens(folder / "0.jpg") in (None, {**record["lens"]})


LONG = """
import re, sys
from pathlib import Path
from video2policy.clip import extract
record, complaint = extract(Path(sys.argv[1]), Path(sys.argv[2]))
print(record["n_frames"], record["width"], record["height"], complaint)
status = Path("/proc/self/status").read_text()  # ru_maxrss would count what forked it
print(int(re.search(r"VmHWM:\\s+(\\d+)", status).group(1)) // 1024)
"""


def big(path: Path, count: int, size: tuple[int, int]) -> Path:
    """`count` frames of this size (width, height), quickly made."""
    small = [cv2.resize(image, size, interpolation=cv2.INTER_NEAREST) for image in scene(8)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast", "crf": "30"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(small[index % len(small)], format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("count", "size", "expected"),
    [(9, (3840, 2160), "9 1024 576 None"), (1000, (320, 240), "200 320 240 None")],
    ids=["4K", "1000 frames"],
)
def test_large_clips_take_little_memory(
    tmp_path: Path, count: int, size: tuple[int, int], expected: str
) -> None:
    path = big(tmp_path / "big.mp4", count, size)
    command = [sys.executable, "-c", LONG, str(path), str(tmp_path / "frames")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    what, megabytes = done.stdout.splitlines()
    assert what == expected
    assert int(megabytes) < 1000


def test_unknown_threshold_is_named() -> None:
    with pytest.raises(ValueError, match=r"frames\.quality.sharp is not one of"):
        Limits.from_config({"sharp": 1})


def test_rendered_clip_through_the_script(rendered_clip: RenderedClip, tmp_path: Path) -> None:
    settings = {"long_side": 1024, "max_frames": 240, "upscale": False, "quality": {}}
    verdict = frames_script.main(
        rendered_clip.path,
        tmp_path / "frames",
        tmp_path / "clip.json",
        {"video": "lift", "caption": "lifting box up"},
        settings,
    )
    record = json.loads((tmp_path / "clip.json").read_text())
    assert verdict.passed and verdict.confidence > 0.9 and verdict.better is None
    assert (record["video"], record["n_frames"], record["fps"]) == ("lift", 72, 12)
    assert len(record["sha256"]) == 64 and record["quality"]["cuts"] == []
    assert record["quality"]["camera_motion_px"] < 0.5


def test_rejected_quality_still_leaves_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "pan.mp4", scene(30, shift=0.7))
    row = {"video": "pan", "caption": "lifting box up"}
    with pytest.raises(Rejected, match="camera moves"):
        frames_script.main(path, tmp_path / "frames", tmp_path / "clip.json", row, {"quality": {}})
    assert len(Frames(tmp_path / "frames")) == 30 and (tmp_path / "clip.json").exists()


def test_real_clips_pass(real_clips: Path) -> None:
    for path in sorted(real_clips.glob("*.mp4")):
        source = Source.open(path)
        measured = survey(source, Limits())
        assert complaint(path, measured, Limits()) is None
        assert 5 < measured.fps < 61, "their time stamps are all zero"
