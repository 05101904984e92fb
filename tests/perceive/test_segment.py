import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from scripts import segment as segment_script
from tests.conftest import RenderedClip
from tests.perceive.turning import turning_block
from video2policy.clip import Source, extract
from video2policy.mask import bounding_box, iou, load_masks
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.segment import Segmentation, joined, segment, verdict
from video2policy.perceive.verdict import Rejected
from video2policy.sheet import read_sheet


def prompts(clip: RenderedClip) -> list[Prompt]:
    return [Prompt(obj, 0, tuple(map(float, clip.first_box(obj)))) for obj in clip.objects]


def overlaps(clip: RenderedClip, obj: str) -> tuple[np.ndarray, Segmentation]:
    found = segment(clip.images(), prompts(clip), obj)
    truth = clip.masks(obj)
    assert found.masks.shape == truth.shape and found.score.shape == (len(truth),)
    return np.array([iou(a, b) for a, b in zip(found.masks, truth, strict=True)]), found


def test_lifted_box(rendered_clip: RenderedClip) -> None:
    """A hand carries, turns and partly hides it."""
    values, found = overlaps(rendered_clip, "red_box")
    assert values.mean() >= 0.9 and values.min() >= 0.75
    assert found.score.min() > 0.5
    assert verdict("red_box", found, "test").confidence > 0.7


def test_cup_put_over_a_ball(rendered_pair: RenderedClip) -> None:
    values, _ = overlaps(rendered_pair, "orange_cup")
    assert values.mean() >= 0.9
    values, found = overlaps(rendered_pair, "yellow_ball")
    assert values.mean() >= 0.85
    assert not found.masks[-5:].any(), "covered: it must not be found elsewhere"
    assert found.score[-1] == 0


def test_prompt_in_the_middle_of_the_clip(rendered_clip: RenderedClip) -> None:
    truth = rendered_clip.masks("red_box")
    box = bounding_box(truth[60])
    found = segment(rendered_clip.images(), [Prompt("red_box", 60, tuple(map(float, box)))], "red_box")
    assert np.mean([iou(a, b) for a, b in zip(found.masks, truth, strict=True)]) >= 0.85


@pytest.mark.parametrize("seed", [0, 1])
def test_faces_that_turn_into_view_belong_to_it(seed: int) -> None:
    images, truth = turning_block(seed, degrees=80)
    box = bounding_box(truth[0])
    assert box is not None
    found = segment(images, [Prompt("block", 0, tuple(map(float, box)))], "block")
    values = np.array([iou(a, b) for a, b in zip(found.masks, truth, strict=True)])
    assert values.mean() >= 0.85 and values[-5:].mean() >= 0.8, "the face at the end was hidden at first"


def result(share: float, seen: float, score: float = 0.9, end: float | None = None) -> Segmentation:
    """Masks over a share of the frame on a share of 20 frames, with this score, another on the last three."""
    masks = np.zeros((20, 40, 50), bool)
    masks[: round(20 * seen), : round(40 * share)] = True
    scores = np.full(20, score, np.float32)
    scores[-3:] = score if end is None else end
    return Segmentation(masks, scores, np.zeros(20, bool))


