"""Masks of one object over a clip: SAM 2.1 (transformers' port), prompted as in the paper, section 3.1.

A box on the prompt's frame gives a mask; five positive points inside it are the prompt of the video, which is
propagated to both ends of the clip. Ravi et al., "SAM 2", 2024; weights facebook/sam2.1-hiera-*, Apache-2.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area
from video2policy.perceive.backend import Backend
from video2policy.perceive.prompt import Prompt
from video2policy.perceive.segment import Image, Mask, Segmentation
from video2policy.perceive.verdict import Rejected

POINTS = 5
"""Positive points inside the first mask that prompt the video (paper, section 3.1)."""

CORNERS = (2, 3)
"""Labels by which the prompt encoder knows a box's first and last corner; 1 is a point on the object."""


def points_inside(mask: Mask, count: int = POINTS) -> list[tuple[float, float]]:
    """`count` points (x, y) well inside a mask (H, W) and far from each other, the innermost first.

    Raises ValueError for an empty mask.
    """
    if not mask.any():
        raise ValueError("an empty mask has no point inside")
    padded = np.pad(mask, 1).astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]
    rows, columns = np.nonzero(mask)
    inner = depth[rows, columns]
    apart = np.full(len(rows), np.inf)
    chosen: list[tuple[float, float]] = []
    for _ in range(count):
        # The deeper and the farther from the others the better; the first is the deepest.
        best = int(np.argmax(np.minimum(inner, apart)))
        x, y = int(columns[best]), int(rows[best])
        chosen.append((x + 0.5, y + 0.5))
        apart = np.minimum(apart, 0.5 * np.hypot(columns - x, rows - y))
    return chosen


class Segmenter:
    """The network on the device that the backend names."""

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    """Of ImageNet's channels, by which the network's input is normalised."""

    @staticmethod
    def classes() -> tuple[Any, Any]:
        """The vendor's classes of the network and of a session."""
        from transformers import Sam2VideoModel
        from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

        return Sam2VideoModel, Sam2VideoInferenceSession

    def __init__(self, backend: Backend) -> None:
        folder = backend.weights_folder()
        with backend.imports():
            import torch

            network, self.session_type = self.classes()
        self.torch = torch
        self.device = backend.torch_device()
        # bfloat16 as its authors run it on a GPU; CPUs are slow at it
        self.dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        model = network.from_pretrained(folder, local_files_only=True, dtype=self.dtype)
        self.model: Any = model.to(self.device).eval()

    def pixels(self, image: Image) -> Any:
        """The network's input (1, 3, side, side) for an RGB image (H, W, 3), squeezed to a square."""
        side = int(self.model.image_size)
        scaled = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR).astype(np.float32) / 255
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return self.torch.from_numpy(np.ascontiguousarray(normal.transpose(2, 0, 1)))[None].to(self.dtype)

    def session(self, size: tuple[int, int], frame: int, points: Any, labels: Sequence[int]) -> Any:
        """A session with one object, prompted on `frame` by `points` (n, 2) in pixels of a frame (H, W)."""
        session = self.session_type(
            video_height=size[0],
            video_width=size[1],
            inference_device=self.device,
            inference_state_device="cpu",
            video_storage_device="cpu",
            dtype=self.dtype,
        )
        self.add(session, frame, points, labels)
        return session

    def add(self, session: Any, frame: int, points: Any, labels: Sequence[int]) -> None:
        """One more object for a session that has seen no frame yet, prompted as in `session`."""
        side = float(self.model.image_size)
        size = np.array([session.video_width, session.video_height])
        scaled = np.asarray(points, dtype=np.float32) * (side / size)
        inputs = {
            "point_coords": self.torch.tensor(scaled, dtype=self.dtype)[None, None],
            "point_labels": self.torch.tensor(list(labels), dtype=self.torch.int32)[None, None],
        }
        number = session.get_obj_num() + 1
        session.add_point_inputs(session.obj_id_to_idx(number), frame, inputs)
        session.obj_with_new_inputs.append(number)

    def step(
        self, session: Any, image: Image, frame: int, backwards: bool
    ) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Masks (objects, H, W) on the next frame, and how sure it is that each is there (0 to 1)."""
        with self.torch.inference_mode():
            out = self.model(session, frame=self.pixels(image), frame_idx=frame, reverse=backwards)
            logits = self.torch.nn.functional.interpolate(
                out.pred_masks.float(), size=image.shape[:2], mode="bilinear", align_corners=False
            )[:, 0]
        masks = np.asarray((logits > 0).cpu().numpy(), bool)
        scores = self.torch.sigmoid(out.object_score_logits.float()).flatten().cpu().numpy()
        forget(session, frame, self.remembered)
        return masks, np.where(masks.any(axis=(1, 2)), scores, np.float32(0.0))

    @property
    def remembered(self) -> int:
        """Frames back at which the network still looks: masks and pointers of older ones are dropped."""
        config = self.model.config
        return max(int(config.num_maskmem), int(config.max_object_pointers_in_encoder))

    def first_mask(self, image: Image, prompt: Prompt) -> Mask:
        """The mask on the prompt's own frame from its box and, where there are, its points."""
        x0, y0, x1, y1 = prompt.box
        corners, points = [(x0, y0), (x1, y1)], list(prompt.points)
        labels = [*CORNERS, *([1] * len(points))]
        session = self.session((image.shape[0], image.shape[1]), 0, [*corners, *points], labels)
        return np.asarray(self.step(session, image, 0, False)[0][0], bool)

    def propagate(
        self, images: Sequence[Image], order: Iterable[int], points: Any, backwards: bool
    ) -> Iterator[tuple[int, Mask, float]]:
        """Frame number, mask and score along `order`, whose first frame shows `points` (n, 2) on the object.

        Memory does not grow with the clip: one frame is read at a time, what is too old is forgotten.
        """
        session = None
        for frame in order:
            image = images[frame]
            if session is None:
                size = (image.shape[0], image.shape[1])
                session = self.session(size, frame, points, [1] * len(points))
            masks, scores = self.step(session, image, frame, backwards)
            yield frame, masks[0], float(scores[0])


