"""Hands as a ruler, on hands that are made here; MediaPipe itself is tested in its own environment."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scripts import hands as hands_script
from tests.workflow import SNAKEMAKE, Project
from video2policy.camera import intrinsics
from video2policy.perceive import hand
from video2policy.perceive.hand import MODEL_ERROR, PALM, Hand, place, ruler, trusted

K = intrinsics(640, 480)[0]


def flat_hand(stretch: float = 1.0) -> np.ndarray:
    """World landmarks (21, 3) of an open hand, wrist to middle knuckle PALM long; fingers `stretch` long."""
    points = np.zeros((21, 3))
    for finger in range(5):
        angle = np.radians(90 + 22 * (2 - finger)) if finger else np.radians(150)
        way = np.array([np.cos(angle), -np.sin(angle), 0.1 * (finger - 2)])
        for joint in range(4):
            length = PALM * (1 + stretch * 0.3 * joint) if finger else PALM * (0.4 + 0.25 * joint)
            points[1 + 4 * finger + joint] = way * length
    points *= PALM / np.linalg.norm(points[9])
    return points - points.mean(axis=0)


def hand_at(
    centre: np.ndarray, K: np.ndarray, stretch: float = 1.0, size: float = 1.0, score: float = 0.95
) -> Hand:
    """A hand of `size` times the usual at a place in the camera's frame, metres."""
    world = flat_hand(stretch)
    seen = size * world + np.asarray(centre)
    pixels = (seen / seen[:, 2:]) @ K.T
    return Hand("right", score, pixels[:, :2], world)


@given(st.floats(0.3, 1.5), st.floats(-0.2, 0.2), st.floats(-0.15, 0.15))
def test_a_hand_of_usual_size_is_where_it_is(z, x, y):
    placed = place(hand_at([x, y, z], K), K)
    assert placed is not None and placed.error < 0.01
    np.testing.assert_allclose(placed.points.mean(axis=0), [x, y, z], atol=0.02 * z)


def test_a_larger_hand_seems_nearer_and_the_lens_cancels():
    near = place(hand_at([0, 0, 0.6], K, size=1.2), K)
    assert near.points[:, 2].mean() == pytest.approx(0.5, rel=0.05)
    wide = np.diag([0.7, 0.7, 1.0]) @ K
    wide[:2, 2] = K[:2, 2]
    seen = hand_at([0, 0, 0.6], K)
    # under a lens of .7 of the focal length everything seems at .7 of its distance, objects too
    assert place(seen, wide).points[:, 2].mean() == pytest.approx(0.42, rel=0.06)


def test_grips_guesses_and_contradictions_are_no_rulers():
    good = hand_at([0, 0, 0.6], K)
    assert trusted(good, place(good, K))
    fist = hand_at([0, 0, 0.6], K, stretch=0.1)
    assert fist.openness < 1.3 and not trusted(fist, place(fist, K))
    guess = hand_at([0, 0, 0.6], K, score=0.5)
    assert not trusted(guess, place(guess, K))
    noise = np.random.default_rng(0).normal(0, 12, (21, 2))
    torn = Hand("left", 0.95, good.pixels + noise, good.world)
    assert not trusted(torn, place(torn, K))


def test_no_hand_where_there_is_none_to_place():
    nothing = Hand("left", 1.0, np.full((21, 2), np.nan), flat_hand())
    assert place(nothing, K) is None and not trusted(nothing, None)
    point = Hand("left", 1.0, np.full((21, 2), 7.0), np.zeros((21, 3)))
    assert place(point, K) is None
    with pytest.raises(ValueError, match="21 landmarks"):
        Hand("left", 1.0, np.zeros((20, 2)), np.zeros((21, 3)))


def scene(depth: float = 0.5, frames: int = 12):
    """Masks, depths and rest of an object at the picture's middle."""
    mask = np.zeros((frames, 480, 640), bool)
    mask[:, 220:280, 300:360] = True
    return {"cup": mask}, {"cup": np.full(frames, depth)}, {"cup": np.ones(frames, bool)}


def test_a_hand_beside_an_object_tells_the_scale():
    masks, depths, rest = scene(0.5)
    hands = [[hand_at([0.1, 0, 0.7], K)] if t > 3 else [] for t in range(12)]
    found = ruler(hands, K, masks, depths, rest)
    assert found.frames == 8 and found.depth_scale == pytest.approx(1.4, rel=0.06)
    assert MODEL_ERROR < found.uncertainty < 0.5
    once = ruler([*[[]] * 11, hands[-1]], K, masks, depths, rest)
    assert once.frames == 1 and once.uncertainty >= found.uncertainty


