"""Does the hand hold everyday objects? `python -m bench.grasp`

Every kind of video2policy.rendered.shapes at its real size, as perception's last step leaves it (convex
pieces, hull, mass): the tool comes down around it, squeezes, lifts it 15 cm, turns half a radian, shakes it
6 cm to either side and holds it for three seconds. Printed are the share of simulations in which both fingers
still touch it and it hangs in the air, and how far its centre moved in the tool's frame after the squeeze.
What is wider than the hand opens is named instead.
"""

import argparse
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import trimesh
from numpy.typing import NDArray

from tests.scenes import primitive_scene
from video2policy import mjcf
from video2policy.rendered.shapes import KINDS
from video2policy.scene import Scene
from video2policy.sim import robot
from video2policy.sim.mujoco import MujocoSim

Array = NDArray[np.float64]

HEIGHT, SIDEWAYS, TURN = 0.15, 0.06, 0.5
"""Metres, metres, radians."""
HOLD = 60
"""Control steps of .05 s."""
FINGER_BELOW_TOP = 0.035
"""Metres by which the tool centre goes below the object's top."""


class Held(NamedTuple):
    """Over the simulations of one object."""

    share: float
    slip: float
    """Metres, the worst of those that are held; not a number where none is."""


def mesh(kind: str, seed: int) -> trimesh.Trimesh:
    """One of a kind at its real size, in metres."""
    drawn = KINDS[kind].mesh(np.random.default_rng(seed))
    shape = trimesh.Trimesh(drawn.vertices, drawn.faces, process=False)
    shape.merge_vertices(merge_tex=True, merge_norm=True)
    return shape


def scene_of(kind: str, seed: int, folder: Path) -> Path:
    """scene.json of one kind alone on the table, made if it is not there."""
    place = folder / f"{kind.replace(' ', '_')}_{seed}"
    if (place / "scene.json").is_file():
        return place / "scene.json"
    return primitive_scene(place, objects={"object": mesh(kind, seed)})


def drive(sim: MujocoSim, to: Array, yaw: Array, gripper: float, steps: int) -> None:
    """Move the tool towards `to` (n, 3) and `yaw` (n,) with actions, as a policy would."""
    for _ in range(steps):
        action = torch.zeros(sim.n_envs, 7)
        action[:, :3] = torch.from_numpy((to - sim._tool.target) / robot.POSITION_STEP)
        action[:, 5] = torch.from_numpy((yaw - sim._target_angles[:, 0]) / robot.YAW_STEP)
        action[:, 6] = gripper
        sim.step(action)


def target(shape: mjcf.Shape, pos: Array, quat: Array) -> tuple[Array, Array]:
    """Where the tool closes, (n, 3), and its yaw (n,), on an object at `pos` (n, 3), `quat` (n, 4) wxyz.

    Across the narrowest width seen from above, in the middle between the fingers and at the centre of mass
    along them, as deep as palm and table allow: what bulges is narrower further up.
    """
    turned = 2 * np.arctan2(quat[:, 3], quat[:, 0]).astype(float)
    seen = shape.hull.vertices[:, :2]
    axes = np.array([[np.cos(a), np.sin(a)] for a in (shape.grasp_yaw, shape.grasp_yaw + np.pi / 2)])
    spans = seen @ axes.T
    x, y = np.array([(spans[:, 0].max() + spans[:, 0].min()) / 2, shape.com[:2] @ axes[1]]) @ axes
    place = pos.astype(float)
    place[:, 0] += np.cos(turned) * x - np.sin(turned) * y
    place[:, 1] += np.sin(turned) * x + np.cos(turned) * y
    place[:, 2] = np.maximum(pos[:, 2] + shape.top - FINGER_BELOW_TOP, robot.LOW[2])
    return place, (turned + shape.grasp_yaw - np.pi / 2) % np.pi


def grasp(sim: MujocoSim, name: str = "object") -> Held:
    """Carry out the test with the fingers across the object's narrowest width."""
    ids = torch.arange(sim.n_envs)
    sim.reset(ids, sim.sample_object_poses(ids))
    states = sim.states()
    place, yaw = target(sim._shapes[0], states[f"{name}_pos"].numpy(), states[f"{name}_quat"].numpy())
    drive(sim, place + [0, 0, 0.1], yaw, 1, 40)
    drive(sim, place, yaw, 1, 20)
    drive(sim, place, yaw, -1, 12)
    before = sim.states()[f"{name}_from_eef"]
    place = place + [0, 0, HEIGHT]
    drive(sim, place, yaw, -1, 16)
    yaw = yaw + np.where(yaw > robot.HOME_YAW, -TURN, TURN)
    drive(sim, place, yaw, -1, 14)
    for sideways in (SIDEWAYS, 0, -SIDEWAYS, 0):
        drive(sim, place + [0, sideways, 0], yaw, -1, 4)
    drive(sim, place, yaw, -1, HOLD)
    states = sim.states()
    held = (states[f"{name}_grasped"] == 1) & (states[f"{name}_displacement"][:, 2] > HEIGHT / 2)
    slip = torch.norm(states[f"{name}_from_eef"] - before, dim=1)[held]
    return Held(float(held.float().mean()), float(slip.max()) if len(slip) else float("nan"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--robots", nargs="+", default=["panda"], choices=list(mjcf.ROBOTS))
    parser.add_argument("--envs", type=int, default=32)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the objects there, and use those that are")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = arguments.folder or Path(folder)
        scenes = {kind: scene_of(kind, arguments.seed, place) for kind in arguments.kinds}
        for name in arguments.robots:
            report(scenes, name, arguments.envs)


def report(scenes: dict[str, Path], robot_name: str, n_envs: int) -> None:
    """Print one robot's table, then what does not fit and the worst of what does."""
    hand = mjcf.known_robot(robot_name)
    rows, wide = {}, {}
    print(
        f"\n{robot_name}\n\n| object | width, mm | mass, g | pieces | held | slip, mm |\n" + "|---" * 6 + "|"
    )
    for kind, path in scenes.items():
        scene = Scene.load(path)
        shape = mjcf.load_shape(scene.objects[0], path.parent)
        if shape.grasp_width > hand.graspable:
            wide[kind] = shape.grasp_width
            continue
        sim = MujocoSim(scene, path.parent, n_envs, robot_name, fit_gripper=False)
        rows[kind] = grasp(sim)
        print(
            f"| {kind} | {1000 * shape.grasp_width:.0f} | {1000 * shape.mass:.0f} | {len(shape.pieces)} "
            f"| {rows[kind].share:.2f} | {1000 * rows[kind].slip:.1f} |",
            flush=True,
        )
    named = ", ".join(f"{kind} ({1000 * width:.0f} mm)" for kind, width in wide.items())
    print(f"\nToo wide for {1000 * hand.graspable:.0f} mm: {named or 'none'}.")
    good = [kind for kind, held in rows.items() if held.share >= 0.95 and held.slip < 0.01]
    share = np.mean([held.share for held in rows.values()])
    print(f"{len(good)} of {len(rows)} held in 95% with a slip below 10 mm; held over all {share:.3f}.")


if __name__ == "__main__":
    main()
