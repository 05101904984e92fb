"""Depth networks: what they are asked, and one lens, one scale and a table made of their answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import RenderedClip
from tests.perceive.vendors import Calls, DepthAnswer, depth_anything3, install, moge, unidepth, weights
from video2policy import pose
from video2policy.camera import rotation_from_pitch
from video2policy.perceive.backend import Backend
from video2policy.perceive.depth import METHOD, DepthImages, View
from video2policy.perceive.metric import MetricDepth, around_feet, fit_plane, rotation_over, unproject
from video2policy.perceive.verdict import Rejected, Unavailable


@dataclass
class Given:
    """A rendered clip with its truth, and the answer that a network would give with some flicker."""

    clip: RenderedClip
    images: list[np.ndarray]
    masks: dict[str, np.ndarray]
    answer: DepthAnswer
    calls: Calls

    @property
    def K(self) -> np.ndarray:
        return self.clip.truth["K"]

    @property
    def altitude(self) -> float:
        return float(self.clip.truth["world_from_camera"][2, 3])


@pytest.fixture
def clip(rendered_clip: RenderedClip) -> Given:
    images = rendered_clip.images()[::6]
    depths = rendered_clip.truth["depth"][::6].astype(np.float32)
    factors = 1 + 0.08 * np.sin(np.arange(len(images)))
    masks = {name: rendered_clip.masks(name)[::6] for name in rendered_clip.objects}
    return Given(
        rendered_clip, images, masks, DepthAnswer(images, depths, rendered_clip.truth["K"], factors), Calls()
    )


def estimate(clip: Given, name: str, folder: Path, given: dict[str, float] | None = None) -> MetricDepth:
    backend = Backend(name, str(weights(folder, "model.pt")), device="cpu")
    network = backend.module().network(backend)
    return MetricDepth(network, clip.images, clip.masks, given or {})


VENDORS = {
    "unidepth": ("unidepth.models", "UniDepthV2", unidepth),
    "moge": ("moge.model.v2", "MoGeModel", moge),
    "depth_anything3": ("depth_anything_3.api", "DepthAnything3", depth_anything3),
}


@pytest.mark.parametrize("name", VENDORS)
def test_lens_table_and_metres_come_out_right(
    clip: Given, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, member, make = VENDORS[name]
    install(monkeypatch, package, **{member: make(clip.calls, clip.answer)})
    given = {"fov": float(clip.clip.truth["fov"])} if name == "depth_anything3" else None
    metric = estimate(clip, name, tmp_path, given)
    view = metric.view()
    assert view.camera.K[0, 0] == pytest.approx(clip.K[0, 0], rel=1e-3)
    assert view.camera.pitch == pytest.approx(float(clip.clip.truth["pitch"]), abs=0.5)
    assert view.camera.altitude == pytest.approx(clip.altitude, rel=0.06)  # the flicker's mean is not 1
    assert not view.method.startswith(METHOD)  # so that scale.py takes the size from the depth image
    assert View.from_json(view.to_json()).to_json() == view.to_json()
    ratios = []
    for t, (depth, true) in enumerate(zip(metric.images(), clip.answer.depths, strict=True)):
        assert depth.shape == true.shape and depth.dtype == np.float16
        known = (depth > 0) & metric.still.get(t, depth > 0)
        ratios.append(float(np.median(depth[known].astype(float) / true[known])))
    assert np.ptp(ratios) < 0.005 < np.ptp(clip.answer.factors)
    assert ratios[0] == pytest.approx(1, abs=0.09)


def test_unidepth_is_given_the_clips_one_lens(
    clip: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, "unidepth.models", UniDepthV2=unidepth(clip.calls, clip.answer))
    metric = estimate(clip, "unidepth", tmp_path)
    list(metric.images())
    asked = [call["camera"] for call in clip.calls if "camera" in call]
    free, fixed = [a for a in asked if a is None], [a for a in asked if a is not None]
    assert len(free) == len(metric.samples) and len(fixed) == len(clip.images)
    assert all(np.allclose(K, metric.K, rtol=1e-5) for K in fixed)


def test_moge_is_given_the_horizontal_field_of_view_in_degrees(
    clip: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, "moge.model.v2", MoGeModel=moge(clip.calls, clip.answer))
    metric = estimate(clip, "moge", tmp_path)
    fovs = [call["fov_x"] for call in clip.calls if call["fov_x"] is not None]
    width = clip.images[0].shape[1]
    assert fovs[0] == pytest.approx(np.degrees(2 * np.arctan(width / 2 / clip.K[0, 0])), rel=1e-4)
    assert not any(call["use_fp16"] for call in clip.calls)
    assert (next(metric.images())[0] == 0).all()  # what it says nothing about is unknown, not infinite


def test_the_sheets_lens_wins(clip: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "unidepth.models", UniDepthV2=unidepth(clip.calls, clip.answer))
    metric = estimate(clip, "unidepth", tmp_path, {"fx": 400.0})
    assert metric.K[0, 0] == 400 and metric.lens == "given focal length"


def test_the_sheets_pitch_wins(clip: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "unidepth.models", UniDepthV2=unidepth(clip.calls, clip.answer))
    view = estimate(clip, "unidepth", tmp_path).view()
    told = estimate(clip, "unidepth", tmp_path, {"pitch": view.camera.pitch + 3, "roll": 2.0}).view()
    assert told.camera.pitch == pytest.approx(view.camera.pitch + 3)
    assert told.camera.altitude == pytest.approx(view.camera.altitude, rel=0.15)
    assert "given pitch" in told.method and "given pitch" not in view.method


@pytest.mark.parametrize("name", VENDORS)
def test_an_environment_without_the_vendor_is_said_so(name: str, tmp_path: Path) -> None:
    backend = Backend(name, str(weights(tmp_path, "model.pt")), device="cpu")
    with pytest.raises(Unavailable, match=rf"envs/{name}\.yaml"):
        backend.module().network(backend)


def test_a_wall_is_no_table(clip: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip.answer.depths = np.ones_like(clip.answer.depths)
    install(monkeypatch, "unidepth.models", UniDepthV2=unidepth(clip.calls, clip.answer))
    with pytest.raises(Rejected, match="no table"):
        estimate(clip, "unidepth", tmp_path).view()


def test_depth_without_any_value_is_refused(
    clip: Given, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip.answer.depths = np.zeros_like(clip.answer.depths)
    install(monkeypatch, "unidepth.models", UniDepthV2=unidepth(clip.calls, clip.answer))
    with pytest.raises(Rejected, match="no depth at all"):
        estimate(clip, "unidepth", tmp_path)


@given(st.floats(20, 85), st.floats(0.1, 3), st.integers(0, 1000))
def test_a_plane_of_points_gives_back_the_camera_over_it(pitch: float, altitude: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rotation = rotation_from_pitch(pitch)
    table = np.column_stack([altitude * rng.uniform(-0.5, 0.5, (300, 2)), np.zeros(300)])
    table[:, 0] += altitude / np.tan(np.radians(pitch))  # in view
    world_from_camera = pose.transform(rotation, [0, 0, altitude])
    points = pose.apply(pose.inverse(world_from_camera), table)
    points[::7] -= [0, 0, 0.3 * altitude]  # things that stand on it
    normal, height, share = fit_plane(points)
    assert height == pytest.approx(altitude, rel=5e-3) and share > 0.5
    np.testing.assert_allclose(rotation_over(normal), rotation, atol=0.01)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3))
def test_the_rotation_is_one_whatever_the_normal(normal: list[float]) -> None:
    if np.linalg.norm(normal) < 1e-3:
        return
    rotation = rotation_over(np.array(normal))
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_points_in_disorder_are_no_plane() -> None:
    with pytest.raises(Rejected, match="not flat"):
        fit_plane(np.random.default_rng(0).uniform(0.2, 2, (400, 3)))


def test_what_surrounds_the_feet_is_beside_the_objects(clip: Given) -> None:
    where = around_feet(clip.masks, 0)
    assert where.any() and not any((where & mask[0]).any() for mask in clip.masks.values())
    points = unproject(clip.answer.depths[0], clip.K, where)
    heights = pose.apply(clip.clip.truth["world_from_camera"], points)[:, 2]
    assert np.median(np.abs(heights)) < 0.002


def test_stored_depth_is_read_in_metres(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "000002.npz", depth=np.array([[1.0, np.inf], [0.5, 0]], np.float16))
    np.testing.assert_allclose(DepthImages(tmp_path, 0.5)[2], [[0.5, 0], [0.25, 0]])
