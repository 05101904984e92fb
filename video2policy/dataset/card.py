"""The card of a dataset: README.md with counts, licences and plots, as the hub shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from video2policy.dataset.lerobot import (
    ACTION,
    DATA_PATH,
    DEPTH_MAX,
    DEPTH_SUFFIX,
    ENVIRONMENT,
    MASK_SUFFIX,
    STATE,
    SUCCESS,
    Episode,
    Reader,
)
from video2policy.hands import ROBOTS
from video2policy.models import EMBEDDED, MODELS
from video2policy.scene import Scene

SHOWN_EPISODES = 4
PLOTS = "meta/episodes.png", "meta/actions.png"


def mesh_methods(scene: Path) -> dict[str, str]:
    """Method of the objects' meshes -> its licence, for the clip of this scene.json."""
    gates = Scene.load(scene).gates
    methods = {gate.method for gate in gates if gate.stage == "reconstruct" and gate.method}
    return {name: licence(name) for name in sorted(methods or {EMBEDDED})}


def licence(method: str) -> str:
    """What holds for meshes that this method of perception made."""
    model = MODELS.get(method)
    if model is None:
        return "this project's own; the texture is projected from the clip"
    restriction = f"; not for commercial use: {model.restriction}" if model.restriction else ""
    return f"{model.title}, {model.licence}{restriction}; the texture is projected from the clip"


def write(root: Path, collections: Sequence[Mapping[str, Any]], meshes: Mapping[str, str]) -> None:
    """Write README.md and its two plots into the dataset.

    `collections` are what `collect` returned for each clip whose episodes are in it; `meshes` as
    `mesh_methods` gives them.
    """
    reader = Reader(root)
    info = reader.info
    _plot_episodes(reader, root / PLOTS[0])
    _plot_actions(root, root / PLOTS[1])
    features = [f"| `{key}` | {f['dtype']} | {f['shape']} |" for key, f in info["features"].items()]
    clips = [
        f"| {c['video']} | {c['task']} | {c['episodes']} | {c['tried']} | {c['success_rate']:.2f} "
        f"| {c['robot']} | {c['sim_scale']} | {c['randomise']} |"
        for c in collections
    ]
    kept = sum(c["episodes"] for c in collections)
    robots = sorted({c["robot"] for c in collections})
    masks, depths = (any(c.endswith(end) for c in reader.cameras) for end in (MASK_SUFFIX, DEPTH_SUFFIX))
    text = [
        "---",
        "tags: [LeRobot, robotics, simulation]",
        "task_categories: [robotics]",
        "configs: [{config_name: default, data_files: data/*/*.parquet}]",
        "license: other",
        "---",
        "# Trajectories of policies trained from video clips",
        "",
        f"{kept} successful episodes, {info['total_frames']} frames at {info['fps']} Hz, drawn in MuJoCo.",
        f"LeRobot format {info['codebase_version']}. Only episodes that the hand-written judge of the task's",
        "family accepted are in here; failed and broken-off ones are not.",
        "",
        "| clip | task | episodes | tried | success of the policy | robot | scale | randomised |",
        "|" + "---|" * 8,
        *clips,
        "",
        f"![episodes]({PLOTS[0]})",
        "",
        f"![actions]({PLOTS[1]})",
        "",
        "## Columns",
        "| name | type | shape |",
        "|---|---|---|",
        *features,
        "",
        f"`{STATE}` is the robot's own state; `{ENVIRONMENT}` holds the objects' true poses",
        f"(world frame, metres, wxyz), which a policy must not see. `{ACTION}` is what the policy chose, in",
        f"[-1, 1]; `{SUCCESS}` whether the judge was satisfied after it. Seeds and the draws of the",
        "randomisation stand in `meta/collection.json`, one entry an episode.",
        *(
            ["Masks: grey 32 k is label k: 0 the background, 1... the objects in order, then the robot."]
            if masks
            else []
        ),
        "",
        *([f"Depth: 12 bits, millimetres, at most {DEPTH_MAX}."] if depths else []),
        "",
        "`sha256sum --check meta/SHA256SUMS` checks the files.",
        "",
        "## Licences",
        *[f"- {ROBOTS[robot].licence}" for robot in robots],
        *[f"- object meshes made by `{name}`: {what}" for name, what in meshes.items()],
        "- the clips: no frame of them is in here, but their colours are in the objects' textures. Clips of",
        "  Something-Something V2 are under its own research licence and may not be passed on; for own",
        "  clips their owner decides.",
        "",
    ]
    (root / "README.md").write_text("\n".join(text))


def _plot_episodes(reader: Reader, path: Path) -> None:
    """First, middle and last picture of some episodes, every camera's, RGB and masks."""
    from matplotlib.figure import Figure

    shown = np.unique(np.linspace(0, len(reader) - 1, min(SHOWN_EPISODES, len(reader))).astype(int))
    episodes = [reader.episode(int(i)) for i in shown]
    columns = 3 * len(reader.cameras)
    figure = Figure(figsize=(1.5 * columns, 1.6 * len(episodes)), layout="constrained")
    axes = figure.subplots(len(episodes), columns, squeeze=False)
    for number, row, episode in zip(shown, axes, episodes, strict=True):
        places = [0, len(episode.action) // 2, len(episode.action) - 1]
        for column, (camera, t) in enumerate((c, t) for c in reader.cameras for t in places):
            row[column].imshow(
                _picture(episode, camera, t), vmin=0, vmax=2000 if camera.endswith(DEPTH_SUFFIX) else 7
            )
            row[column].set_axis_off()
            row[column].set_title(f"{number}: {camera}, {t}", fontsize=6)
    figure.savefig(path, dpi=80)


def _picture(episode: Episode, camera: str, step: int) -> Any:
    if camera.endswith(MASK_SUFFIX):
        return episode.masks[camera.removesuffix(MASK_SUFFIX)][step]
    if camera.endswith(DEPTH_SUFFIX):
        return episode.depths[camera.removesuffix(DEPTH_SUFFIX)][step]
    return episode.images[camera][step]


def _plot_actions(root: Path, path: Path) -> None:
    """Histogram of each dimension of the action, and the lengths of the episodes."""
    from matplotlib.figure import Figure

    files = sorted(root.glob(DATA_PATH.split("/")[0] + "/*/*.parquet"))
    tables = [pq.read_table(file, columns=[ACTION, "episode_index"]) for file in files]
    actions = np.concatenate([np.stack(table[ACTION].to_numpy()) for table in tables])
    lengths = np.bincount(np.concatenate([table["episode_index"].to_numpy() for table in tables]))
    names = Reader(root).action_names
    figure = Figure(figsize=(11, 2.2), layout="constrained")
    axes = figure.subplots(1, len(names) + 1)
    for axis, name, values in zip(axes, names, actions.T, strict=False):
        axis.hist(np.clip(values, -1.5, 1.5), bins=30, color="#2f6fb3")
        axis.set_title(name, fontsize=8)
    axes[-1].hist(lengths, bins=20, color="#b9bec5")
    axes[-1].set_title("steps an episode", fontsize=8)
    for axis in axes:
        axis.tick_params(labelsize=6)
        axis.set_yticks([])
    figure.savefig(path, dpi=80)
