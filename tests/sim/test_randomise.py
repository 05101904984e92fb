"""Domain randomisation: configuration, draws, and that they change physics, actions and images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import mujoco
import numpy as np
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.scenes import primitive_scene
from video2policy.mesh import Solid
from video2policy.scene import Scene
from video2policy.sim.mujoco import MujocoSim
from video2policy.sim.randomise import PRESETS, SIZES, Randomisation, RandomisationError

N = 6
ALL = torch.arange(N)
Make = Callable[..., MujocoSim]
SCHEMA = yaml.safe_load((Path(__file__).parents[2] / "schemas" / "config.schema.yaml").read_text())

torch.set_num_threads(1)


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def simulator(
        randomise: str | dict[str, Any] = "none",
        seed: int = 0,
        robot: str = "floating",
        family: str = "push_right",
        threads: int = 1,
        **objects: str | Solid,
    ) -> MujocoSim:
        path = primitive_scene(tmp_path, family, objects=objects or {"cube": "box"})
        randomised = Randomisation.of(randomise)
        return MujocoSim(
            Scene.load(path), path.parent, N, robot, threads=threads, seed=seed, randomise=randomised
        )

    return simulator


def start(sim: MujocoSim, x: float | None = None) -> None:
    poses = sim.sample_object_poses(ALL)
    if x is not None:
        for pose in poses.values():
            pose[:, :2] = torch.tensor([x, 0.0])
            pose[:, 3:] = torch.tensor([1.0, 0, 0, 0])
    sim.reset(ALL, poses)


def states_of(sim: MujocoSim) -> np.ndarray:
    return torch.cat([value.reshape(N, -1) for value in sim.states().values()], dim=1).numpy()


# ---------------------------------------------------------------- configuration


def test_presets_and_entries() -> None:
    assert Randomisation.of("none") == Randomisation()
    assert Randomisation.of("paper").action_noise == 0.02
    assert Randomisation.of("paper").action_delay == (0.01, 0.02)
    mixed = Randomisation.of({"preset": "paper", "friction": [0.7, 1.3]})
    assert mixed.friction == (0.7, 1.3) and mixed.size == PRESETS["paper"].size


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("papr", "no randomise preset 'papr'; there are none, paper, wide, real"),
        ({"gravity": 1}, "no randomise entry 'gravity'; there are action_noise, "),
        ({"size": [1.2, 0.8]}, r"randomise.size is not a range from low to high: \[1.2, 0.8\]"),
        ({"mass": [0, 1]}, "randomise.mass starts at 0.0, but a factor must be above 0"),
        ({"mass": 2}, "a range that is not two numbers"),
        ({"friction": [float("nan"), 1]}, "randomise.friction is not a range"),
        ({"action_noise": -0.1}, "randomise.action_noise is -0.1, but must be 0 or more"),
    ],
)
def test_nonsense_ends_in_a_sentence(value: Any, message: str) -> None:
    with pytest.raises(RandomisationError, match=message):
        Randomisation.of(value)


def schema_error(value: Any) -> str:
    part = {"$defs": SCHEMA["$defs"], **SCHEMA["$defs"]["randomise"]}
    error = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(part).iter_errors(value))
    return "" if error is None else error.message


@pytest.mark.parametrize("value", [*PRESETS, {"size": [0.9, 1.1]}, {"preset": "wide", "texture": False}])
def test_the_schema_lets_sense_pass(value: Any) -> None:
    assert schema_error(value) == ""


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("papr", "'papr' is not one of ['none', 'paper', 'wide', 'real']"),
        ({"sizes": [1, 1]}, "Additional properties are not allowed ('sizes' was unexpected)"),
        ({"size": [0, 1]}, "0 is less than or equal to the minimum of 0"),
        ({"action_delay": [0.01, 0.2]}, "0.2 is greater than the maximum of 0.05"),
        ({"mass": [1]}, "[1] is too short"),
        ({"texture": "yes"}, "'yes' is not of type 'boolean'"),
    ],
)
def test_the_schema_refuses_nonsense_in_one_sentence(value: Any, message: str) -> None:
    assert schema_error(value) == message


def test_the_schema_has_the_entries_of_the_code() -> None:
    entries = SCHEMA["$defs"]["randomise"]["else"]["properties"]
    assert set(entries) - {"preset"} == set(Randomisation.__dataclass_fields__)
    assert SCHEMA["$defs"]["preset"]["enum"] == list(PRESETS)


# ---------------------------------------------------------------- draws


@given(st.integers(0, 10**6), st.integers(1, 4))
def test_draws_lie_in_their_ranges(seed: int, objects: int) -> None:
    wide = PRESETS["wide"]
    draws = wide.draw(seed, [0, 1, 2], [0, 5, 1], objects)
    for name in ("size", "mass", "friction", "light"):
        low, high = getattr(wide, name)
        assert (draws[name] >= low).all() and (draws[name] <= high).all()
    assert draws["mass"].shape == (3, objects) and draws["colour"].shape == (3, objects + 1, 3)
    assert (np.abs(draws["camera"][:, :, :3]) <= 0.02).all()
    assert (np.abs(draws["colour"]) <= 0.15).all()


def test_a_draw_depends_on_seed_environment_and_episode_alone() -> None:
    wide = PRESETS["wide"]
    together, alone = wide.draw(7, [0, 3, 2], [4, 0, 9], 2), wide.draw(7, [3], [0], 2)
    others = [wide.draw(8, [3], [0], 2), wide.draw(7, [2], [0], 2), wide.draw(7, [3], [1], 2)]
    for name, values in together.items():
        assert np.array_equal(values[[1]], alone[name]), name
    assert all(other["friction"] != alone["friction"] for other in others)
    narrower = Randomisation.of({"preset": "wide", "size": [1, 1], "texture": False}).draw(7, [3], [0], 2)
    assert np.array_equal(narrower["mass"], alone["mass"]), "what is off does not move what is on"


def test_sizes_and_textures_are_all_drawn() -> None:
    draws = PRESETS["wide"].draw(0, range(400), [0] * 400, 1)
    assert len(set(draws["size"])) == SIZES and set(draws["texture"]) == set(range(7))
    assert (np.diff(np.unique(np.rint(draws["delay"] / 0.01))) == 1).all()


# ---------------------------------------------------------------- in the simulator


def test_off_is_as_before(make: Make) -> None:
    plain, off = make(), make({"preset": "none"})
    assert off.draws() == {} and off._variation is None
    for sim in (plain, off):
        start(sim)
        generator = torch.Generator().manual_seed(0)
        for _ in range(10):
            sim.step(2 * torch.rand(N, 7, generator=generator) - 1)
    assert states_of(plain).tobytes() == states_of(off).tobytes()
    assert not off._batch._expanded
    with pytest.raises(ValueError, match="without randomisation"):
        off.randomise(np.arange(1), PRESETS["wide"].draw(0, [0], [0], 1))


def test_the_machinery_alone_changes_nothing(make: Make) -> None:
    # Only the light varies: the physics must be that of a simulator without randomisation, bit by bit.
    plain, lit = make(cube="mug"), make({"light": [0.5, 1.5]}, cube="mug")
    for sim in (plain, lit):
        start(sim)
        generator = torch.Generator().manual_seed(0)
        for _ in range(10):
            sim.step(2 * torch.rand(N, 7, generator=generator) - 1)
    assert states_of(plain).tobytes() == states_of(lit).tobytes()


def test_the_same_seed_gives_the_same_at_any_number_of_threads(make: Make) -> None:
    def run(seed: int, threads: int) -> np.ndarray:
        sim = make("wide", seed=seed, threads=threads, cup="cup", ball="ball")
        start(sim)
        for _ in range(10):
            sim.step(torch.zeros(N, 7))
        return states_of(sim)

    assert np.array_equal(run(1, 1), run(1, 2))
    assert not np.array_equal(run(1, 1), run(2, 1))


def test_every_episode_draws_anew_and_the_first_is_that_of_the_seed(make: Make) -> None:
    sim = make("wide", seed=5)
    start(sim)
    first = sim.draws()
    assert np.array_equal(first["friction"], PRESETS["wide"].draw(5, range(N), [0] * N, 1)["friction"])
    ids = torch.tensor([2])
    sim.reset(ids, sim.sample_object_poses(ids))
    again = sim.draws()
    assert (first["mass"] != again["mass"])[:, 0].tolist() == [i == 2 for i in range(N)]


@pytest.mark.parametrize("kind", ["box", "mug", "cup"])
def test_sizes_and_masses_are_those_of_a_scene_compiled_so(make: Make, kind: str) -> None:
    sim = make({"size": [0.8, 1.2], "mass": [0.5, 2]}, cube=kind)
    start(sim)
    draws = sim.draws()
    assert len(set(draws["size"])) > 2
    nominal = np.array(sim.object_sizes["cube"])
    assert np.allclose(sim.states()["cube_size"], nominal * draws["size"][:, None], rtol=1e-5)
    for row in range(3):
        varied, factor = sim._batch.get_model(row), draws["size"][row]
        other = sim._variation._specs[int(np.abs(sim._variation._sizes - factor).argmin())].compile()
        body = other.body("object/cube")
        mass, inertia = body.mass * draws["mass"][row], body.inertia * draws["mass"][row]
        assert varied.body("object/cube").mass == pytest.approx(mass)
        assert varied.body("object/cube").inertia == pytest.approx(inertia)
        derived = {
            name: getattr(varied, name).copy() for name in ("body_invweight0", "dof_invweight0", "dof_M0")
        }
        mujoco.mj_setConst(varied, mujoco.MjData(varied))
        for name, values in derived.items():
            assert np.allclose(values, getattr(varied, name), rtol=1e-3), name
    for _ in range(40):
        sim.step(torch.zeros(N, 7))
    states = sim.states()
    heights = torch.from_numpy(draws["size"]) * nominal[2] / 2
    assert torch.allclose(states["cube_pos"][:, 2].double(), heights, atol=1e-3), "they stand on the table"
    assert (states["cube_displacement"].norm(dim=1) < 2e-3).all()


def test_friction_changes_how_far_it_slides(make: Make) -> None:
    sim = make({"friction": [0.3, 2.0]}, cube=Solid("box", (0.08, 0.08, 0.02)))
    start(sim, x=-0.1)
    factor = sim.draws()["friction"]
    first = sim._n_arm + 2
    sim._qvel[:, first] = 0.6
    for _ in range(30):
        sim.step(torch.zeros(N, 7))
    way = sim.states()["cube_displacement"][:, 0].numpy()
    order = np.argsort(factor)
    assert (np.diff(way[order]) < 0).all()
    assert np.allclose(way, 0.6**2 / (2 * 9.81 * 0.5 * factor), rtol=0.15)


def test_a_force_lifts_what_is_light_and_not_what_is_heavy(make: Make) -> None:
    sim = make({"mass": [0.25, 4.0]})
    start(sim, x=0.0)
    mass = sim.draws()["mass"][:, 0] * sim._shapes[0].mass
    lifts = np.sort(mass)[2:4].mean()  # kg: the force that lifts the three lightest
    sim._batch.bind("xfrc_applied")[:, sim._bodies[0], 2] = lifts * 9.81
    for _ in range(4):
        sim.step(torch.zeros(N, 7))
    rose = sim.states()["cube_displacement"][:, 2].numpy() > 1e-3
    assert rose.tolist() == (mass < lifts).tolist()


def test_noise_moves_the_target_by_its_size(make: Make) -> None:
    sim = make({"action_noise": 0.1})
    start(sim)
    before = sim._tool.target.copy()
    sim.step(torch.zeros(N, 7))
    moved = (sim._tool.target - before) / 0.015
    assert 0.04 < moved.std() < 0.2
    still = make({"light": [0.9, 1.1]})
    start(still)
    before = still._tool.target.copy()
    still.step(torch.zeros(N, 7))
    assert np.allclose(still._tool.target, before, atol=1e-12)


def test_a_delayed_command_takes_effect_later(make: Make) -> None:
    sim = make({"action_delay": [0.0, 0.05]}, seed=3)
    start(sim)
    late = np.rint(sim.draws()["delay"] / 0.01)
    assert len(set(late)) > 2
    start_height = sim._qpos[:, 2].copy()
    up = torch.zeros(N, 7)
    up[:, 2] = 1
    sim.step(up)
    risen = sim._qpos[:, 2] - start_height
    order = np.argsort(late)
    assert (np.diff(risen[order])[np.diff(late[order]) > 0] < 0).all()
    assert np.abs(risen[late == 5]).max(initial=0) < 1e-4


@pytest.mark.parametrize("robot", ["floating", "panda"])
def test_soft_servos_lag_and_the_fingers_are_as_they_were(make: Make, robot: str) -> None:
    sim = make({"gain": [0.2, 1.0]}, seed=3, robot=robot)
    start(sim, x=0.0)
    gain, before = sim.draws()["gain"], sim._tool.pos[:, 0].copy()
    forward = torch.zeros(N, 7)
    forward[:, 0] = 1
    for _ in range(3):
        sim.step(forward)
    order = np.argsort(gain)
    moved = (sim._tool.pos[:, 0] - before)[order]
    assert moved[0] < 0.9 * moved[-1]
    servos = sim._batch.get_model(0).actuator_gainprm[:, 0] / sim.model.actuator_gainprm[:, 0]
    assert np.allclose(servos, [gain[0]] * sim._n_arm + [1, 1])


def test_recorded_draws_are_repeated_and_drawn(make: Make) -> None:
    sim = make("wide", seed=2)
    start(sim)
    draws, configuration = sim.draws(), sim.configuration()
    images = [sim.render(i, "side", 96, 64) for i in range(3)]
    assert len({image.tobytes() for image in images}) == 3
    again = make("wide", seed=9)
    start(again)
    for row, image in enumerate(images):
        again.randomise(np.array([0]), {name: values[[row]] for name, values in draws.items()})
        again.show(0, configuration[row])
        assert np.array_equal(again.render(0, "side", 96, 64), image)


def test_a_grasped_object_never_outgrows_the_hand(make: Make) -> None:
    sim = make({"size": [0.9, 1.5]}, family="lift", cube=Solid("box", (0.065, 0.065, 0.065)))
    start(sim)
    width = sim._shapes[0].grasp_width * sim.draws()["size"]
    assert width.max() <= sim.hand.graspable + 1e-9 and len(set(width)) > 2
