"""What is known of a clip around one object: the background and the colours of the object and of others."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from video2policy.mask import area, largest_component
from video2policy.perceive.colour import in_shadow, is_skin, largest_channel, relit, to_lab
from video2policy.perceive.footage import Footage
from video2policy.perceive.morphology import Region, fill_holes, grow, region, settle, signed_distance
from video2policy.perceive.palette import UNIFORM, Palette, bins, relit_palette
from video2policy.perceive.plate import clean_plate, filled_in, plate_likelihood

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Field = NDArray[np.float32]

HAND_SHADE = 2.5
"""Bins of lightness over which a hand's colours are spread: fingers are lit and shaded variously."""
DEEP_SHADOW = 0.15
"""Share of the light that is left in the deepest shadow."""


@dataclass
class Colours:
    """Colour models: the object's, what else moves (hands), other named objects."""

    own: Palette
    relit: Palette
    """The object's colours in other light."""
    hand: Palette
    rivals: list[Palette]


class Scenery:
    """What a propagation knows of a clip: the background plate and the colours of object and others."""

    def __init__(self, footage: Footage, start: Mask, frame: int, rivals: list[Palette]) -> None:
        self.footage, self.start, self.frame = footage, start, frame
        self.plate, self.plate_known = self._first_plate()
        self.at_prompt, self.at_prompt_known = self.plate, self.plate_known
        """The background as the prompt's frame shows it: true also where an object comes to rest later."""
        self.plate_sure = self.plate_known
        """Where the plate is known and cannot be a part of the object that was missed."""
        own = Palette()
        own.learn(bins(footage.lab(frame))[start])
        self.shadow_share_at_start = self.shadow_share(frame, start)
        self.hand_known = False
        """Whether the hand's colours were learnt where there was nothing but a hand."""
        self.colours = Colours(own, relit_palette(footage.images[frame][start]), self._hand(own), rivals)

    def _first_plate(self) -> tuple[Image, Mask]:
        """The prompt's frame where it shows background, the temporal median where a hand is in it."""
        clip, here = self.footage, self.footage.images[self.frame]
        moving = np.zeros(clip.shape, bool)
        for step in (-8, -4, 4, 8):
            moving |= clip.differs(min(max(self.frame + step, 0), len(clip) - 1), here, 22)
        hand = clip.differs(self.frame, clip.median) & (moving | is_skin(here))
        hand = grow(cv2.medianBlur(hand.astype(np.uint8), 5) > 0, 5 * clip.unit)
        known = ~grow(self.start, 4 * clip.unit) & (clip.steady | ~hand)
        plate = np.where(hand[..., None], clip.median, here)
        return filled_in(plate, ~known, 6 * clip.unit), known

    def _hand(self, own: Palette) -> Palette:
        """Colours of a hand.

        While the object rests, what reaches in from the border and moving skin are a hand for sure; those
        frames are enough if a hand is in them. Else the whole clip is asked: the object moves too and may
        be skin coloured, so colours that are more the object's do not count.
        """
        clip, sure, found = self.footage, [], []
        here, away = clip.images[self.frame], ~grow(self.start, 8 * clip.unit)
        for frame in sorted(clip.sample(40), key=lambda f: abs(f - self.frame)):
            skin = clip.passing_skin(frame)
            index = bins(clip.lab(frame))
            found.append(index[skin & away] if frame == self.frame else index[skin])
            if clip.differs(frame, here)[self.start].mean() < 0.15:  # it rests
                sure.append(index[(skin | clip.reaches_in(frame)) & away])
        palette = Palette(HAND_SHADE)
        if sum(map(len, sure)) > 500 * clip.unit**2:
            palette.learn(np.concatenate(sure))
            self.hand_known = True
            return palette
        index = np.concatenate(found)
        palette.learn(index)
        if palette.known:
            index = index[palette.density(index) > 0.7 * own.density(index)]
            palette.learn(index if len(index) > 200 else index[:0])
        return palette

    def refine(self, masks: dict[int, Mask], score: dict[int, float]) -> None:
        """A clean plate, better colours and a better first mask from a first pass's masks."""
        clip, reach = self.footage, 4 * self.footage.unit
        chosen = clip.sample(48)
        stack = np.stack([clip.images[i] for i in chosen])
        hidden = np.stack([grow(masks[i], reach) | clip.stirs(i) for i in chosen])
        # What the first pass missed of object and hand is near its masks: rather look when they are far.
        side = 0.7 * float(np.sqrt(area(self.start)))
        beside = np.stack([grow(masks[i], side) | grow(clip.passing_skin(i), 2 * reach) for i in chosen])
        plate, known = clean_plate(stack, hidden, clip.median)
        far, sure = plate.copy(), known.copy()
        near = (beside & ~hidden).any(axis=0)  # elsewhere both are the same
        parts = stack[:, near][:, None], (hidden | beside)[:, near][:, None], clip.median[near][None]
        far[near], sure[near] = (part[0] for part in clean_plate(*parts))
        plate, known = np.where(sure[..., None], far, plate), known | sure
        self.plate_sure = sure | self.at_prompt_known
        plate = np.where(known[..., None], plate, self.at_prompt)
        self.plate_known = known | self.at_prompt_known
        self.plate = filled_in(plate, ~self.plate_known, 6 * clip.unit)
        hand, own = [], [bins(clip.lab(self.frame))[self.start]]
        for i in chosen:
            index = bins(clip.lab(i))
            rest = clip.skin(i, self.plate) & self.plate_known
            hand.append(index[rest & ~grow(masks[i], reach)])
            if score[i] > 0.75:
                inside = index[masks[i]]
                # A finger that the first pass took for the object must not teach its colours.
                mine = self.colours.own.density(inside) > 0.5 * self.colours.hand.density(inside)
                own.append(inside[mine])
        index = np.concatenate(hand)
        if self.hand_known:  # what the first pass missed of the object must not count as hand
            index = index[self.colours.hand.density(index) > 2 * UNIFORM]
        if len(index) > 200:
            self.colours.hand.learn(index, 0.5)
        self.colours.own.learn(np.concatenate(own), 0.5)
        # The first mask again, now that the background under its edge may be known.
        roi = region(self.start, 24 * clip.unit)
        prior = np.clip(signed_distance(self.start) / (3 * clip.unit), -4, 2.5)[roi]
        around = self.surroundings(self.frame, self.start)
        better = np.zeros_like(self.start)
        better[roi] = settle(prior + self.evidence(self.frame, roi, around)) > 0.5
        better = fill_holes(largest_component(better))
        if area(better & self.start) > 0.5 * area(self.start):
            self.start = better

    def shows_plate(self, frame: int, roi: Region) -> Mask:
        """Where the background is seen, so that the object is not there, not even hidden."""
        image = self.footage.images[frame][roi]
        now = largest_channel(cv2.absdiff(image, self.plate[roi])) < 20
        then = largest_channel(cv2.absdiff(image, self.at_prompt[roi])) < 20
        return np.asarray((now & self.plate_known[roi]) | (then & self.at_prompt_known[roi]), bool)

    def shadow_share(self, frame: int, mask: Mask) -> float:
        """Share of a mask (H, W) that looks like the background in less light."""
        roi = region(mask, 0)
        dark = in_shadow(self.plate[roi], self.footage.images[frame][roi]) & mask[roi]
        return area(dark) / max(1, area(mask))

    def foreign(self, frame: int, roi: Region, mask: Mask, before: Mask | None = None) -> Field:
        """1 where a region shows neither the object (mask (H, W)) nor the background, else 0: (H, W).

        Right at the mask only what was foreign ``before`` (H, W): its rim may be the object's own.
        """
        image, plate = self.footage.images[frame][roi], self.plate[roi]
        differs = (largest_channel(cv2.absdiff(image, plate)) > 28) & ~relit(plate, image)
        apart = differs & self.plate_known[roi] & ~mask[roi]
        own = grow(mask[roi], self.footage.unit)
        apart &= ~own if before is None else ~own | before[roi]
        result = np.zeros(mask.shape, np.float32)
        result[roi] = cv2.medianBlur(apart.astype(np.uint8), 3)
        return result

    def stands_out(self, frame: int, roi: Region) -> Mask:
        """Where a region shows what is surely not the background, in whatever light."""
        image = self.footage.images[frame][roi]
        result = self.plate_sure[roi].copy()
        for plate, known in ((self.plate, self.plate_sure), (self.at_prompt, self.at_prompt_known)):
            differs = largest_channel(cv2.absdiff(image, plate[roi])) > 28
            result &= ~known[roi] | (differs & ~relit(plate[roi], image, DEEP_SHADOW))
        return np.asarray(result, bool)

    def surroundings(self, frame: int, mask: Mask) -> Palette:
        """Colours right around a mask."""
        unit = self.footage.unit
        roi = region(mask, 24 * unit)
        ring = grow(mask[roi], 14 * unit) & ~grow(mask[roi], 3 * unit)
        # What is known not to be background may be a part of the object that comes into view.
        ring &= ~self.plate_known[roi] | self.shows_plate(frame, roi)
        palette = Palette()
        palette.learn(bins(self.footage.lab(frame, roi))[ring])
        return palette

    def like_hand(self, frame: int, roi: Region, own: Palette) -> Mask:
        """Pixels of a region whose colour is much more a hand's than the object's."""
        index = bins(self.footage.lab(frame, roi))
        if not self.colours.hand.known:
            return np.zeros(index.shape, bool)
        mine = np.maximum(self.colours.own.density(index), own.density(index))
        return np.asarray(self.colours.hand.density(index) > 3 * mine, bool)

    def evidence(self, frame: int, roi: Region, around: Palette, own: Palette | None = None) -> Field:
        """Log likelihood ratio, object against the rest, of each pixel of a region."""
        lab = self.footage.lab(frame, roi)
        index = bins(lab)
        image = np.ascontiguousarray(self.footage.images[frame][roi])
        plate, then = np.ascontiguousarray(self.plate[roi]), np.ascontiguousarray(self.at_prompt[roi])
        mine = self.colours.own.density(index)
        if own is not None:
            mine = 0.5 * mine + 0.5 * own.density(index)
        mine = 0.85 * mine + 0.15 * self.colours.relit.density(index)
        near = around.density(index)
        seen = plate_likelihood(image, lab, plate, to_lab(plate))
        if self.plate is not self.at_prompt:
            earlier = plate_likelihood(image, lab, then, to_lab(then))
            seen = np.where(self.at_prompt_known[roi], np.maximum(seen, earlier), seen)
        surely, guessed = 0.85 * seen + 0.15 * near, 0.7 * near + 0.3 * seen
        back = np.where(self.plate_known[roi], surely, guessed)
        others = [p.density(index) for p in [self.colours.hand, *self.colours.rivals] if p.known]
        rest = 0.65 * back + 0.05 * UNIFORM + sum(0.3 / len(others) * p for p in others)
        ratio = np.log((0.93 * mine + 0.07 * UNIFORM) / rest)
        return np.asarray(np.clip(ratio, -5, 5), np.float32)
