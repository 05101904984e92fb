"""The skill that trainings start from is found by name in any observation, and acts there as it did."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.scenes import primitive_scene
from tests.train.test_ppo import TINY, N, Rise, run
from video2policy.author.grammar import grip
from video2policy.evaluate.judges import judge
from video2policy.hands import ROBOTS
from video2policy.mesh import Solid
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.train.policy import Policy, PolicyInfo, save_policy
from video2policy.train.ppo import WARM_UP
from video2policy.train.rule import PLACES, rule
from video2policy.train.skill import FORGET, SIGMA, Skill, learn, lifted, observed

HANDLED = "cup"


class Longer(Rise):
    """Observes something of its own before what every task observes."""

    def compute_observation_key(self, states: dict[str, torch.Tensor]) -> list[str]:
        states["height"] = states["eef_pos"][:, 2] * 1.0
        return ["height", *super().compute_observation_key(states)]

    def get_observation_space(self) -> int:
        return super().get_observation_space() + 1


def environment(folder: Path, objects: dict[str, str], kind: type[Rise] = Rise) -> Environment:
    path = primitive_scene(folder, "lift", objects=objects)
    sim = MujocoSim(Scene.load(path), folder, 4, "floating")
    return Environment(sim, kind(sim, "", {"objects": list(objects)}))


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> MujocoSim:
    path = primitive_scene(tmp_path_factory.mktemp("cube"))
    return MujocoSim(Scene.load(path), path.parent, 64, "floating")


@pytest.fixture(scope="module")
def skill(cube: MujocoSim, tmp_path_factory: pytest.TempPathFactory) -> Skill:
    learnt = learn(cube, {"a": "cube"}, (16, 16), seed=0)
    file = tmp_path_factory.mktemp("skill") / "grasp.safetensors"
    save_policy(file, learnt.policy)
    return Skill.load(file)


def by_the_rule(scene: Scene, folder: Path) -> dict[str, np.ndarray]:
    """The states (101, 32, ...) of 32 episodes in which the rule does what the scene's family asks for."""
    sim, everyone = MujocoSim(scene, folder, 32), torch.arange(32)
    sim.reset(everyone, sim.sample_object_poses(everyone))
    rows = [sim.states()]
    for _ in range(100):
        sim.step(rule(rows[-1], scene.task.roles, PLACES[scene.task.family], grip(scene)))
        rows.append(sim.states())
    return {name: np.stack([row[name].numpy() for row in rows]) for name in rows[0]}


@pytest.mark.parametrize("kind", ["box", "cylinder", "ball", "mug", "lying", "flat"])
@pytest.mark.parametrize("robot", list(ROBOTS))
def test_the_rule_of_thumb_grasps_and_lifts(robot: str, kind: str, tmp_path: Path) -> None:
    lying = {"lying": (0.14, 0.04, 0.015), "flat": (0.17, 0.02, 0.006)}
    solid = Solid("box", lying[kind]) if kind in lying else kind
    path = primitive_scene(tmp_path, objects={"thing": solid})
    sim, everyone = MujocoSim(Scene.load(path), tmp_path, 16, robot), torch.arange(16)
    sim.reset(everyone, sim.sample_object_poses(everyone))
    for _ in range(70):
        sim.step(rule(sim.states(), {"a": "thing"}))
    states = sim.states()
    assert (states["thing_grasped"] > 0.5).float().mean() >= 0.9
    assert (states["thing_displacement"][:, 2] > 0.07).float().mean() >= 0.9


def test_a_long_thing_held_by_its_end_does_not_swing_down(tmp_path: Path) -> None:
    """Its weight is far below what the pads' friction bears; where contacts creep, it hangs after a while."""
    path = primitive_scene(tmp_path, objects={"thing": Solid("box", (0.18, 0.015, 0.01))})
    sim, everyone = MujocoSim(Scene.load(path), tmp_path, 16), torch.arange(16)
    sim.reset(everyone, sim.sample_object_poses(everyone))
    for _ in range(90):
        sim.step(rule(sim.states(), {"a": "thing"}, grip=0.65))
    states = sim.states()
    held = states["thing_grasped"] > 0.5
    assert held.float().mean() >= 0.9
    assert (states["thing_long"][held, 2].abs() < 0.015).all()


@pytest.mark.parametrize("flat", [0.014, 0.005])
def test_what_goes_in_on_end_is_stood_up_let_go_of_and_left_there(flat: float, tmp_path: Path) -> None:
    """A handle half a centimetre thick too, of which the fingers hold the upper edge alone."""
    objects = {"pen": Solid("box", (0.16, 0.02, flat)), "mug": "mug"}
    scene = Scene.load(primitive_scene(tmp_path, "put_into", objects=objects))
    record = by_the_rule(scene, tmp_path)
    long = record["pen_long"]
    steepest = np.arcsin(np.abs(long[..., 2]) / np.linalg.norm(long, axis=-1)).max(axis=0)
    assert (steepest > 1.0).mean() >= 0.9
    assert judge("put_into", scene.task.roles, record).success.mean() >= 0.8


