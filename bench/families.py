"""Families trained from the grammar's first program on primitive objects: `python -m bench.families RESULTS`.

One training a family (and seed) on solids such as a box, a tin or a board, judged by the hand-written judges
on episodes of other seeds. What RESULTS holds already is not trained again; each training leaves its policy,
its recording and result.json.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from bench.workers import workers
from tests.scenes import OBJECTS, primitive_scene
from video2policy.author import grammar
from video2policy.evaluate.judges import judge
from video2policy.evaluate.worker import roll_out
from video2policy.families import held_roles
from video2policy.files import written
from video2policy.guard.load import load_task
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.train import skill
from video2policy.train.policy import save_policy
from video2policy.train.ppo import Training, train

SAMPLE = (
    *("upright", "lay_side", "pull_left", "put_onto", "take_out", "lift_drop", "move_away", "poke_move"),
    *("push_off_edge", "roll", "spin", "touch", "throw_surface", "lift_end", "push_any", "put_surface"),
)
"""Families by default: new ones, of every theme."""

JUDGED_FROM = 1000
"""Seed of the judged episodes, far from those of training."""


@dataclass(frozen=True)
class Run:
    """One training; `folder` takes what comes out."""

    folder: Path
    family: str
    seed: int
    robot: str
    environments: int
    cap: int
    episodes: int


def measure(run: Run) -> dict[str, Any]:
    """Train and judge; what result.json says."""
    done = run.folder / "result.json"
    if done.exists():
        return dict(json.loads(done.read_text()))
    torch.set_num_threads(1)
    run.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        path = primitive_scene(Path(folder) / "scene", run.family, objects=OBJECTS[run.family])
        scene = Scene.load(path)
        code = Path(folder) / "task.py"
        code.write_text(grammar.write_task(grammar.draw_task(scene, 0, 0), scene))

        def environment(n_envs: int, seed: int, record: bool = False) -> Environment:
            sim = MujocoSim(scene, path.parent, n_envs, run.robot, seed=seed)
            return Environment(sim, load_task(code)(sim, ""), record=record)

        cpu, start, roles = time.process_time(), None, scene.task.roles
        with contextlib.redirect_stdout(io.StringIO()):  # rl-games prints what it builds
            env = environment(run.environments, run.seed)
            if held_roles(run.family):
                place = skill.PLACES.get(run.family)
                taught = environment(min(run.environments, skill.SIMULATIONS), run.seed).sim
                start = skill.learn(taught, roles, Training().units, run.seed, place, grammar.grip(scene))
                taught.close()
            training = Training(max_steps=run.cap)
            outcome = train(env, training, run.seed, Path(folder), skill=start, handled=roles["a"])
        cpu = time.process_time() - cpu
        judged = environment(run.episodes, JUDGED_FROM + run.seed, record=True)
        recording = roll_out(judged, lambda sim: outcome.policy.act, 0.0, torch.Generator().manual_seed(0))
        verdicts = judge(run.family, roles, recording.trajectory())
        untrained = judge(run.family, roles, {k: v[:1].repeat(20, 0) for k, v in recording.states.items()})
    save_policy(run.folder / "policy.safetensors", outcome.policy)
    recording.save(run.folder / "recording.npz")
    result = {
        "family": run.family,
        "seed": run.seed,
        "objects": list(OBJECTS[run.family]),
        "started_done": int(untrained.success.sum()),
        "stopped": outcome.stopped,
        "steps": outcome.steps,
        "cpu_seconds": round(cpu),
        "episodes": run.episodes,
        "successes": int(verdicts.success.sum()),
        "generated_success": round(float(recording.generated_success().mean()), 4),
    }
    with written(done) as part:
        part.write_text(json.dumps(result))
    return result


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown lines, one a training: judged success beside the generated one, steps and CPU seconds."""
    lines = [
        "| family | objects | judged success | generated success | steps | stopped | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in sorted(results, key=lambda r: (r["family"], r["seed"])):
        lines.append(
            f"| {r['family']} | {', '.join(r['objects'])} | {r['successes'] / r['episodes']:.2f} | "
            f"{r['generated_success']:.2f} | {r['steps'] / 1000:.0f}k | {r['stopped']} | {r['cpu_seconds']} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument(
        "--families", nargs="+", default=list(SAMPLE), choices=list(OBJECTS), metavar="FAMILY"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--robot", default="floating", help="floating, panda or panda_robotiq")
    parser.add_argument("--envs", type=int, default=128)
    parser.add_argument("--cap", type=int, default=300_000, help="environment steps at most")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    runs = [
        Run(
            arguments.results / f"{family}_{seed}",
            family,
            seed,
            arguments.robot,
            arguments.envs,
            arguments.cap,
            arguments.episodes,
        )
        for seed in arguments.seeds
        for family in arguments.families
    ]
    with workers(arguments.jobs) as pool:
        waiting = {pool.submit(measure, run): run for run in runs}
        results = []
        for future in tqdm(as_completed(waiting), total=len(runs), desc="trainings"):
            results.append(future.result())
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
