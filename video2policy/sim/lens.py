"""What a camera, and a segmenter behind it, make of drawn pictures: white balance, blur, noise, lateness.

Pictures of a simulator are flawless and at once; those of a robot are neither. Which flaws there are is part
of domain randomisation (`sim.randomise`); they touch what a policy sees and nothing else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from video2policy.sim.randomise import PRESETS, Draws, Randomisation

LOST = 0.1
"""How often a mask is not found at all, in comparison with one that is a little wrong."""


class Lens:
    """The flaws of one camera over n environments, from the first to the last step of their episodes."""

    def __init__(self, randomisation: Randomisation, seed: Sequence[int]) -> None:
        self.randomisation = randomisation
        self._rng = np.random.default_rng(seed)
        self._late: deque[NDArray] = deque(maxlen=1 + int(randomisation.camera_delay))

    def pictures(self, drawn: NDArray[np.uint8], draws: Draws) -> NDArray[np.uint8]:
        """Colours (n, h, w, 3) as the camera gives them; `draws` are those of the running episodes."""
        it = self.randomisation
        if it == PRESETS["none"]:
            return drawn
        seen = drawn * draws["tint"][:, None, None, :]
        if it.blur:
            seen = ndimage.gaussian_filter(seen, (0, it.blur, it.blur, 0))
        if it.pixel_noise:
            seen = seen + it.pixel_noise * self._rng.standard_normal(seen.shape)
        return self._delay(np.clip(np.rint(seen), 0, 255).astype(np.uint8))

    def labels(self, drawn: NDArray[np.int32], objects: int) -> NDArray[np.int32]:
        """Segmentation (n, h, w), of which 1 to `objects` are objects, as a segmenter gives it."""
        wrong = self.randomisation.mask_error
        if wrong:
            drawn = drawn.copy()
            for labels in drawn:
                for label in range(1, objects + 1):
                    self._spoil(labels, label, wrong)
        return self._delay(drawn)

    def _spoil(self, labels: NDArray[np.int32], label: int, wrong: float) -> None:
        mask, chance = labels == label, self._rng.random(2)
        if chance[0] >= wrong:
            return
        labels[mask] = 0
        if chance[1] < LOST:
            return
        change = ndimage.binary_dilation if chance[1] < (1 + LOST) / 2 else ndimage.binary_erosion
        labels[change(mask)] = label

    def _delay(self, seen: NDArray) -> NDArray:
        self._late.append(seen)
        return self._late[0]
