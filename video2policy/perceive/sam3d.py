"""A mesh from one picture, also of what is partly hidden: SAM 3D Objects.

Chen et al., "SAM 3D", 2025; from a clone of its repository, weights facebook/sam-3d-objects (gated: its page
asks for consent), SAM License.
"""

from __future__ import annotations

import sys

import numpy as np
import trimesh

from video2policy.perceive.backend import Backend
from video2policy.perceive.reconstruct import Image, Mask
from video2policy.perceive.verdict import Unavailable

SEED = 42


def upright(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """From glTF's axes, y up with the viewer on +z, to ours, z up with the viewer on -x, +y to its left."""
    result = mesh.copy()
    result.apply_transform(np.array([[0, 0, -1, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]]))
    return result


def generate(image: Image, mask: Mask, backend: Backend) -> trimesh.Trimesh:
    """The upright mesh of the masked object of an RGB frame (H, W, 3).

    Raises Unavailable where the clone, the weights or a package is not there.
    """
    clone = backend.clone_folder()
    config = backend.weights_folder() / "checkpoints" / "pipeline.yaml"
    if not config.is_file():
        config = config.parent.parent / "pipeline.yaml"
    if not config.is_file():
        raise Unavailable(f"SAM 3D Objects: no pipeline.yaml in its weights {backend.weights}")
    if str(clone / "notebook") not in sys.path:  # the vendor's entry point lies beside its notebooks
        sys.path.insert(0, str(clone / "notebook"))
    with backend.imports():
        from inference import Inference
    result = Inference(str(config), compile=False)(image, mask, seed=SEED)
    made = result["glb"]
    made = made.to_geometry() if isinstance(made, trimesh.Scene) else made
    assert isinstance(made, trimesh.Trimesh)
    return upright(made)