def test_hands_far_from_objects_cut_off_or_without_an_object_tell_nothing():
    masks, depths, rest = scene()
    far = [[hand_at([-0.3, -0.15, 0.7], K)]] * 12
    assert ruler(far, K, masks, depths, rest) is None
    cut = [[hand_at([0.38, 0, 0.7], K)]] * 12
    wide = {"cup": np.ones((12, 480, 640), bool)}
    assert ruler(cut, K, wide, depths, rest) is None
    assert ruler([[]] * 12, K, masks, depths, rest) is None
    beside = [[hand_at([0.1, 0, 0.7], K)]] * 12
    assert ruler(beside, K, masks, {"cup": np.full(12, np.nan)}, rest) is None


def test_hands_survive_json_and_say_what_they_are_worth():
    hands = [[hand_at([0.1, 0, 0.7], K)], []] * 6
    record = hand.to_json(hands, K, "test")
    again = hand.from_json(record)
    np.testing.assert_allclose(again[0][0].world, hands[0][0].world, atol=1e-5)
    assert again[1] == [] and record["frames"][0][0]["trusted"]
    assert hand.verdict(record).confidence == 0.6
    none = hand.verdict(hand.to_json([[]] * 5, K, "test"))
    assert none.passed and none.confidence == 0 and "no hand was seen" in none.better
    fists = hand.to_json([[hand_at([0, 0, 0.6], K, stretch=0.1)]] * 5, K, "test")
    assert "in none clear enough" in hand.verdict(fists).better


def test_distance_to_a_mask_counts_from_the_border_beyond_it():
    mask = np.zeros((50, 50), bool)
    mask[20:30, 40:50] = True
    away = hand.distances(mask, np.array([[45.0, 25.0], [30.0, 25.0], [59.0, 25.0]]))
    np.testing.assert_allclose(away, [0, 10, 10], atol=0.5)


def test_mediapipe_is_imported_by_one_file_and_pinned_where_its_models_are():
    root = Path(__file__).parents[2]
    users = [
        path.name for path in (root / "video2policy").rglob("*.py") if "import mediapipe" in path.read_text()
    ]
    assert users == ["mediapipe_hands.py"]
    assert "mediapipe==0.10.21" in (root / "envs" / "hands.post-deploy.sh").read_text()
    pip = yaml.safe_load((root / "envs" / "hands.yaml").read_text())["dependencies"][-1]["pip"]
    assert "numpy==1.26.4" in pip, "mediapipe 0.10.21 was built on it"


def test_the_script_writes_what_the_model_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = [[hand_at([0.1, 0, 0.7], K)], [], []]
    monkeypatch.setattr(hands_script, "find_hands", lambda frames: seen[: len(frames)])
    (tmp_path / "frames").mkdir()
    for t in range(3):
        cv2.imwrite(str(tmp_path / "frames" / f"{t:06d}.jpg"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "clip.json").write_text(json.dumps({"width": 640, "height": 480, "lens": None}))
    verdict = hands_script.main(tmp_path / "frames", tmp_path / "clip.json", tmp_path / "hands.json")
    record = json.loads((tmp_path / "hands.json").read_text())
    assert verdict.passed and verdict.confidence == 0.1
    assert [len(row) for row in record["frames"]] == [1, 0, 0]
    assert record["frames"][0][0]["error"] < 0.01 and record["method"] == "mediapipe hands"


def test_openness_of_a_flat_hand():
    assert hand_at([0, 0, 0.5], K).openness > 1.7
    assert cv2.norm(flat_hand()[0] - flat_hand()[9]) == pytest.approx(PALM)


@pytest.mark.skipif(not SNAKEMAKE.exists(), reason="no host environment .venv here: run `make setup`")
def test_hands_are_looked_for_only_where_a_size_is_open(tmp_path: Path):
    project = Project.copy(tmp_path / "project")
    row = {"video": "clip", "clip": "clip.mp4", "caption": "lifting red cup up", "objects": "red cup"}
    (project.folder / "clip.mp4").write_bytes(b"clip")
    size = "results/videos/clip/objects/red_cup/size.json"
    project.write_sheet([row])
    assert project.plan("--", size)["hands"] == 1
    assert "hands" not in project.plan("--config", "perception={hands: none}", "--", size)
    project.write_sheet([{**row, "sizes": '{"red cup": 0.1}'}])
    assert "hands" not in project.plan("--", size)