def forget(session: Any, frame: int, remembered: int) -> None:
    """Drop what the network will not look at again: the frame itself, and results that are too far back."""
    session.processed_frames.clear()
    for outputs in session.output_dict_per_obj.values():
        old = outputs["non_cond_frame_outputs"]
        for key in [key for key in old if abs(frame - key) >= remembered]:
            del old[key]
        for result in (*old.values(), *outputs["cond_frame_outputs"].values()):
            result.pop("high_res_masks", None)  # encoded into memory already; by far the largest


def segment(images: Sequence[Image], prompts: Sequence[Prompt], name: str, backend: Backend) -> Segmentation:
    """Masks of the object `name` on every frame. `images`: RGB (H, W, 3), `prompts`: of all objects.

    Raises Rejected if the prompt's box holds nothing that could be segmented, Unavailable without weights.
    """
    return follow(Segmenter(backend), images, next(p for p in prompts if p.name == name))


def follow(segmenter: Segmenter, images: Sequence[Image], prompt: Prompt) -> Segmentation:
    """Masks of the prompt's object on every frame, from the prompt's frame to both ends."""
    first = segmenter.first_mask(images[prompt.frame], prompt)
    if area(first) < POINTS:
        raise Rejected(f"{prompt.name}: nothing in its box can be segmented; correct the box in the sheet")
    points = points_inside(first)
    count = len(images)
    masks: NDArray[np.bool_] = np.zeros((count, *images[prompt.frame].shape[:2]), bool)
    score = np.zeros(count, np.float32)
    for backwards, order in (
        (False, range(prompt.frame, count)),
        (True, range(prompt.frame, -1, -1) if prompt.frame else ()),
    ):
        for frame, mask, sure in segmenter.propagate(images, order, points, backwards):
            masks[frame], score[frame] = mask, sure
    return Segmentation(masks, score)
