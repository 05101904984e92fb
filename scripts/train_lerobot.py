"""Train one of LeRobot's own policies (ACT, diffusion) with LeRobot's own program, on the demonstrations."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scripts.stage import Failed, Input, Output, stage
from video2policy.dataset.lerobot import MASK_SUFFIX, merge

CAMERA, STATE = "observation.images.", "observation.state"


def main(
    trajectories: list[Input],
    checkpoint: Output,
    policy: str,
    steps: int,
    batch_size: int,
    seed: int,
    masks: bool = False,
    options: dict[str, Any] | None = None,
) -> None:
    """`checkpoint` is a folder as LeRobot loads it; `policy` is LeRobot's name; `options` its settings.

    It sees the cameras' pictures, or their masks, and the robot's state: never the objects' true poses.
    """
    folders = [path for path in trajectories if (path / "meta" / "info.json").exists()]
    if not folders:
        raise Failed("no clip has demonstrations to learn from")
    if reason := why_not(policy, options or {}):
        raise Failed(reason)
    with tempfile.TemporaryDirectory() as scratch:
        data, out = Path(scratch, "data"), Path(scratch, "out")
        merge(folders, data)
        chosen = {
            "dataset.repo_id": "local/demonstrations",
            "dataset.root": data,
            "dataset.video_backend": "pyav",
            "policy.type": policy,
            "policy.push_to_hub": "false",
            "policy.input_features": json.dumps(features(data, masks)),
            **{f"policy.{name}": as_text(value) for name, value in (options or {}).items()},
            "steps": steps,
            "save_freq": steps,
            "batch_size": batch_size,
            "num_workers": min(4, len(os.sched_getaffinity(0))),
            "seed": seed,
            "output_dir": out,
        }
        command = [str(Path(sys.executable).with_name("lerobot-train"))]
        command += [f"--{name}={value}" for name, value in chosen.items()]
        environ = {**os.environ, "WANDB_MODE": "disabled"}
        if code := subprocess.run(command, env=environ).returncode:
            raise Failed(f"lerobot-train ended with status {code}; its message stands in the log")
        found = next(out.glob("checkpoints/*/pretrained_model"))
        shutil.copytree(found, checkpoint, dirs_exist_ok=True)


def why_not(policy: str, options: Mapping[str, Any]) -> str | None:
    """Why it cannot be trained, in one sentence: an unknown name, or weights that are not here."""
    import lerobot.policies  # noqa: F401 (which makes the configurations known)
    import torch
    from lerobot.configs.policies import PreTrainedConfig
    from torchvision.models import get_weight

    known = PreTrainedConfig.get_known_choices()
    if policy not in known:
        names = ", ".join(sorted(known))
        return f'LeRobot has no policy "{policy}", as generalist.lerobot.policy says; it has {names}'
    setting = "pretrained_backbone_weights"
    name = options.get(setting, getattr(known[policy], setting, None))
    if name is None or os.environ.get("HF_HUB_OFFLINE") != "1":
        return None
    url = get_weight(name).url
    path = Path(torch.hub.get_dir(), "checkpoints", url.rpartition("/")[2])
    if path.exists():
        return None
    return (
        f"{policy}'s backbone begins with {name}, and {path} does not exist: fetch {url} there, let LeRobot "
        f"do so by `perception: {{download: true}}`, or begin at random with `generalist: {{lerobot: "
        f"{{options: {{{setting}: null}}}}}}`"
    )


def as_text(value: Any) -> str:
    """A setting as LeRobot's command line reads it: null, true, numbers and lists as YAML has them."""
    return value if isinstance(value, str) else json.dumps(value)


def features(data: Path, masks: bool) -> dict[str, Any]:
    """LeRobot's description of what the policy sees of a dataset."""
    known = json.loads((data / "meta" / "info.json").read_text())["features"]
    seen = {
        name: {"type": "VISUAL", "shape": [it["shape"][2], *it["shape"][:2]]}
        for name, it in known.items()
        if name.startswith(CAMERA) and name.endswith(MASK_SUFFIX) == masks and "depth" not in name
    }
    return {**seen, STATE: {"type": "STATE", "shape": known[STATE]["shape"]}}


stage(main)
