"""The paper's 12 tasks trained from their reference rewards and judged: `python -m bench.twelve RESULTS`.

Training seed k learns the scene of the suite's clip k (true shapes and sizes), so that a task's figure is a
mean over objects as well as over seeds. What RESULTS holds already is not trained again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from bench.suite_scenes import TASKS, A, suite_scene
from bench.workers import workers
from video2policy.author.grammar import grip
from video2policy.evaluate.judges import judge
from video2policy.evaluate.statistics import success_rate
from video2policy.evaluate.worker import roll_out
from video2policy.families import is_taught
from video2policy.files import written
from video2policy.guard.load import load_task
from video2policy.scene import Scene
from video2policy.sim.environment import Environment
from video2policy.sim.mujoco import MujocoSim
from video2policy.train import skill
from video2policy.train.policy import save_policy
from video2policy.train.ppo import Training, train

PAPER = {
    "push_left": 1.00,
    "push_right": 1.00,
    "lift": 0.93,
    "tip_over": 1.00,
    "cover": 0.07,
    "uncover": 0.97,
    "push_with": 0.43,
    "push_next": 1.00,
    "drop_front": 0.93,
    "insert": 0.93,
    "slide": 0.97,
    "throw_into": 0.70,
}
"""Table 1, column Video2Policy."""

HARD = ("cover", "push_with", "throw_into")
"""Tasks with more steps at most, as the paper's figures for them are the lowest."""

JUDGED_FROM = 1000
"""Seed of the judged episodes, far from those of training."""


@dataclass(frozen=True)
class Run:
    """One training and its judged episodes; `folder` takes what comes out."""

    folder: Path
    task: str
    seed: int
    robot: str
    environments: int
    settings: Mapping[str, Any]
    """Fields of `Training` that differ from its defaults, the steps at most among them."""
    episodes: int
    from_skill: bool


def measure(run: Run) -> dict[str, Any]:
    """Train and judge; what result.json says."""
    done = run.folder / "result.json"
    if done.exists():
        result = dict(json.loads(done.read_text()))
        if result.get("training") != run.settings:
            raise SystemExit(f"{done} is not of a training with {run.settings}: name another folder")
        return result
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = suite_scene(Path(folder) / "scene", run.task, run.seed)
        scene = Scene.load(path)
        code = Path(__file__).parent / "tasks" / f"{run.task}.py"

        def environment(n_envs: int, seed: int, record: bool = False) -> Environment:
            sim = MujocoSim(scene, path.parent, n_envs, run.robot, seed=seed)
            return Environment(sim, load_task(code)(sim, ""), record=record)

        begin = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):  # rl-games prints what it builds
            env, start = environment(run.environments, run.seed), None
            training = replace(Training(), **run.settings)
            training = replace(training, units=tuple(training.units))  # JSON has lists alone
            if run.from_skill and is_taught(scene.task.family):
                place = skill.PLACES.get(scene.task.family)
                units, roles = training.units, scene.task.roles
                taught = environment(min(run.environments, skill.SIMULATIONS), run.seed).sim
                start = skill.learn(taught, roles, units, run.seed, place, grip(scene))
                taught.close()
            skill_cpu = time.process_time() - begin[1]
            outcome = train(env, training, run.seed, Path(folder), skill=start, handled=A)
        wall, cpu = time.perf_counter() - begin[0], time.process_time() - begin[1]
        judged = environment(run.episodes, JUDGED_FROM + run.seed, record=True)
        recording = roll_out(judged, lambda sim: outcome.policy.act, 0.0, torch.Generator().manual_seed(0))
        verdicts = judge(scene.task.family, scene.task.roles, recording.trajectory())
    run.folder.mkdir(parents=True, exist_ok=True)
    save_policy(run.folder / "policy.safetensors", outcome.policy)
    recording.save(run.folder / "recording.npz")
    result = {
        "task": run.task,
        "seed": run.seed,
        "training": run.settings,
        "sim_scale": round(judged.sim.scale, 3),
        "stopped": outcome.stopped,
        "steps": outcome.steps,
        "skill_cpu_seconds": round(skill_cpu),
        "cpu_seconds": round(cpu),
        "wall_seconds": round(wall),
        "episodes": run.episodes,
        "successes": int(verdicts.success.sum()),
        "generated_success": round(float(recording.generated_success().mean()), 4),
    }
    with written(done) as part:
        part.write_text(json.dumps(result))
    return result


def table(results: Sequence[dict[str, Any]]) -> list[str]:
    """Markdown lines: each task's judged success over its seeds, the paper's beside it, and the means."""
    lines = [
        "| task | judged success | by seed | reference's own success | steps | CPU s a seed | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    means, papers = [], []
    for task in TASKS:
        rows = sorted((r for r in results if r["task"] == task), key=lambda r: r["seed"])
        if not rows:
            continue
        rate = success_rate([(r["successes"], r["episodes"]) for r in rows])
        means.append(rate.rate)
        papers.append(PAPER[task])
        lines.append(
            f"| {task} | {rate.rate:.2f} [{rate.interval[0]:.2f}, {rate.interval[1]:.2f}] | "
            + ", ".join(f"{r['successes'] / r['episodes']:.2f}" for r in rows)
            + f" | {np.mean([r['generated_success'] for r in rows]):.2f} | "
            + ", ".join(f"{r['steps'] / 1000:.0f}k" for r in rows)
            + f" | {np.mean([r['cpu_seconds'] for r in rows]):.0f} | {PAPER[task]:.2f} |"
        )
    return [*lines, f"| mean | {np.mean(means):.3f} | | | | | {np.mean(papers):.3f} |"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--envs", type=int, default=128)
    parser.add_argument("--cap", type=int, default=1_000_000, help="environment steps at most")
    parser.add_argument("--hard-cap", type=int, default=2_000_000, help=f"for {', '.join(HARD)}")
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--scratch", action="store_true", help="without the skill")
    parser.add_argument("--training", type=json.loads, default={}, help="JSON: other fields of Training")
    arguments = parser.parse_args()
    if unknown := set(arguments.training) - {field.name for field in fields(Training)}:
        parser.error(f"--training: Training has no {', '.join(sorted(unknown))}")
    runs = [
        Run(
            arguments.results / f"{task}_{seed}",
            task,
            seed,
            arguments.robot,
            arguments.envs,
            {"max_steps": arguments.hard_cap if task in HARD else arguments.cap, **arguments.training},
            arguments.episodes,
            not arguments.scratch,
        )
        for seed in arguments.seeds
        for task in arguments.tasks
    ]
    with workers(arguments.jobs) as pool:
        results = list(tqdm(pool.map(measure, runs), total=len(runs), desc="trainings"))
    print("\n".join(table(results)))


if __name__ == "__main__":
    main()
