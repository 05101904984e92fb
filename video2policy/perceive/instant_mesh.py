"""A mesh from one picture: InstantMesh, as in the paper, section 3.1, through its command line.

Xu et al., "InstantMesh", 2024; from a clone of its repository. Its weights, TencentARC/InstantMesh,
sudo-ai/zero123plus-v1.2 and facebook/dino-vitb16, come from the hub's cache.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import trimesh

from video2policy.mask import write_image
from video2policy.perceive.backend import Backend
from video2policy.perceive.generated import cut_out, on_background
from video2policy.perceive.reconstruct import Image, Mask
from video2policy.perceive.verdict import Unavailable

CONFIG = "configs/instant-mesh-large.yaml"
TIMEOUT = 1800
"""Seconds after which a run that hangs is ended."""


def command(picture: Path, out: Path) -> list[str]:
    """The call of the vendor's `run.py`, from the folder of its clone.

    Without `--no_rembg` it would cut the object out again; with it, it does not centre the object either, so
    the picture comes cut out, centred and on white.
    """
    return [sys.executable, "run.py", CONFIG, str(picture), "--output_path", str(out), "--no_rembg"]


def upright(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """From the vendor's axes, z up with the viewer on +x, to ours, with the viewer on -x: half a turn."""
    result = mesh.copy()
    result.apply_transform(np.diag([-1.0, -1.0, 1.0, 1.0]))
    return result


def generate(image: Image, mask: Mask, backend: Backend) -> trimesh.Trimesh:
    """The upright mesh of the masked object of an RGB frame (H, W, 3).

    Raises Unavailable where the clone is not there or its program fails (weights that are missing included).
    """
    clone = backend.clone_folder()
    weights = backend.weights_folder()
    with tempfile.TemporaryDirectory(prefix="instant_mesh_") as folder:
        picture, out = Path(folder) / "object.png", Path(folder) / "out"
        write_image(picture, on_background(cut_out(image, mask), 1.0))
        link_weights(clone, weights)
        done = subprocess.run(
            command(picture, out), cwd=clone, env=dict(os.environ), timeout=TIMEOUT, stdin=subprocess.DEVNULL
        )
        made = out / Path(CONFIG).stem / "meshes" / "object.obj"
        if done.returncode != 0 or not made.is_file():
            raise Unavailable(
                f"InstantMesh's run.py ended with status {done.returncode} and no mesh; the log says why, "
                "and the weights that it wants beside its own come with "
                "`hf download sudo-ai/zero123plus-v1.2` and `hf download facebook/dino-vitb16`"
            )
        loaded = trimesh.load(made, force="mesh", process=False)
        assert isinstance(loaded, trimesh.Trimesh)
        return upright(loaded)


def link_weights(clone: Path, weights: Path) -> None:
    """Show the weights to `run.py`, which looks in the clone's `ckpts/`."""
    for name in ("diffusion_pytorch_model.bin", "instant_mesh_large.ckpt"):
        link = clone / "ckpts" / name
        if (weights / name).exists() and not link.exists():
            link.parent.mkdir(exist_ok=True)
            link.symlink_to((weights / name).resolve())