def not_found(frames: slice) -> Segmentation:
    """A sure result, but for frames on which the object is missing though nothing hides it."""
    good, missing = result(0.1, 1), np.zeros(20, bool)
    missing[frames] = True
    good.masks[frames], good.score[frames] = False, 0
    return good._replace(missing=missing)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (result(0, 0), "empty on every frame"),
        (result(0.9, 1), "covers 90% of the picture"),
        (result(0.1, 0.1), "lost on 90% of the frames"),
        (
            result(0.1, 1, score=0.3),
            "likelier wrong than right on 20 of the 20 frames .* first on frame 100",
        ),
        (result(0.1, 1, score=0.6), "may well be wrong on the 20 frames .* likeliest on frame 1"),
        (result(0.1, 1, end=0.1), "lost on the frames 117 to 119"),
        (not_found(slice(4, 12)), "on 8 of the 20 frames that should show it, first on frame 104"),
        (not_found(slice(0, 3)), "lost on the frames 100 to 102"),
        (not_found(slice(-3, None)), "lost on the frames 117 to 119"),
    ],
)
def test_unusable_masks_are_refused(found: Segmentation, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        verdict("cup", found, "test", range(100, 120))


def test_every_frame_is_that_of_the_nearest_prompt() -> None:
    both = [result(0.1, 1), result(0.5, 1)]
    n = len(both[0].masks)
    found = joined(both, [0, n - 1])
    share = found.masks.mean(axis=(1, 2))
    assert share[0] == pytest.approx(both[0].masks[0].mean())
    assert share[-1] == pytest.approx(both[1].masks[0].mean())
    assert (np.diff(share) != 0).sum() == 1


def test_slivers_of_what_is_mostly_hidden_count_little() -> None:
    sliver = result(0.5, 1)
    sliver.masks[12:, 2:], sliver.score[12:] = False, 0.05
    assert verdict("mug", sliver, "test").confidence > 0.8


def test_what_something_hides_is_not_refused() -> None:
    """Covered on the last frames: no mask, no score, and not missing."""
    found = not_found(slice(12, None))
    hidden = found._replace(missing=np.zeros(20, bool))
    assert verdict("ball", hidden, "test").confidence == pytest.approx(0.9)


def test_scores_that_are_no_probabilities_refuse_nothing() -> None:
    assert verdict("cup", result(0.1, 1, score=0.3)._replace(missing=None), "another").passed


def test_script(rendered_clip: RenderedClip, tmp_path: Path) -> None:
    clip, _ = extract(rendered_clip.path, tmp_path / "frames", max_frames=24)
    (tmp_path / "clip.json").write_text(json.dumps(clip))
    box = list(rendered_clip.first_box("red_box"))
    objects = {"objects": [{"name": "red_box", "frame": 0, "box": box, "points": []}]}
    (tmp_path / "objects.json").write_text(json.dumps(objects))
    out = tmp_path / "red_box.npz", tmp_path / "red_box.png"
    judged = segment_script.main(
        tmp_path / "frames", tmp_path / "clip.json", tmp_path / "objects.json", *out, "red_box"
    )
    masks, score = load_masks(out[0])
    truth = rendered_clip.masks("red_box")[::3]
    assert judged.passed and len(score) == 24
    assert np.mean([iou(a, b) for a, b in zip(masks, truth, strict=True)]) >= 0.9
    assert cv2.imread(str(out[1])) is not None


def test_real_cup_stays_apart_from_its_twins(real_clips: Path) -> None:
    """Three red cups; the right one is pushed, masks of neighbouring frames agree, its area stays."""
    sheet = Path(__file__).parents[1] / "real_clips.tsv"
    (row,) = read_sheet(sheet, ids=["push_cup_right"])
    scale = 0.25
    images = [
        np.asarray(cv2.resize(f.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        for f in Source.open(real_clips / "push_cup_right.mp4")
    ]
    box = tuple(scale * v for v in row.boxes["red_cup"]["box"])
    found = segment(images, [Prompt("red_cup", 0, box)], "red_cup")
    areas = found.masks.sum(axis=(1, 2))
    assert areas.min() > 0.75 * areas[0] and areas.max() < 1.15 * areas[0]
    columns = [np.argwhere(mask)[:, 1].mean() for mask in found.masks]
    assert columns[-1] - columns[0] > 0.08 * images[0].shape[1], "it moves to the right"


def test_shadow_over_a_resting_object() -> None:
    """A hard shadow wanders over a dull card that lies still on a table; the mask stays the card's."""
    rng = np.random.default_rng(1)
    table = rng.normal((170, 140, 110), 4, (120, 200, 3))
    table[45:75, 80:130] = (70, 90, 130)
    table[52:60, 90:120] = (150, 150, 60)
    truth = np.zeros((120, 200), bool)
    truth[45:75, 80:130] = True
    frames = []
    for t in range(24):
        image = table + rng.normal(0, 2, table.shape)
        image[20:100, max(0, 10 * t - 60) : 10 * t] *= 0.5
        frames.append(image.clip(0, 255).astype(np.uint8))
    found = segment(frames, [Prompt("card", 0, (79, 44, 131, 76))], "card")
    values = np.array([iou(mask, truth) for mask in found.masks])
    assert values.min() > 0.85
