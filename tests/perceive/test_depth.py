import json

import numpy as np
import pytest

from scripts import depth as depth_script
from tests.perceive.conftest import Perceived
from video2policy import mesh as meshes
from video2policy import pose
from video2policy.camera import PHOTO_UNCERTAINTY, Camera, intrinsics, rotation_from_pitch
from video2policy.mask import save_masks
from video2policy.mesh import Solid
from video2policy.perceive.contact import (
    Contact,
    Motion,
    Run,
    contact_from,
    drop_of,
    expansion,
    motion,
    over,
    still_runs,
)
from video2policy.perceive.depth import (
    FIRST_DISTANCE,
    METHOD,
    View,
    box_cells,
    depth_images,
    find_view,
    object_depth,
    relief,
)
from video2policy.perceive.pitch import find_pitch, segments
from video2policy.perceive.verdict import Rejected


def true_still(truth: np.ndarray) -> np.ndarray:
    """Whether the object did not move from frame to frame, (n - 1,)."""
    return np.linalg.norm(np.diff(truth[:, :3, 3], axis=0), axis=1) < 2e-4


def test_the_table_is_at_the_true_altitude_up_to_the_prior_distance(lifted: Perceived):
    camera = lifted.view.camera
    first = lifted.view.contacts["red_box"].table_runs[0]
    assert np.linalg.norm(camera.on_plane(first.bottom) - [0, 0, camera.altitude]) == pytest.approx(
        FIRST_DISTANCE
    )
    true = lifted.clip.truth["camera_from_object_red_box"][0][:3, 3]
    # the box's nearest corner is about half its width before its centre
    assert FIRST_DISTANCE * lifted.depth_scale == pytest.approx(np.linalg.norm(true), abs=0.05)


def test_rest_on_the_table_is_told_from_rest_in_the_air(lifted: Perceived):
    contact = lifted.view.contacts["red_box"]
    still = true_still(lifted.clip.truth["camera_from_object_red_box"])
    moves = np.flatnonzero(~still)
    on_table = contact.on_table()
    assert on_table[: moves[0] - 2].all()
    assert not on_table[moves[0] + 3 :].any()
    assert any(not run.on_table and run.start >= moves[-1] - 6 for run in contact.runs), (
        "held still in the air"
    )


def test_an_object_put_down_is_on_the_table_twice(covered: Perceived):
    contact = covered.view.contacts["orange_cup"]
    moves = np.flatnonzero(~true_still(covered.clip.truth["camera_from_object_orange_cup"]))
    assert len(contact.table_runs) == 2
    before, after = contact.table_runs
    assert before.start == 0 and abs(before.stop - moves[0]) <= 6
    assert abs(after.start - moves[-1]) <= 6 and after.stop == len(contact.apparent)


def test_depth_agrees_with_the_rendered_depth(lifted: Perceived):
    images = list(depth_images(lifted.view, lifted.masks, lifted.images, lifted.labels))
    truth = lifted.clip.truth["depth"].astype(float)
    scale = lifted.depth_scale
    # in the hand, which hides part of it, only its apparent size tells the distance
    for t, error in ((0, 0.05), (40, 0.2), (len(images) - 1, 0.15)):
        mask = lifted.masks["red_box"][t]
        found, true = images[t].astype(float) * scale, truth[t]
        assert np.median(found[mask]) == pytest.approx(np.median(true[mask]), rel=error)
    # the bare table below the box in the first frame
    rows = np.s_[200:235, 140:180]
    np.testing.assert_allclose(images[0][rows].astype(float) * scale, truth[0][rows], rtol=0.03)


def test_what_is_carried_grows_as_it_comes_nearer(lifted: Perceived):
    """A hand hides part of the box while it carries it."""
    truth, scale = lifted.clip.truth["depth"].astype(float), lifted.depth_scale
    right = total = 0
    for t, image in enumerate(depth_images(lifted.view, lifted.masks, lifted.images, lifted.labels)):
        mask = lifted.masks["red_box"][t]
        right += int((np.abs(image[mask].astype(float) * scale / truth[t][mask] - 1) < 0.1).sum())
        total += int(mask.sum())
    assert right > 0.85 * total


