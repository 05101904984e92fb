import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from scripts import ground as ground_script
from tests.conftest import RenderedClip
from video2policy.clip import extract
from video2policy.mask import COLOURS, box_iou
from video2policy.perceive.ground import (
    Grounding,
    box_around_points,
    draw_groundings,
    frame_of,
    given_box,
    given_points,
    ground,
)
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.verdict import Rejected

CLIP = {"source_width": 640, "source_height": 480, "scale": 0.5, "source_index": [0, 2, 4, 6]}


def row(clip: RenderedClip, labels: list[str], boxes=None, points=None) -> dict:
    return {
        "objects": list(clip.objects),
        "labels": labels,
        "boxes": boxes or {},
        "points": points or {},
        "masks": {},
        "roles": {"a": clip.objects[0]},
    }


def record(images: list[np.ndarray]) -> dict:
    height, width = images[0].shape[:2]
    return {
        "source_width": width,
        "source_height": height,
        "scale": 1.0,
        "source_index": list(range(len(images))),
    }


def test_given_box_is_scaled_and_checked() -> None:
    assert given_box([100, 50, 300, 250], CLIP, "cup") == (50, 25, 150, 125)
    with pytest.raises(Rejected, match="leaves the 640x480 picture"):
        given_box([100, 50, 700, 250], CLIP, "cup")
    with pytest.raises(Rejected, match="is empty"):
        given_box([300, 50, 100, 250], CLIP, "cup")


def test_given_points_are_scaled_and_checked() -> None:
    assert given_points([[10, 20]], CLIP, "cup") == ((5, 10),)
    with pytest.raises(Rejected, match="outside the 640x480 picture"):
        given_points([[10, 480]], CLIP, "cup")


def test_frame_of_the_source() -> None:
    assert [frame_of(i, CLIP["source_index"], "cup") for i in (0, 4, 7)] == [0, 2, 3]
    with pytest.raises(Rejected, match="frame 90, the clip's last is 6"):
        frame_of(90, CLIP["source_index"], "cup")


def test_box_around_points() -> None:
    rng = np.random.default_rng(0)
    image = rng.normal(170, 4, (200, 300, 3)).clip(0, 255).astype(np.uint8)
    cv2.rectangle(image, (100, 60), (159, 139), (40, 60, 200), -1)
    cv2.rectangle(image, (220, 60), (259, 139), (40, 60, 200), -1)
    assert box_iou(box_around_points(image, [(130, 100)]), (98, 58, 162, 142)) > 0.9


def test_sheet_wins_over_proposals(rendered_clip: RenderedClip) -> None:
    images = rendered_clip.images()
    given = {"red_box": {"frame": 3, "box": [10, 20, 60, 90]}}
    (found,), verdict = ground(images, record(images), row(rendered_clip, ["red box"], boxes=given))
    assert (found.box, found.frame, found.method, found.score) == ((10, 20, 60, 90), 3, "box", 1.0)
    assert verdict.passed and verdict.confidence == 1.0 and verdict.better is None


def test_boxes_on_several_frames_become_prompts_of_one_object(rendered_clip: RenderedClip) -> None:
    images = rendered_clip.images()
    later = {"frame": 5, "box": [20, 20, 60, 80]}  # frames and pixels of the source: twice as large
    given = {"red_box": {"frame": 0, "box": [10, 20, 60, 90], "also": [later]}}
    (found,), _ = ground(images, record(images) | {"scale": 0.5}, row(rendered_clip, ["box"], boxes=given))
    first, second = Prompt.from_json(found.to_json())
    assert (first.frame, first.box) == (0, (5, 10, 30, 45))
    assert (second.frame, second.box) == (5, (10, 10, 30, 40))
    assert draw_groundings(images, [found]).shape[1] == 2 * images[0].shape[1]


def test_points_of_the_sheet(rendered_clip: RenderedClip) -> None:
    images = rendered_clip.images()
    x0, y0, x1, y1 = rendered_clip.first_box("red_box")
    given = {"red_box": {"frame": 0, "points": [[(x0 + x1) / 2, (y0 + y1) / 2]]}}
    (found,), _ = ground(images, record(images), row(rendered_clip, ["box"], points=given))
    assert found.method == "points" and len(found.points) == 1
    assert box_iou(found.box, (x0, y0, x1, y1)) > 0.6


