"""Programs that act, judged on the suite's scenes with their true shapes: `python -m bench.programs OUT`.

What Code-as-Policies reaches with the grammar author, for each of the paper's 12 tasks.
"""

from __future__ import annotations

import argparse
import json
import logging
from pathlib import Path

from bench.suite_scenes import TASKS, suite_scene
from scripts import act_by_code
from scripts.stage import Input, Output
from video2policy.author import grammar
from video2policy.scene import Scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--robot", default="panda")
    parser.add_argument("--episodes", type=int, default=24)
    parser.add_argument("--horizon", type=int, default=300)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    simulation = {"engine": "mujoco", "device": "cpu", "robot": options.robot, "fit_gripper": True}
    evaluation = {"seeds": 1, "episodes": options.episodes, "seed": 1000}
    print("| task | scene's seed | judged success | generated | different programs |\n|---|---|---|---|---|")
    for task in options.tasks:
        for seed in options.seeds:
            folder = options.out / f"{task}_{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            scene = Input(suite_scene(folder / "scene", task, seed))
            loaded, code = Scene.load(scene), folder / "task.py"
            code.write_text(grammar.write_task(grammar.draw_task(loaded, 0, 0), loaded))
            act_by_code.main(
                scene,
                Input(code),
                *(Output(folder / name) for name in ("programs", "eval.json", "rollout.mp4")),
                task,
                "code_as_policies",
                {"name": "grammar"},
                evaluation,
                simulation | {"horizon": options.horizon},
            )
            found = json.loads((folder / "eval.json").read_text())
            print(
                f"| {task} | {seed} | {found['success_rate']:.2f} | {found['generated_success_rate']:.2f}"
                f" | {found['programs']['different']} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