def test_the_hand_is_as_far_as_what_it_holds(lifted: Perceived):
    images = list(depth_images(lifted.view, lifted.masks, lifted.images, lifted.labels))
    t = len(images) - 1
    truth, scale = lifted.clip.truth["depth"][t].astype(float), lifted.depth_scale
    rows, columns = np.nonzero(lifted.masks["red_box"][t])
    above = np.s_[rows.min() - 6 : rows.min(), int(columns.mean()) - 5 : int(columns.mean()) + 5]
    assert np.median(truth[above]) < 0.7, "the hand is there, not the room"
    assert np.median(images[t][above].astype(float) * scale) == pytest.approx(
        np.median(truth[above]), rel=0.15
    )


def test_depth_is_carried_both_ways_and_ends_where_the_object_is_hidden():
    still = [Run(0, 2, 0, (50.0, 80.0), 20.0, 2.0, True), Run(6, 8, 6, (50.0, 80.0), 20.0, 2.0, True)]
    camera = Camera(
        np.array([[100.0, 0, 50], [0, 100, 50], [0, 0, 1]]), 100, 100, rotation_from_pitch(30), 0.4
    )
    grow = [np.nan] * 8
    size = [20.0, 20, 21, 22, 22, 21, 20, 20]
    depth = object_depth(camera, Contact(still, size, [2.0] * 8, grow))
    assert depth[0] == pytest.approx(depth[7]) and (depth[2:6] < depth[0]).all()
    assert depth[3] == pytest.approx(depth[0] * 20 / 22, rel=0.02)
    gone = object_depth(camera, Contact(still, [*size[:3], np.nan, *size[4:]], [2.0] * 8, grow))
    assert np.isnan(gone[3]) and np.isfinite(np.delete(gone, 3)).all()


def test_expansion_is_that_of_heights():
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 60, (40, 2))
    assert expansion(points, points * [0.8, 1.1], 60) == pytest.approx(np.log(1.1), abs=0.05)
    assert np.isnan(expansion(points[:3], points[:3], 60))


def test_the_lens_by_metadata_comes_after_the_sheet_and_before_the_prior(lifted: Perceived):
    labels, masks = {"red_box": "red box"}, {"red_box": lifted.masks["red_box"][:8]}
    lens = {"equivalent": 26.0, "source": "x", "video": False}
    view = find_view(lifted.images[:8], masks, labels, {"pitch": 30}, metadata=lens)
    diagonal = np.hypot(view.camera.width, view.camera.height)
    assert view.camera.K[0, 0] == pytest.approx(26 / 43.27 * diagonal, rel=1e-3)
    assert "metadata" in view.method and view.focal_uncertainty == PHOTO_UNCERTAINTY
    video = find_view(lifted.images[:8], masks, labels, {"pitch": 30}, metadata={**lens, "video": True})
    assert video.camera.K[0, 0] > view.camera.K[0, 0] and video.focal_uncertainty > view.focal_uncertainty
    given = find_view(lifted.images[:8], masks, labels, {"pitch": 30, "fov": 42}, metadata=lens)
    assert given.camera.fov == pytest.approx(42) and given.focal_uncertainty < PHOTO_UNCERTAINTY


def test_depth_does_not_depend_on_sizes(lifted: Perceived):
    assert "sizes" not in depth_script.main.__annotations__
    held = object_depth(lifted.view.camera, lifted.view.contacts["red_box"])
    assert np.isfinite(held).all()


@pytest.mark.parametrize("clip", ["lifted", "covered"])
def test_pitch_from_the_clip_alone(clip: str, request: pytest.FixtureRequest):
    seen: Perceived = request.getfixturevalue(clip)
    labels = {name: name.replace("_", " ") for name in seen.masks}
    found = find_pitch(seen.images, seen.masks, seen.view.contacts, seen.clip.truth["K"], labels)
    assert found.pitch == pytest.approx(float(seen.clip.truth["pitch"]), abs=3)
    assert "lines" in found.method and found.confidence > 0.5


def test_without_lines_or_objects_at_rest_the_usual_pitch_is_taken_with_little_confidence():
    grey = [np.full((120, 160, 3), 128, np.uint8)] * 5
    assert len(segments(grey[0])) == 0
    masks = {"thing": np.zeros((5, 120, 160), bool)}
    contact = {"thing": Contact([], [np.nan] * 5, [np.nan] * 5)}
    found = find_pitch(
        grey, masks, contact, np.array([[150.0, 0, 80], [0, 150, 60], [0, 0, 1]]), {"thing": "x"}
    )
    assert found.method == "usual pitch" and found.pitch == pytest.approx(30, abs=2)
    assert found.confidence < 0.6


