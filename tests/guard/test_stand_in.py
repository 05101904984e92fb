"""States to check code on: the simulator's keys and shapes, and the clip's poses with stated assumptions."""

from pathlib import Path

import pytest
import torch

from tests.scenes import OBJECTS, primitive_scene
from video2policy.guard.stand_in import MEMORY, STAND_INS, clip_states, random_states, untouched
from video2policy.mesh import Solid
from video2policy.scene import Scene
from video2policy.task import state_widths

SIZES = {"cup": (0.08, 0.08, 0.1), "ball": (0.04, 0.04, 0.04)}


def test_random_states_have_every_key_shape_and_range() -> None:
    states = random_states(SIZES, 32, 0)
    widths = state_widths(list(SIZES))
    assert set(states) == set(widths)
    for key, width in widths.items():
        assert states[key].shape == ((32, width) if width > 1 else (32,)), key
        assert states[key].dtype == torch.float32 and torch.isfinite(states[key]).all()
    assert torch.allclose(states["cup_quat"].norm(dim=-1), torch.ones(32))
    assert set(states["cup_contact_ball"].tolist()) == {0.0, 1.0}
    assert len(states["cup_size"].unique(dim=0)) > 1


def test_random_states_repeat_by_seed() -> None:
    one, same, other = (random_states(SIZES, 8, seed) for seed in (3, 3, 4))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["cup_pos"], other["cup_pos"])


@pytest.mark.parametrize("family", STAND_INS)
def test_clip_states_start_untouched_and_end_as_stated(family: str, tmp_path: Path) -> None:
    scene = Scene.load(primitive_scene(tmp_path, family, objects=OBJECTS[family]))
    states = clip_states(scene)
    a = scene.task.roles["a"]
    stand_in = STAND_INS[family]
    assert {k: v.shape[0] for k, v in states.items()} == dict.fromkeys(state_widths(scene.names), 11)
    for key in ("contact_gripper", "grasped", *MEMORY):
        assert states[f"{a}_{key}"][0] == 0
    touched = stand_in.gripper != "away"
    assert bool(states[f"{a}_contact_gripper"][-1]) == touched
    assert bool(states[f"{a}_grasped"][-1]) == (stand_in.gripper == "grasping")
    assert bool(states[f"{a}_ever_released"][-1]) == (stand_in.lifted and not touched)
    assert all(states[f"{a}_{key}"][-1].tolist() == pytest.approx(v) for key, v in stand_in.memory.items())
    assert (states[f"{a}_pos"][-1, 2] < 0) == stand_in.falls
    moved = torch.tensor(scene.object(a).difference.translation)
    assert torch.allclose(states[f"{a}_displacement"][-1][:2], moved[:2], atol=1e-5)
    assert all((untouched(states, a)[f"{a}_{key}"] == 0).all() for key in MEMORY)
    assert states["time_left"].tolist() == pytest.approx([1 - i / 10 for i in range(11)])


@pytest.mark.parametrize(("first", "seen"), [(0.06, 0.06), (-0.01, 0.025)])
def test_uncertain_last_heights_are_put_on_the_table(first: float, seen: float, tmp_path: Path) -> None:
    ends = {"cube": [[0.0, 0.0, first], [0.0, 0.2, 0.06]]}
    states = clip_states(Scene.load(primitive_scene(tmp_path, "push_left", ends=ends)))
    heights = states["cube_pos"][:, 2]
    assert (heights[0].item(), heights[-1].item()) == pytest.approx((seen, 0.025))


def test_lifted_heights_are_kept(tmp_path: Path) -> None:
    ends = {"cube": [[0.0, 0.0, 0.025], [0.0, 0.0, 0.06]]}
    states = clip_states(Scene.load(primitive_scene(tmp_path, "lift", ends=ends)))
    assert states["cube_pos"][-1, 2].item() == pytest.approx(0.06)


def test_every_object_has_a_long_side_on_the_clip(tmp_path: Path) -> None:
    """Rewards that stand something on end divide by its length."""
    scene = Scene.load(primitive_scene(tmp_path, "put_into", objects={"a": "box", "b": "mug"}))
    states = clip_states(scene)
    for item in scene.objects:
        longest = max(item.size[:2]) / 2
        reach = torch.linalg.vector_norm(states[f"{item.name}_long"], dim=1)
        assert reach.tolist() == pytest.approx([longest] * 11)


@pytest.mark.parametrize("size", [(0.18, 0.02, 0.015), (0.02, 0.18, 0.015)])
def test_what_goes_in_on_end_stands_at_last(size: tuple[float, float, float], tmp_path: Path) -> None:
    objects = {"fork": Solid("box", size), "mug": "mug"}
    scene = Scene.load(primitive_scene(tmp_path, "put_into", objects=objects))
    states = clip_states(scene)
    lying = [0.09 * (side == max(size)) for side in size]
    assert states["fork_long"][0].tolist() == pytest.approx(lying, abs=1e-3)
    assert states["fork_long"][-1].tolist() == pytest.approx([0, 0, 0.09], abs=1e-3)
    assert states["fork_up"][[0, -1]].tolist() == pytest.approx([1, 0], abs=1e-6)
