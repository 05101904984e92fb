"""Masks that the sheet gives, which are then used instead of any method's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.clip import Source
from video2policy.mask import bounding_box
from video2policy.perceive.verdict import Rejected

Mask = NDArray[np.bool_]

WHITE = 127
"""Brighter pixels belong to the object."""

GREY, MOST_GREY = (32, 224), 0.4
"""Between these a pixel is neither black nor white, and the part of a mask that may be so; of an ordinary
picture it is half and more."""


def given_masks(path: Path, clip: Mapping[str, Any]) -> Mask:
    """Masks (n, H, W) at the frames and size of clip.json, from a clip that is white where the object is.

    Raises:
        Rejected: for another number or shape of frames than the clip's, masks that are all
            empty, or ordinary pictures.
    """
    wanted = {int(index): place for place, index in enumerate(clip["source_index"])}
    size = (int(clip["width"]), int(clip["height"]))
    masks = np.zeros((len(wanted), size[1], size[0]), bool)
    count = 0
    for frame in Source.open(path):
        count = frame.index + 1
        shape = (clip["source_height"], clip["source_width"])
        if frame.image.shape[:2] != shape:
            raise Rejected(
                f"the masks {path} are {frame.image.shape[1]}x{frame.image.shape[0]}, the clip is "
                f"{shape[1]}x{shape[0]}; give masks of the clip's size"
            )
        if frame.index in wanted:
            grey = cv2.resize(frame.image.max(axis=2), size, interpolation=cv2.INTER_AREA)
            if ((grey > GREY[0]) & (grey < GREY[1])).mean() > MOST_GREY:
                raise Rejected(
                    f"the masks {path} are no masks: much of frame {frame.index} is neither black nor white; "
                    "draw the object in white on black"
                )
            masks[wanted[frame.index]] = grey > WHITE
    if count <= max(wanted):
        raise Rejected(
            f"the masks {path} have {count} frames, the clip has more ({max(wanted) + 1}); give one for each"
        )
    if not masks.any():
        raise Rejected(f"the masks {path} are black throughout; draw the object in white")
    return masks


def box_of(masks: Mask, clip: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The sheet's entry for the box of the first mask that shows the object, in the source's pixels."""
    first = int(np.flatnonzero(masks.any(axis=(1, 2)))[0])
    box = bounding_box(masks[first])
    assert box is not None, f"frame {first} shows {name}"
    return {"frame": int(clip["source_index"][first]), "box": [v / clip["scale"] for v in box]}
