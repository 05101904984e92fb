"""PPO on one reward, in a worker process; only the generated success is measured."""

import json
import logging
from pathlib import Path
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.guard.process import WorkerError
from video2policy.train.run import Job, failed_training, run_training, with_patience
from video2policy.train.search import SOLVED, WORTH, ancestor

log = logging.getLogger("video2policy")


def main(
    scene: Input,
    task: Input,
    reward: Input,
    policy: Output,
    log_csv: Output,
    search: Output,
    simulation: dict,
    training: dict,
    iteration: int = 0,
    sample: int = 0,
    going_on: int = 0,
    previous: Input | None = None,
    skill: Input | None = None,
    sandbox: str = "best_effort",
    sees: str = "clip",
    config: dict[str, Any] | None = None,
) -> None:
    """With `warm_start`, training goes on from the best policy of the rounds before; else from the `skill`.

    In a search by halving, the first `going_on` samples keep the reward of a member of the round before and
    go on from its policy; nothing is trained any more once the best is solved. A reward that fails is a
    result of the search: search.json says why, and it is never selected."""
    seed = int(training["seed"])
    origin, parent = come_from(previous, sample, going_on, bool(training["warm_start"]))
    try:
        if going_on and is_solved(previous):
            raise Spared("the best so far is solved")
        patient = with_patience(training, config)
        job = Job(scene, task, reward, simulation, patient, parent, skill, sandbox, sees == "clip")
        # What goes on meets other episodes than it began with.
        result = run_training(
            job, seed + (iteration if going_on else 0), policy, log_csv, policy.with_name("training")
        )
    except WorkerError as error:
        # What happened, and the last line that the worker printed: its exception, where it raised one.
        first, *printed = str(error).splitlines()
        log.info("not trained: %s", " ".join([first, *(line.strip() for line in printed[-1:])]))
        result = failed_training(error, seed)
        if isinstance(error, Spared):
            result["stopped"] = "spared"
        for path in (policy, log_csv):
            path.write_text("failed: see search.json\n")
    search.write_text(json.dumps(result | ({"origin": origin} if origin else {}), indent=1) + "\n")


class Spared(WorkerError):
    """A training that can add nothing; says why."""


def come_from(
    previous: Path | None, sample: int, going_on: int, warm_start: bool
) -> tuple[dict[str, Any] | None, Path | None]:
    """The reward that a sample's comes from ({"iter", "sample", "goes_on"}), and the policy to go on from."""
    if previous is None:
        return None, None
    came = ancestor(sample, going_on, len(list(previous.glob("members/*"))))
    folder = previous / "members" / str(came.rank)
    if not going_on or not folder.exists():
        folder, came = previous, ancestor(0, 0, 0)
    record = json.loads((folder / ("best.json" if folder == previous else "member.json")).read_text())
    origin = {name: record[name] for name in ("iter", "sample")} | {"goes_on": came.goes_on}
    worth = not going_on or came.goes_on or record["success_rate"] >= WORTH
    return origin, folder / "policy.safetensors" if warm_start and worth else None


def is_solved(previous: Path | None) -> bool:
    """Whether the best so far succeeds on fresh seeds."""
    return previous is not None and (
        json.loads((previous / "best.json").read_text()).get("confirmed", 0.0) >= SOLVED
    )


stage(main)
