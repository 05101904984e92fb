"""The skill that trainings start from is found by name in any observation, and acts there as it did."""

from pathlib import Path

import pytest
import torch

from tests.scenes import primitive_scene
from tests.train.test_ppo import TINY, Rise, run
from video2policy.guard.load import load_task
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.train.policy import Policy, PolicyInfo, save_policy
from video2policy.train.skill import FORGET, Skill, observed, write_task

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
def skill(tmp_path_factory: pytest.TempPathFactory) -> Skill:
    folder = tmp_path_factory.mktemp("skill")
    outcome = run(folder, TINY, handled="cube")
    save_policy(folder / "skill.safetensors", outcome.policy)
    return Skill.load(folder / "skill.safetensors")


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
    again = run(tmp_path, TINY, skill=skill, handled="cube")
    assert all(torch.equal(v, again.policy.weights[k]) for k, v in begun.policy.weights.items())


def test_what_does_not_fit_is_refused(skill: Skill) -> None:
    with pytest.raises(ValueError, match="observes nothing that the skill knows"):
        skill.start(skill.policy.weights, ["task/height/0"])
    wide = dict(skill.policy.weights) | {"a2c_network.mu.weight": torch.zeros(7, 99)}
    with pytest.raises(ValueError, match=r"another size: a2c_network\.mu\.weight"):
        skill.start(wide, skill.inputs)


def test_the_task_is_to_lift_what_is_handled(tmp_path: Path) -> None:
    path = primitive_scene(tmp_path, "cover", objects={"cup": "cup", "ball": "ball"})
    scene = Scene.load(path)
    (tmp_path / "task.py").write_text(write_task(scene))
    sim = MujocoSim(scene, tmp_path, 2, "floating")
    lift = Environment(sim, load_task(tmp_path / "task.py")(sim, ""))
    names = observed(lift, "cup")
    assert "a_pos/2" in names and "object/ball_pos/2" in names and "task/" not in " ".join(names)
    held_high = lift.sim.states() | {"cup_pos": torch.full((2, 3), 0.5), "eef_pos": torch.full((2, 3), 0.5)}
    assert not lift.task.compute_success(held_high).any()
    assert lift.task.compute_success(held_high | {"cup_grasped": torch.ones(2)}).all()