def test_the_hand_passes_over_what_stands_in_its_way(tmp_path: Path) -> None:
    objects = {"pen": Solid("box", (0.16, 0.02, 0.014)), "can": Solid("cylinder", (0.06, 0.06, 0.15))}
    scene = Scene.load(primitive_scene(tmp_path, "put_next", objects=objects))
    sim, everyone = MujocoSim(scene, tmp_path, 64), torch.arange(64)
    sim.reset(everyone, sim.sample_object_poses(everyone))
    for _ in range(10):
        sim.step(rule(sim.states(), scene.task.roles))
    assert (sim.states()["can_up"] > 0.9).float().mean() >= 0.95


@pytest.mark.parametrize(
    ("family", "objects"),
    [
        ("put_next", {"cube": "box", "mug": "mug"}),
        ("put_front", {"cube": "box", "mug": "mug"}),
        ("cover", {"cup": "cup", "ball": "ball"}),
        ("push_with", {"crate": Solid("box", (0.1, 0.09, 0.05)), "mug": "mug"}),
        ("drop_into", {"ball": "ball", "pot": Solid("frustum", (0.1, 0.12, 0.07), "up")}),
        ("throw_into", {"ball": "ball", "pot": Solid("frustum", (0.1, 0.12, 0.07), "up")}),
    ],
)
def test_the_rule_brings_it_where_the_family_says(family: str, objects: dict, tmp_path: Path) -> None:
    scene = Scene.load(primitive_scene(tmp_path, family, objects=objects))
    record = by_the_rule(scene, tmp_path)
    assert judge(family, scene.task.roles, record).success.mean() >= 0.7


def test_the_policy_does_what_the_rule_shows(cube: MujocoSim) -> None:
    learnt = learn(cube, {"a": "cube"}, (64, 64), seed=1)
    assert lifted(cube, learnt, "cube") >= 0.8


def test_what_brings_it_to_its_goal_begins_with_less_noise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("video2policy.train.skill.ROUNDS", 2)
    monkeypatch.setattr("video2policy.train.skill.STEPS", 3)
    path = primitive_scene(tmp_path, "put_next", objects={"cube": "box", "mug": "mug"})
    sim, roles = MujocoSim(Scene.load(path), tmp_path, 8, "floating"), {"a": "cube", "b": "mug"}
    noise = {
        place: learn(sim, roles, (8, 8), 0, place).policy.weights[SIGMA]
        for place in (None, PLACES["put_next"])
    }
    assert (noise[PLACES["put_next"]] < noise[None]).all()


def test_numbers_are_named_by_role(tmp_path: Path) -> None:
    names = observed(environment(tmp_path, {"cup_2": "box", HANDLED: "box"}, Longer), HANDLED)
    assert names[0] == "task/height/0" and names[1] == "eef_pos/0"
    assert "a_pos/2" in names and "object/cup_2_pos/2" in names
    assert (
        len(names)
        == len(set(names))
        == environment(tmp_path, {"cup_2": "box", HANDLED: "box"}).observation_size + 1
    )


def test_it_acts_in_another_task_as_it_did_in_its_own(skill: Skill, tmp_path: Path) -> None:
    inputs = observed(environment(tmp_path, {"cup_2": "box", HANDLED: "box"}, Longer), HANDLED)
    generator = torch.Generator().manual_seed(0)
    fresh = {
        name: torch.randn(
            (16, len(inputs)) if name.endswith("mlp.0.weight") else value.shape, generator=generator
        )
        for name, value in skill.policy.weights.items()
    }
    fresh["a2c_network.value.weight"] = torch.randn(1, 16, generator=generator)
    for part in ("mean", "var"):
        fresh[f"running_mean_std.running_{part}"] = torch.rand(len(inputs), dtype=torch.float64) + 0.5
    start = skill.start(fresh, inputs)
    assert start["running_mean_std.count"] == FORGET
    assert torch.equal(start["a2c_network.value.weight"], fresh["a2c_network.value.weight"])
    own = torch.rand((5, len(skill.inputs)), generator=generator)
    seen = torch.rand((5, len(inputs)), generator=generator)
    for column, name in enumerate(inputs):
        if name in skill.inputs:
            seen[:, column] = own[:, skill.inputs.index(name)]
    policy = Policy(PolicyInfo(len(inputs), skill.policy.info.units, 0, 0), start)
    torch.testing.assert_close(policy.act(seen), skill.policy.act(own))


def test_training_starts_from_it(skill: Skill, tmp_path: Path) -> None:
    begun = run(tmp_path, TINY, skill=skill, handled="cube")
    plain = run(tmp_path, TINY, handled="cube")
    assert any(not torch.equal(v, plain.policy.weights[k]) for k, v in begun.policy.weights.items())
    assert TINY.max_steps < WARM_UP * 32 * N  # so far only the value has learnt
    for name in ("a2c_network.mu.weight", "a2c_network.actor_mlp.2.weight", SIGMA):
        assert torch.equal(begun.policy.weights[name], skill.policy.weights[name])
    again = run(tmp_path, TINY, skill=skill, handled="cube")
    assert all(torch.equal(v, again.policy.weights[k]) for k, v in begun.policy.weights.items())


def test_what_does_not_fit_is_refused(skill: Skill) -> None:
    with pytest.raises(ValueError, match="observes nothing that the skill knows"):
        skill.start(skill.policy.weights, ["task/height/0"])
    wide = dict(skill.policy.weights) | {"a2c_network.mu.weight": torch.zeros(7, 99)}
    with pytest.raises(ValueError, match=r"another size: a2c_network\.mu\.weight"):
        skill.start(wide, skill.inputs)
