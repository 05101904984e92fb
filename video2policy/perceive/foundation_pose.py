"""6D tracking of a known mesh: FoundationPose, model-based, as in the paper, section 3.1.

Wen et al., "FoundationPose", 2024; from a clone of its repository with its weights in the clone's `weights/`,
NVIDIA's licence, non-commercial. It wants metres everywhere: the mesh, centred, and the depth.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import trimesh
from numpy.typing import NDArray

from video2policy.camera import Camera
from video2policy.perceive.backend import Backend
from video2policy.perceive.contact import MIN_AREA, Contact, Images
from video2policy.perceive.depth import DepthImages
from video2policy.perceive.track import CONFIDENT, MIN_FEATURES, Array, Mask, Tracked, Tracker
from video2policy.perceive.verdict import Unavailable

METHOD = "FoundationPose"

REGISTER_ITERATIONS, TRACK_ITERATIONS = 5, 2
"""Refinements of a pose that is searched for, and of one that is followed: the vendor's usual values."""

WEIGHTS = ("2023-10-28-18-33-37", "2024-01-11-20-02-45")
"""Folders of the refiner's and the scorer's weights."""

NEAREST = 0.1
"""Metres: depth below this counts as unknown there, so that a clip in another unit would show nothing."""


class Estimator:
    """The vendor's estimator of one mesh (metres, centred on its bounding box) with one lens `K` (3, 3)."""

    def __init__(self, mesh: trimesh.Trimesh, K: Array, backend: Backend) -> None:
        clone = backend.clone_folder()
        missing = [name for name in WEIGHTS if not (clone / "weights" / name).is_dir()]
        if missing:
            raise Unavailable(
                f"the weights of {METHOD} are not here: put the folders {' and '.join(missing)}, to which "
                f"its readme links, into {clone / 'weights'}"
            )
        with backend.imports():
            import nvdiffrast.torch as rasterizer
            import torch
            from estimater import FoundationPose
            from learning.training.predict_pose_refine import PoseRefinePredictor
            from learning.training.predict_score import ScorePredictor
        self.torch = torch
        self.K = np.asarray(K, dtype=np.float64)
        self.scratch = tempfile.TemporaryDirectory(prefix="foundation_pose_")  # it insists on a folder
        self.vendor: Any = FoundationPose(
            model_pts=np.asarray(mesh.vertices),
            model_normals=np.asarray(mesh.vertex_normals),
            mesh=mesh,
            scorer=ScorePredictor(),
            refiner=PoseRefinePredictor(),
            glctx=rasterizer.RasterizeCudaContext(),
            debug=0,
            debug_dir=self.scratch.name,
        )

    def register(self, image: NDArray[np.uint8], depth: NDArray[np.float32], mask: Mask) -> Array:
        """camera_from_object (4x4) of what is masked in an RGB image (H, W, 3) with metric depth (H, W)."""
        found = self.vendor.register(
            K=self.K, rgb=image, depth=depth, ob_mask=mask, iteration=REGISTER_ITERATIONS
        )
        return self._matrix(found)

    def follow(self, image: NDArray[np.uint8], depth: NDArray[np.float32]) -> Array:
        """camera_from_object (4x4) in the frame after the last one."""
        return self._matrix(
            self.vendor.track_one(rgb=image, depth=depth, K=self.K, iteration=TRACK_ITERATIONS)
        )

    def _matrix(self, found: Any) -> Array:
        return np.asarray(self.torch.as_tensor(found).detach().cpu().numpy(), dtype=float).reshape(4, 4)


def track(
    frames: Images,
    masks: Mask,
    others: Mask,
    camera: Camera,
    contact: Contact,
    unit_mesh: trimesh.Trimesh,
    reconstruction: Mapping[str, Any],
    depth_scale: float,
    depths: DepthImages,
    backend: Backend,
) -> Tracked:
    """Poses of a reconstructed object (`reconstruction` is mesh.json) in the metric `camera`.

    From the reference frame both ways. A pose whose outline does not agree with the mask is lost and searched
    for anew; where nothing shows the object there is no pose. Like the embedded tracker it follows the mesh
    at the size that it has in the image. Raises Unavailable without the vendor's code or weights.
    """
    judge = Tracker.of(unit_mesh, reconstruction, depth_scale, camera, masks, others, contact)
    estimator = Estimator(judge.mesh, camera.K, backend)
    count, start = len(masks), int(reconstruction["frame"])
    poses: list[Array | None] = [None] * count
    confidence = [0.0] * count
    for order in (range(start, count), range(start, -1, -1)):
        lost = True
        for t in order:
            if masks[t].sum() < MIN_AREA:
                lost = True
                continue
            image, depth = frames[t], depths[t]
            depth = np.where(depth >= NEAREST, depth, 0).astype(np.float32)
            found = None if lost else estimator.follow(image, depth)
            sure = 0.0 if found is None else judge.confidence(t, found, MIN_FEATURES)
            if sure < CONFIDENT:
                again = estimator.register(image, depth, masks[t])
                better = judge.confidence(t, again, MIN_FEATURES)
                if found is None or better >= sure:
                    found, sure = again, better
            poses[t], confidence[t], lost = found, sure, sure < CONFIDENT
    return Tracked(poses, confidence, [0] * count, METHOD)