def test_given_lens_is_scaled_with_the_frames(lifted: Perceived):
    labels = {"red_box": "red box"}
    view = find_view(
        lifted.images[:8], {"red_box": lifted.masks["red_box"][:8]}, labels, {"fx": 640, "pitch": 25}, 0.5
    )
    assert view.camera.K[0, 0] == 320 and view.camera.pitch == pytest.approx(25)
    assert view.method.startswith(METHOD) and "given focal length" in view.method


def test_a_rolled_camera_sees_the_level_sink_to_its_left(lifted: Perceived):
    """Clockwise seen from behind it, as in the rendered suite's truth."""
    rotation = rotation_from_pitch(30, 10)
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(3), atol=1e-12)
    assert Camera(np.eye(3), 4, 4, rotation, 1.0).pitch == pytest.approx(30)
    left = rotation.T @ [0, 1.0, 0]  # the world's y axis points to the image's left
    assert left[0] < 0 < left[1] and np.degrees(np.arctan2(left[1], -left[0])) == pytest.approx(10)
    seen = {"red_box": lifted.masks["red_box"][:8]}
    given = {"fov": 42.0, "pitch": 30.0, "roll": 4.0}
    view = find_view(lifted.images[:8], seen, {"red_box": "red box"}, given)
    np.testing.assert_allclose(view.camera.rotation, rotation_from_pitch(30, 4))
    again = Camera.from_json(view.camera.to_json())
    np.testing.assert_allclose(again.rotation, view.camera.rotation)


def test_the_inside_of_a_cup_is_as_far_as_its_far_wall():
    camera = Camera(intrinsics(640, 480, fov=45)[0], 640, 480, rotation_from_pitch(40), 0.4)
    solid = Solid("frustum", (0.07, 0.09, 0.08), "up")
    place = camera.on_plane([[320, 260]])[0]
    cup = camera.camera_from_table @ pose.transform(None, [place[0], place[1], 0.04])
    mask = meshes.silhouette(solid.mesh(), camera.K, cup, camera.shape)
    masks = np.stack([mask] * 4)
    rows, columns = np.nonzero(mask)
    points, _, hit = meshes.cast(solid.mesh(), camera.K, cup, np.column_stack([columns, rows]) + 0.5)
    still = Motion(np.zeros((4, 2)), np.zeros(4))
    contact = contact_from(masks, still, camera.K, camera.rotation)
    shares = relief(camera, contact, masks, np.zeros_like(masks), "white cup")
    assert shares is not None
    across, along = box_cells(mask)
    foot = pose.apply(camera.camera_from_table, camera.on_plane(contact.table_runs[0].bottom))[0, 2]
    true = pose.apply(cup, points)[:, 2]
    error = np.abs(foot * shares[along, across] / true - 1)[hit]
    assert np.percentile(error, 90) < 0.04
    closed = relief(camera, contact, masks, np.zeros_like(masks), "white candle")
    assert (np.abs(foot * closed[along, across] / true - 1)[hit] > 0.04).mean() > 0.15, "a lid is nearer"


def test_what_ends_over_the_foot_of_another_is_not_seen_to_stand():
    """A stick lies, then its upper half is seen over a cup's rim, where its drop would do for the table."""
    camera = Camera(intrinsics(320, 240, fov=45)[0], 320, 240, rotation_from_pitch(35), 0.3)
    masks, cup = np.zeros((12, 240, 320), bool), np.zeros((12, 240, 320), bool)
    masks[:6, 170:182, 40:140] = True
    masks[6:, 82:150, 210:222] = True
    cup[:, 150:220, 200:250] = True
    steps = np.zeros((12, 2))
    steps[6] = 90
    still = Motion(steps, np.zeros(12))
    alone = contact_from(masks, still, camera.K, camera.rotation)
    contact = contact_from(masks, still, camera.K, camera.rotation, cup)
    assert [run.on_table for run in contact.runs] == [True, False]
    assert [run.on_table for run in alone.runs] == [True, True]
    end = contact.runs[1].bottom
    assert over(end, cup[6]) and not over(end, np.roll(cup[6], -68, axis=0)), "whose foot is no lower"


def test_a_clip_without_objects_is_rejected(lifted: Perceived):
    empty = np.zeros_like(lifted.masks["red_box"][:4])
    with pytest.raises(Rejected, match="no object is visible"):
        find_view(lifted.images[:4], {"red_box": empty}, {"red_box": "red box"}, {"pitch": 30})


