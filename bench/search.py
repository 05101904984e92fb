"""Reward search by halving and by the paper's rounds, same budget of steps: `python -m bench.search OUT`.

Each run searches the reward of one of the suite's tasks (true shapes and sizes, `bench.suite_scenes`) with
the grammar author through the workflow's own scripts, and judges the winner's policy as the search leaves
it. What OUT holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path
from typing import Any

from bench.suite_scenes import TASKS, suite_scene
from scripts import pick_task, select_reward, train_reward, train_skill, write_reward, write_task
from scripts.stage import Input, Output
from video2policy.evaluate.evaluation import Rollouts, evaluate
from video2policy.families import held_roles
from video2policy.workflow import schedule

SEARCHES = ("rounds", "halving")


def search(folder: Path, task: str, seed: int, how: str, options: argparse.Namespace) -> dict[str, Any]:
    """One search and the judgement of its winner; the record that result.json keeps."""
    done = folder / "result.json"
    if done.exists():
        return dict(json.loads(done.read_text()))
    folder.mkdir(parents=True, exist_ok=True)
    simulation = {
        "engine": "mujoco",
        "device": "cpu",
        "robot": options.robot,
        "environments": options.envs,
        "horizon": 100,
        "fit_gripper": True,
        "randomise": "none",
    }
    training: dict[str, Any] = {
        "max_steps": options.steps,
        "threads": 1,
        "seed": seed,
        "success_weight": 100.0,
        "warm_start": True,
        "timeout": 7200,
    }
    author = {"name": "grammar", "seed": seed}
    scene = Input(suite_scene(folder / "scene", task, seed))
    given = write_tasks(folder, scene, author)
    skill = None
    if held_roles(json.loads(scene.read_text())["task"]["family"]):
        skill = Input(folder / "skill.safetensors")
        train_skill.main(scene, Output(skill), Output(folder / "skill.json"), simulation, training)
    previous: Input | None = None
    steps, curve = 0, []
    rounds = schedule(
        {"iterations": options.rounds, "samples": options.samples, "search": how}, options.steps
    )
    for k, one in enumerate(rounds):
        samples = [folder / str(k) / str(s) for s in range(one.samples)]
        feedback = Input(folder / str(k - 1) / "feedback.md") if k else None
        for s, sample in enumerate(samples):
            sample.mkdir(parents=True, exist_ok=True)
            names = [Output(sample / name) for name in ("request.json", "reply.json", "reward.py")]
            write_reward.main(scene, given, *names, k, s, author, previous, feedback, going_on=one.going_on)
            outputs = [Output(sample / name) for name in ("policy.safetensors", "log.csv", "search.json")]
            train_reward.main(
                scene,
                given,
                Input(names[2]),
                *outputs,
                simulation,
                {**training, "max_steps": one.steps},
                k,
                s,
                one.going_on,
                previous,
                skill,
            )
            steps += json.loads(outputs[2].read_text())["steps"]
        best = Output(folder / str(k) / "best")
        best.mkdir(exist_ok=True)
        files = [
            [Input(sample / name) for sample in samples]
            for name in ("search.json", "reward.py", "reply.json", "policy.safetensors")
        ]
        select_reward.main(
            scene,
            given,
            *files,
            best,
            Output(folder / str(k) / "feedback.md"),
            k,
            simulation,
            training,
            previous,
            how == "halving",
            rounds[k + 1].going_on if k + 1 < len(rounds) else 0,
        )
        previous = Input(best)
        rollouts = Rollouts.from_config(scene, given, simulation)
        measured, _, _ = evaluate(rollouts, [best / "policy.safetensors"], options.episodes, 1_000)
        curve.append({"steps": steps, "judged": measured["success_rate"]})
        print(f"{task} seed {seed} {how}: round {k}, {curve[-1]}", flush=True)
    record = {"task": task, "seed": seed, "search": how, "curve": curve}
    done.write_text(json.dumps(record) + "\n")
    return record


def write_tasks(folder: Path, scene: Input, author: dict[str, Any]) -> Input:
    """The task picked from three candidates."""
    candidates = [Output(folder / f"candidate_{n}.py") for n in range(3)]
    for n, candidate in enumerate(candidates):
        asked = [Output(folder / f"candidate_{n}.{part}.json") for part in ("request", "reply")]
        write_task.main(scene, candidate, *asked, n, author)
    picked = Output(folder / "task.py")
    pick_task.main(scene, [Input(path) for path in candidates], picked, Output(folder / "pick.json"), author)
    return Input(picked)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", nargs="+", default=["lift", "push_next", "uncover"], choices=list(TASKS))
    parser.add_argument("--searches", nargs="+", default=list(SEARCHES), choices=SEARCHES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--robot", default="floating")
    parser.add_argument("--envs", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--steps", type=int, default=100_000, help="of one training of full length, at most")
    parser.add_argument("--episodes", type=int, default=100)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    print(
        "| task | seed | search | after each round: judged success (environment steps) |\n|---|---|---|---|"
    )
    for seed in options.seeds:
        for task in options.tasks:
            for how in options.searches:
                found = search(options.out / f"{task}_{seed}_{how}", task, seed, how, options)
                curve = ", ".join(f"{c['judged']:.2f} ({c['steps'] / 1000:.0f}k)" for c in found["curve"])
                print(f"| {task} | {seed} | {how} | {curve} |", flush=True)


if __name__ == "__main__":
    main()
