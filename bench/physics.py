"""Is the physics sound? `python -m bench.physics`

Three checks over several scenes. Rest: every environment's objects, left alone for ten seconds, must not
drift (1 mm, 0.01 rad). Energy: without any action the mechanical energy of a free-standing object that was
thrown onto the table must not grow. Random: a policy of uniform actions must not make anything explode.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bench.grasp import scene_of
from tests.scenes import primitive_scene
from video2policy import mjcf
from video2policy.rendered.shapes import KINDS
from video2policy.scene import Scene
from video2policy.sim.mujoco import MujocoSim

SCENES = {
    "plain box": ("lift", {"a": "box"}),
    "cylinder": ("lift", {"a": "cylinder"}),
    "beaker": ("lift", {"a": "mug"}),
    "cup over ball": ("uncover", {"a": "cup", "b": "ball"}),
    "box beside mug": ("put_next", {"a": "box", "b": "mug"}),
}
"""Family and objects of scenes made of the solids of tests.scenes."""
SETTLE_SECONDS, REST_SECONDS, THROWN = 1.0, 10.0, 0.5
"""Seconds, seconds, metres per second."""
DRIFT, TURN, GAIN = 1e-3, 0.01, 1e-3
"""What still counts as resting (metres, radians), and the part of the energy that may be gained."""


def start(sim: MujocoSim) -> None:
    ids = torch.arange(sim.n_envs)
    sim.reset(ids, sim.sample_object_poses(ids))


def rest(sim: MujocoSim) -> tuple[float, float]:
    """The largest displacement (metres) and turn (radians) of any object in `REST_SECONDS`, once settled."""
    start(sim)
    for _ in range(round(SETTLE_SECONDS / sim.control_step)):
        sim.step(torch.zeros(sim.n_envs, 7))
    first = sim.states()
    for _ in range(round(REST_SECONDS / sim.control_step)):
        sim.step(torch.zeros(sim.n_envs, 7))
    last = sim.states()
    moved = max(float((last[f"{n}_pos"] - first[f"{n}_pos"]).norm(dim=1).max()) for n in sim.object_names)
    cosine = [(last[f"{n}_quat"] * first[f"{n}_quat"]).sum(1).abs().clamp(max=1) for n in sim.object_names]
    return moved, float(2 * torch.acos(torch.stack(cosine)).max())


def energy(sim: MujocoSim) -> float:
    """By how much the first object's mechanical energy ever exceeds what it began with, as a part of that.

    What a contact stores while it is pressed is not counted, so only the start is a bound.
    """
    start(sim)
    body, first = sim.model.body(int(sim._bodies[0])), sim._n_arm + 2
    speeds = sim._qvel[:, sim._n_arm + 2 : sim._n_arm + 8]
    sim._qpos[:, first + 2] += 0.02
    speeds[:, 0] = THROWN
    mass, inertia = float(body.mass[0]), np.asarray(body.inertia)

    def joules() -> np.ndarray:
        moving = 0.5 * mass * (speeds[:, :3] ** 2).sum(1) + 0.5 * (speeds[:, 3:] ** 2 @ np.sort(inertia))
        height = sim._qpos[:, first + 2] - sim._floor_heights[0]
        return np.asarray(moving + mass * 9.81 * height)

    at_first = joules()
    most = np.zeros(sim.n_envs)
    for _ in range(60):
        sim.step(torch.zeros(sim.n_envs, 7))
        most = np.maximum(most, joules())
    return max(0.0, float((most / at_first).max()) - 1)


def random_policy(sim: MujocoSim, steps: int, seed: int) -> tuple[int, int, float]:
    """Environment steps, how many simulations diverged in them, and the fastest an object was (m/s)."""
    start(sim)
    generator = torch.Generator().manual_seed(seed)
    diverged, fastest = 0, 0.0
    rounds = -(-steps // sim.n_envs)
    for k in range(rounds):
        sim.step(2 * torch.rand(sim.n_envs, 7, generator=generator) - 1)
        speed = [
            np.abs(sim._qvel[:, sim._n_arm + 2 + 6 * i :][:, :3]).max() for i in range(len(sim.object_names))
        ]
        fastest = max(fastest, float(np.max(speed)))
        diverged += int(sim.failed.sum())
        ends = torch.from_numpy(sim.failed | (sim.elapsed >= sim.horizon))
        if ends.any():
            ids = ends.nonzero()[:, 0]
            sim.reset(ids, sim.sample_object_poses(ids))
        if k == 0:
            sim.elapsed[:] = np.arange(sim.n_envs) % sim.horizon  # so that not all end at once
    return rounds * sim.n_envs, diverged, fastest


def scenes(names: list[str], kinds: list[str], folder: Path) -> dict[str, Path]:
    """scene.json of the made scenes and of the given everyday objects."""
    made = {}
    for name in names:
        family, objects = SCENES[name]
        place = folder / name.replace(" ", "_")
        done = place / "scene.json"
        made[name] = done if done.is_file() else primitive_scene(place, family, objects=objects)
    return made | {kind: scene_of(kind, 0, folder) for kind in kinds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checks", nargs="+", default=["rest", "energy", "random"])
    parser.add_argument("--robots", nargs="+", default=["panda"], choices=list(mjcf.ROBOTS))
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=list(SCENES))
    parser.add_argument("--kinds", nargs="*", default=[], help="also these everyday objects; all: every kind")
    parser.add_argument("--steps", type=int, default=10**6, help="of the random policy, over all scenes")
    parser.add_argument("--envs", type=int, default=64)
    parser.add_argument("--folder", type=Path, help="keep the objects there, and use those that are")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    kinds = list(KINDS) if arguments.kinds == ["all"] else arguments.kinds
    print(
        "| scene | robot | drift, mm | turn, rad | energy gained | random steps | diverged | fastest, m/s |"
    )
    print("|---" * 8 + "|")
    with tempfile.TemporaryDirectory() as temporary:
        made = scenes(arguments.scenes, kinds, arguments.folder or Path(temporary))
        share = arguments.steps // (len(made) * len(arguments.robots))
        bad, begin = [], time.perf_counter()
        for robot in arguments.robots:
            for name, path in made.items():
                sim = MujocoSim(Scene.load(path), path.parent, arguments.envs, robot, fit_gripper=False)
                cells = [name, robot]
                if "rest" in arguments.checks:
                    moved, turned = rest(sim)
                    cells += [f"{1000 * moved:.2f}", f"{turned:.4f}"]
                    bad += [name] * (moved > DRIFT or turned > TURN)
                else:
                    cells += ["", ""]
                gained = energy(sim) if "energy" in arguments.checks else 0.0
                bad += [name] * (gained > GAIN)
                cells.append(f"{gained:.4f}" if "energy" in arguments.checks else "")
                if "random" in arguments.checks:
                    steps, diverged, fastest = random_policy(sim, share, 0)
                    bad += [name] * (diverged > 0)
                    cells += [f"{steps:,}", str(diverged), f"{fastest:.1f}"]
                else:
                    cells += ["", "", ""]
                print("| " + " | ".join(cells) + " |", flush=True)
        print(f"\n{time.perf_counter() - begin:.0f} s. Not sound: {', '.join(dict.fromkeys(bad)) or 'none'}.")


if __name__ == "__main__":
    main()
