"""The drawings of the report: curves, lineage, layout, yields, and what is embedded."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from PIL import Image

from tests.report import synthetic
from video2policy.report.artifact import Rate, Reader, read_clip
from video2policy.report.curve import Series, line_chart
from video2policy.report.gate import yields
from video2policy.report.layout import layout_drawings, tracks
from video2policy.report.lineage import lineage, lineage_graph, parents
from video2policy.report.media import Bounds, film_of_frames, film_of_video, picture
from video2policy.report.svg import ticks
from video2policy.report.text import centimetres, code, markdown, plain

CUBE = synthetic.row("lift_cube", "lifting a cube", ["cube"])


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 812.0), (0.0, 300000.0), (1e-4, 3e-4)])
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    found = ticks(low, high)
    assert 3 <= len(found) <= 8
    assert all(low - 1e-9 <= one <= high + 1e-9 for one in found)
    assert np.ptp(np.diff(found)) < 1e-9 * high


def points(markup: str, style: str) -> list[np.ndarray]:
    """The points of every shape whose class holds `style`."""
    shapes = [one for one in ElementTree.fromstring(markup).iter() if style in one.get("class", "").split()]
    return [np.array(re.findall(r"[-\d.]+", one.get("points", "")), float).reshape(-1, 2) for one in shapes]


def test_a_curve_breaks_where_nothing_was_measured() -> None:
    nan = math.nan
    markup = line_chart([Series([0, 1, 2, 3, 4], [nan, 0, 1, nan, 0.5], "sample-0")], "a", (0, 1))
    first, second = points(markup, "curve")
    assert len(first) == 2 and len(second) == 1
    assert first[0, 1] > second[0, 1] > first[1, 1]  # up is a smaller y


def test_long_curves_are_thinned_and_keep_their_end() -> None:
    steps = list(range(10_000))
    (line,) = points(line_chart([Series(steps, [s / 9999 for s in steps], "sample-0")], "a", (0, 1)), "curve")
    assert len(line) <= 150
    assert line[-1, 1] == line[:, 1].min()


def test_lineage_skips_rounds_that_brought_nothing_better(tmp_path: Path) -> None:
    folder = synthetic.write_clip(tmp_path, CUBE)
    synthetic.write_rounds(folder / "v2p", [[0.1, 0.5], [0.4, 0.2], [0.3, 0.9]])
    rounds = read_clip(tmp_path, CUBE, "v2p").rounds
    assert lineage(rounds) == [(0, 1), (2, 1)]
    assert parents(rounds) == {(i, s): (0, 1) for i in (1, 2) for s in (0, 1)}
    graph = ElementTree.fromstring(lineage_graph(rounds))
    links = [one.get("class") for one in graph.iter() if one.tag == "path"]
    assert sorted(links, key=str) == ["link"] * 3 + ["link path"]
    assert graph.get("aria-label") == "Reward lineage: round 0 sample 1, then round 2 sample 1"


def test_layout_has_the_camera_below_and_image_right_to_the_right() -> None:
    def one(name: str, first: list[float], last: list[float], quat: list[float]) -> dict:
        ends = {"first": {"pos": first, "quat": quat}, "last": {"pos": last, "quat": quat}}
        return {"name": name, "size": [0.2, 0.1, 0.1], "rest_quat": quat, **ends}

    tilted = [math.sqrt(0.5), math.sqrt(0.5), 0, 0]  # rests tipped over: the box is upright nevertheless
    scene = {"objects": [one("a", [0, 0, 0.05], [0.3, -0.2, 0.15], tilted)]}
    above, side = layout_drawings(scene).values()
    (first,), (last,) = points(above, "first"), points(above, "last")
    assert last.mean(0)[0] > first.mean(0)[0]  # y falls: to the right
    assert last.mean(0)[1] < first.mean(0)[1]  # x grows: away from the camera, up
    assert np.ptp(first[:, 1]) == pytest.approx(2 * np.ptp(first[:, 0]), abs=0.5)  # 0.2 along x, 0.1 along y
    (first,), (last,) = points(side, "first"), points(side, "last")
    assert last.mean(0)[1] < first.mean(0)[1]  # lifted
    assert np.ptp(last[:, 0]) == pytest.approx(np.ptp(last[:, 1]), abs=0.5)
    assert tracks({"objects": [{"name": "lost"}]}) == [] and layout_drawings({}) == {}


def test_yield_counts_a_clip_once_at_the_gate_that_stopped_it(tmp_path: Path) -> None:
    two = synthetic.row("two", "putting a mug next to a cube", ["mug", "cube"])
    lost = synthetic.row("lost", "rolling a ball", ["ball"])
    synthetic.write_trained(tmp_path, CUBE)
    synthetic.write_clip(tmp_path, two, stop="reconstruct", reason="too dark")
    synthetic.write_clip(tmp_path, lost, stop="segment", reason="hidden")
    rows = {one.stage: one for one in yields([read_clip(tmp_path, row, "v2p") for row in (CUBE, two, lost)])}
    assert list(rows) == [*synthetic.STAGES, "task", "policy"]
    counts = {stage: (one.entered, one.passed) for stage, one in rows.items()}
    assert counts["ground"] == (3, 3)
    assert counts["segment"] == (3, 2) and rows["segment"].dropped == (("lost", "hidden"),)
    assert counts["reconstruct"] == (2, 1) and rows["reconstruct"].dropped == (("two", "too dark"),)
    assert counts["scale"] == counts["task"] == counts["policy"] == (1, 1)


def decoded(path: Path) -> tuple[int, float, int, int]:
    """Frames, seconds, width and height of a video."""
    with av.open(str(path)) as container:
        images = list(container.decode(video=0))
        stream = container.streams.video[0]
        return len(images), float(len(images) / (stream.average_rate or 1)), images[0].width, images[0].height


def test_films_are_bounded_and_keep_their_speed(tmp_path: Path) -> None:
    frames, bounds = tmp_path / "frames", Bounds(video=200, seconds=1.5, frames_per_second=10)
    frames.mkdir()
    for place in range(60):
        Image.new("RGB", (401, 301), (4 * place, 0, 0)).save(frames / f"{place:06d}.jpg")
    paths = sorted(frames.glob("*.jpg"))
    film = film_of_frames(paths, 30.0, bounds, tmp_path / "a.mp4")
    assert film is not None and (film.name, film.poster.name) == ("a.mp4", "a.jpg")
    assert (film.poster.width, film.poster.height) == (200, 150)
    assert decoded(tmp_path / "a.mp4") == (15, pytest.approx(1.5), 200, 150)
    film_of_frames(paths, 30.0, bounds, tmp_path / "b.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()
    (frames / "000007.jpg").write_text("no picture")
    assert film_of_frames(paths, 30.0, Bounds(), tmp_path / "c.mp4") is None
    assert film_of_frames([], 30.0, Bounds(), tmp_path / "c.mp4") is None
    assert not (tmp_path / "c.mp4").exists()


@pytest.mark.parametrize("content", [None, b"", b"rejected: dark\n", b"\x00\x00\x00\x18ftypmp42"])
def test_what_is_no_video_is_left_out(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "rollout.mp4").write_bytes(content)
        (tmp_path / "mesh.png").write_bytes(content)
    assert film_of_video(tmp_path / "rollout.mp4", Bounds(), tmp_path / "out.mp4") is None
    assert picture(tmp_path / "mesh.png", 100, tmp_path / "out.jpg") is None


def test_text_is_escaped_and_readable() -> None:
    assert "<script>" not in code("x = '<script>'") and "&lt;script&gt;" in code("x = '<script>'")
    assert "<img" not in markdown("![a](b) <img src=x>") and "<table>" in markdown("|a|\n|-|\n|1|")
    assert re.findall(r"<h\d>", markdown("# a\n## b")) == ["<h4>", "<h5>"]
    assert plain({"a": [1, 2.34567], "b": None, "c": True}) == "a: 1, 2.35, b: —, c: yes"
    assert centimetres([0.08, 0.065]) == "8.0, 6.5 cm" and centimetres(None) == "—"
    assert str(Rate(0.931, 0.9, 0.961)) == "0.93 [0.90, 0.96]" and str(Rate(0.5)) == "0.50"


def test_csv_cells_that_are_no_numbers_are_gaps(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("steps,success_rate\n1,0.5\n2,\n3,nan\n4\n")
    table = Reader(tmp_path).table(tmp_path / "log.csv")
    assert table["steps"] == [1, 2, 3, 4]
    assert table["success_rate"][0] == 0.5 and all(math.isnan(one) for one in table["success_rate"][1:])
