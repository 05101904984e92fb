"""The models that perception can be told to use: where each comes from and under which licence.

Standard library only: the Snakefile reads it in the host environment. docs/models.md is checked against it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video2policy.perceive.verdict import Unavailable

STAGES = ("ground", "segment", "depth", "reconstruct", "track")
"""Stages of perception with a choice of method, in their order."""

EMBEDDED = "embedded"
"""The method that needs neither weights nor a GPU; every stage has one."""


@dataclass(frozen=True)
class Model:
    """One model.

    `weights` is the hub's name of its weights, None where they come with the clone. `clone` is the address of
    the repository whose code is used, None for a package. `restriction` says what forbids commercial use, its
    own licence or that of something it depends on; None allows it.
    """

    name: str
    title: str
    stages: tuple[str, ...]
    licence: str
    weights: str | None = None
    clone: str | None = None
    restriction: str | None = None

    @property
    def clone_name(self) -> str:
        """Folder of the clone, below the folder of all clones."""
        return (self.clone or "").rsplit("/", 1)[-1]


MODELS = {
    model.name: model
    for model in (
        Model(
            "grounding_dino",
            "Grounding DINO",
            ("ground",),
            "Apache-2.0",
            weights="IDEA-Research/grounding-dino-tiny",
        ),
        Model("sam2", "SAM 2.1", ("segment",), "Apache-2.0", weights="facebook/sam2.1-hiera-large"),
        Model("sam3", "SAM 3", ("ground", "segment"), "SAM License", weights="facebook/sam3"),
        Model(
            "unidepth",
            "UniDepth v2",
            ("depth",),
            "CC BY-NC 4.0",
            weights="lpiccinelli/unidepth-v2-vitl14",
            restriction="its licence is CC BY-NC 4.0",
        ),
        Model("moge", "MoGe-2", ("depth",), "MIT", weights="Ruicheng/moge-2-vitl"),
        Model(
            "depth_anything3",
            "Depth Anything 3 (metric)",
            ("depth",),
            "Apache-2.0",
            weights="depth-anything/DA3METRIC-LARGE",
        ),
        Model(
            "instant_mesh",
            "InstantMesh",
            ("reconstruct",),
            "Apache-2.0",
            weights="TencentARC/InstantMesh",
            clone="https://github.com/TencentARC/InstantMesh",
            restriction="it needs nvdiffrast, which is for non-commercial use",
        ),
        Model(
            "triposr",
            "TripoSR",
            ("reconstruct",),
            "MIT",
            weights="stabilityai/TripoSR",
            clone="https://github.com/VAST-AI-Research/TripoSR",
        ),
        Model(
            "sam3d",
            "SAM 3D Objects",
            ("reconstruct",),
            "SAM License",
            weights="facebook/sam-3d-objects",
            clone="https://github.com/facebookresearch/sam-3d-objects",
            restriction="nobody checked that it runs without nvdiffrast, which is for non-commercial use",
        ),
        Model(
            "foundation_pose",
            "FoundationPose",
            ("track",),
            "NVIDIA, non-commercial",
            clone="https://github.com/NVlabs/FoundationPose",
            restriction="its licence and that of nvdiffrast, which it needs, are non-commercial",
        ),
    )
}


def choices(stage: str) -> tuple[str, ...]:
    """Names of the methods that a stage can be told to use."""
    return (EMBEDDED, *(model.name for model in MODELS.values() if stage in model.stages))


def stay_offline(perception: Mapping[str, Any]) -> None:
    """Keep this process and the jobs that inherit its environment off the hub, unless it is to download."""
    if not perception["download"]:
        os.environ["HF_HUB_OFFLINE"] = "1"


def check_licences(perception: Mapping[str, Any]) -> None:
    """Raises Unavailable, with every offending model by name, where only commercial licences are allowed."""
    if perception["licences"] != "commercial":
        return
    chosen = dict.fromkeys(perception[stage] for stage in STAGES)
    refused = [m for name in chosen if (m := MODELS.get(name)) is not None and m.restriction]
    if refused:
        listed = "; ".join(f"{model.title} ({model.restriction})" for model in refused)
        raise Unavailable(
            f"perception.licences: commercial refuses {listed}: choose other methods, or set it to any"
        )


def backend(perception: Mapping[str, Any], stage: str) -> dict[str, str | None]:
    """What a stage's script is told: the method's name, its weights (a folder or hub name) and its clone."""
    name = perception[stage]
    model = MODELS.get(name)
    if model is None:
        return {"name": name}
    return {
        "name": name,
        "weights": perception["weights"].get(name) or model.weights,
        "clone": str(Path(perception["clones"]) / model.clone_name) if model.clone else None,
        "device": perception["device"],
    }


def environment(perception: Mapping[str, Any], stage: str) -> str:
    """File in envs/ of the environment that the stage's method runs in."""
    return f"{perception[stage]}.yaml"


def module(perception: Mapping[str, Any], stage: str) -> list[str]:
    """File of the stage's method where it is not the embedded one: what its provenance must also cover."""
    name = perception[stage]
    return [] if name == EMBEDDED else [f"video2policy/perceive/{name}.py"]


def gpus(perception: Mapping[str, Any], stage: str) -> int:
    """GPUs that a job of the stage asks its scheduler for."""
    return 0 if perception[stage] == EMBEDDED or perception["device"] == "cpu" else 1