@pytest.mark.parametrize(("label", "method"), [("red box", "colour"), ("box", "motion")])
def test_proposals_find_the_lifted_object(rendered_clip: RenderedClip, label: str, method: str) -> None:
    images = rendered_clip.images()
    (found,), verdict = ground(images, record(images), row(rendered_clip, [label]))
    assert found.method.split(", ")[0] == method
    assert box_iou(found.box, rendered_clip.first_box("red_box")) > 0.75
    assert 0.2 < verdict.confidence < 1
    assert "box" in verdict.better and "`make setup` fetches them where npm is installed" in verdict.better


def test_proposals_find_two_objects_by_colour(rendered_pair: RenderedClip) -> None:
    images = rendered_pair.images()
    found, _ = ground(images, record(images), row(rendered_pair, ["orange cup", "yellow ball"]))
    for one in found:
        assert box_iou(one.box, rendered_pair.first_box(one.name)) > 0.7, one


def test_nothing_to_find_is_said(rendered_clip: RenderedClip) -> None:
    images = [rendered_clip.images()[0]] * 12
    with pytest.raises(Rejected, match=r"purple box: nothing in the clip fits .* give a box or points"):
        ground(images, record(images), row(rendered_clip, ["purple box"]))


def test_overlay_and_script(rendered_clip: RenderedClip, tmp_path: Path) -> None:
    clip, _ = extract(rendered_clip.path, tmp_path / "frames")
    (tmp_path / "clip.json").write_text(json.dumps(clip))
    out = tmp_path / "objects.json", tmp_path / "objects.png"
    verdict = ground_script.main(
        tmp_path / "frames", tmp_path / "clip.json", *out, row(rendered_clip, ["red box"])
    )
    (entry,) = json.loads(out[0].read_text())["objects"]
    assert set(entry) == {"name", "label", "frame", "box", "points", "score", "method", "also"}
    assert entry["name"] == "red_box" and verdict.passed
    assert cv2.imread(str(out[1])).shape == (240, 320, 3)


@pytest.mark.parametrize("box", [(300, 100, 318, 120), (2, 2, 40, 30), (100, 200, 140, 238)])
def test_a_label_is_whole_and_touches_its_box(box: tuple[float, float, float, float]) -> None:
    cup = Grounding("cup", "cup", 0, box, (), 0.98, "colour, motion")
    picture = draw_groundings([np.zeros((240, 320, 3), np.uint8)], [cup])
    drawn = np.all(picture == COLOURS[0], axis=2)
    rows = np.flatnonzero(drawn.sum(axis=1) > 60)  # the label's margins are filled
    assert 10 <= np.ptp(rows) <= 25
    assert min(abs(rows.max() - box[1]), abs(rows.min() - box[3])) <= 2


def test_rejected_clip_still_shows_its_first_frame(rendered_clip: RenderedClip, tmp_path: Path) -> None:
    clip, _ = extract(rendered_clip.path, tmp_path / "frames")
    (tmp_path / "clip.json").write_text(json.dumps(clip))
    wrong = {"red_box": {"frame": 0, "box": [0, 0, 999, 20]}}
    with pytest.raises(Rejected, match="leaves the 320x240 picture"):
        ground_script.main(
            tmp_path / "frames",
            tmp_path / "clip.json",
            tmp_path / "objects.json",
            tmp_path / "objects.png",
            row(rendered_clip, ["red box"], boxes=wrong),
        )
    assert (tmp_path / "objects.png").exists()


def test_boxes_on_different_frames_stand_side_by_side(rendered_pair: RenderedClip) -> None:
    images = rendered_pair.images()
    given = {
        "orange_cup": {"frame": 0, "box": [10, 20, 60, 90]},
        "yellow_ball": {"frame": 5, "box": [10, 20, 60, 90]},
    }
    found, _ = ground(images, record(images), row(rendered_pair, ["orange cup", "yellow ball"], boxes=given))
    assert draw_groundings(images, found).shape == (240, 640, 3)
