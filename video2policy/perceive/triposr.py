"""A mesh from one picture: TripoSR.

Tochilkin et al., "TripoSR", 2024; from a clone of its repository, weights stabilityai/TripoSR, both MIT.
"""

from __future__ import annotations

import numpy as np
import trimesh

from video2policy.perceive.backend import Backend
from video2policy.perceive.generated import cut_out, on_background
from video2policy.perceive.instant_mesh import upright
from video2policy.perceive.reconstruct import Image, Mask

BACKGROUND = 0.5
"""The grey on which it was trained to see objects."""

CHUNK = 8192
"""Points evaluated at once: bounds the memory."""

RESOLUTION = 256


def generate(image: Image, mask: Mask, backend: Backend) -> trimesh.Trimesh:
    """The upright mesh of the masked object of an RGB frame (H, W, 3), with vertex colours.

    Raises Unavailable where the clone, the weights or a package is not there.
    """
    backend.clone_folder()
    weights = backend.weights_folder()
    with backend.imports():
        import torch
        from PIL import Image as Picture
        from tsr.system import TSR
    device = backend.torch_device()
    model = TSR.from_pretrained(str(weights), config_name="config.yaml", weight_name="model.ckpt")
    model.renderer.set_chunk_size(CHUNK)
    model.to(device)
    picture = Picture.fromarray(on_background(cut_out(image, mask), BACKGROUND))
    with torch.no_grad():
        codes = model([picture], device=str(device))
        made = model.extract_mesh(codes, resolution=RESOLUTION)[0]
    colours = np.asarray(made.visual.vertex_colors)
    return upright(trimesh.Trimesh(made.vertices, made.faces, vertex_colors=colours, process=False))