def test_view_survives_json(lifted: Perceived):
    again = View.from_json(json.loads(json.dumps(lifted.view.to_json())))
    np.testing.assert_allclose(again.camera.table_from_camera, lifted.view.camera.table_from_camera)
    assert again.focal_uncertainty == pytest.approx(lifted.view.focal_uncertainty, abs=1e-4)
    assert again.pitch_uncertainty == pytest.approx(lifted.view.pitch_uncertainty, abs=1e-2)
    contact, old = again.contacts["red_box"], lifted.view.contacts["red_box"]
    assert contact.table_runs == old.table_runs
    np.testing.assert_allclose(contact.drop, old.drop, atol=1e-4)
    np.testing.assert_allclose(contact.growth, old.growth, atol=1e-4)


def test_still_runs_end_where_motion_adds_up():
    steps = np.zeros((20, 2))
    steps[8:14] = [1.0, 0]
    assert still_runs(steps, np.ones(20, bool), 1.5) == [(0, 9), (12, 20)]
    seen = np.ones(20, bool)
    seen[4] = False
    assert still_runs(np.zeros((20, 2)), seen, 1.5) == [(0, 4), (5, 20)]


def test_drop_is_height_over_size():
    """A thing of .1 m whose foot is .4 m below the camera has a drop of 4, wherever it stands."""
    K, rotation = np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]), rotation_from_pitch(35)
    for x, y in ((0.4, 0.0), (0.7, -0.2)):
        point = rotation.T @ [x, y, -0.4]
        pixel = (K @ (point / point[2]))[:2]
        assert drop_of(pixel, 500 * 0.1 / point[2], K, rotation) == pytest.approx(4.0)


def test_displacement_follows_the_texture_not_the_occluder():
    rng = np.random.default_rng(0)
    texture = (rng.random((60, 60, 3)) * 255).astype(np.uint8)
    texture = np.kron(texture[::4, ::4], np.ones((4, 4, 1))).astype(np.uint8)
    frames, masks = [], []
    for shift in (0, 3):
        image, mask = np.zeros((120, 160, 3), np.uint8), np.zeros((120, 160), bool)
        image[30:90, 40 + shift : 100 + shift] = texture
        mask[30:90, 40 + shift : 100 + shift] = True
        frames.append(image)
        masks.append(mask)
    masks[1][30:60] = False  # something hides the upper half
    step = motion(frames, np.array(masks)).steps
    assert np.isnan(step[0]).all()
    np.testing.assert_allclose(step[1], [3, 0], atol=0.3)


def test_script_writes_a_camera_and_a_depth_image_per_frame(tmp_path, lifted: Perceived):
    import cv2

    frames = tmp_path / "frames"
    frames.mkdir()
    for t in range(6):
        cv2.imwrite(str(frames / f"{t:06d}.jpg"), cv2.cvtColor(lifted.images[t], cv2.COLOR_RGB2BGR))
    (tmp_path / "clip.json").write_text(json.dumps({"scale": 1.0}))
    save_masks(tmp_path / "red_box.npz", lifted.masks["red_box"][:6], np.ones(6, np.float32))
    row = {"objects": ("red_box",), "labels": ("red box",), "camera": {"fov": 42.0, "pitch": 30.0}}
    verdict = depth_script.main(
        frames,
        tmp_path / "clip.json",
        [tmp_path / "red_box.npz"],
        tmp_path / "camera.json",
        tmp_path / "depth",
        row,
    )
    assert verdict.passed and verdict.better
    images = sorted((tmp_path / "depth").glob("*.npz"))
    assert len(images) == 6
    with np.load(images[0]) as data:
        assert data["depth"].shape == lifted.images[0].shape[:2] and data["depth"].dtype == np.float16
    record = json.loads((tmp_path / "camera.json").read_text())
    assert record["pitch"] == pytest.approx(30) and record["fov"] == pytest.approx(42)


@pytest.mark.parametrize("clip", ["lifted", "covered"])
def test_field_of_view_from_the_lines_of_the_room(clip: str, request: pytest.FixtureRequest):
    seen: Perceived = request.getfixturevalue(clip)
    labels = {name: name.replace("_", " ") for name in seen.masks}
    view = find_view(seen.images, seen.masks, labels, {})
    assert abs(view.camera.fov - 42) < 5, "nearer to the truth than the prior, 48.2"
    assert view.camera.pitch == pytest.approx(float(seen.clip.truth["pitch"]), abs=4.5)
    assert view.confidence < 0.95
