"""Fit the weights by which objects are found by name: `python -m bench.fit_naming SHEET [SHEET ...]`.

SHEETs are of clips with the truth beside them, as `bench.suite` writes them; what is printed goes into
`video2policy/perceive/naming.py`. The weights are those under which the right candidates are most probable,
each trait's weight held small in units of its spread. How well they do, and how sure a choice must be, is
measured on clips that they were not fitted on, a fifth of the seeds at a time.
"""

import argparse
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from numpy.typing import NDArray

from bench.grounding import FOUND, read, true_box
from video2policy.mask import box_iou
from video2policy.perceive import naming
from video2policy.perceive.coco import FOLDER, Detector
from video2policy.perceive.ground import gather, sampled, wanted_names
from video2policy.perceive.naming import IMPOSSIBLE, WEIGHTS, assign
from video2policy.perceive.traits import Pool, Wanted, pair_traits, traits
from video2policy.sheet import read_sheet

Array = NDArray[np.float64]
Weights = dict[str, dict[str, float]]
FOLDS = 5
HOLD = 0.003
"""How much the squared weights (in units of the traits' spread) count against the likelihood."""
GIVEN = {"colour": 0.5, "direction": 2.0}
"""Weights that are not fitted: who names a colour means it, while the suite's names are of one colour among
those of a print; and in the suite no second thing goes the other way."""
WORTHLESS, WHOLE = 0.4, 0.8
"""Overlaps with the true box from which a candidate counts as right, in part and wholly."""


@dataclass
class Example:
    """A clip's candidates, its names, and each candidate's overlap (n,) with each name's true box."""

    video: str
    family: str
    handled: str
    pool: Pool
    wanted: list[Wanted]
    overlap: dict[str, Array]
    terms: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def fold(self) -> int:
        return int(re.findall(r"\d+", self.video)[-1]) % FOLDS

    def prepare(self) -> None:
        """Traits as tensors (n, k) or (n, n, k), and how right each candidate is, as logarithms."""
        for w in self.wanted:
            kind = "handled" if w.name == self.handled else "other"
            found = traits(self.pool, w, self.family, True)
            self.terms[w.name] = torch.from_numpy(np.stack([found[t] for t in WEIGHTS[kind]], -1))
            right = np.clip((self.overlap[w.name] - WORTHLESS) / (WHOLE - WORTHLESS), 1e-9, 1)
            self.terms[f"right {w.name}"] = torch.from_numpy(np.log(right))
        both = pair_traits(self.pool, self.family)
        self.terms["together"] = torch.from_numpy(np.stack([both[t] for t in WEIGHTS["together"]], -1))
        self.terms["distinct"] = torch.from_numpy(np.where(self.pool.distinct, 0.0, IMPOSSIBLE))

    def rows(self, kind: str) -> list[torch.Tensor]:
        """All traits of a kind (a key of WEIGHTS), one choice a row; of pairs a few."""
        if kind == "together":
            return [self.terms[kind].flatten(0, 1)[::37]]
        return [self.terms[w.name] for w in self.wanted if (w.name == self.handled) == (kind == "handled")]

    def loss(self, weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Minus the logarithm of the right choices' probability."""
        every = self.terms[self.handled] @ weights["handled"]
        right = every + self.terms[f"right {self.handled}"]
        together = self.terms["distinct"] + self.terms["together"] @ weights["together"]
        for w in self.wanted:
            if w.name != self.handled:
                joint = together + self.terms[w.name] @ weights["other"]
                every = every + torch.logsumexp(joint, 1)
                right = right + torch.logsumexp(joint + self.terms[f"right {w.name}"], 1)
        return torch.logsumexp(every, 0) - torch.logsumexp(right, 0)


def examples(sheets: Sequence[Path], detector: Detector) -> Iterator[Example]:
    """The sheets' clips, each with the candidates that it is grounded with."""
    for sheet in sheets:
        for row in read_sheet(sheet):
            images, record = read(row.clip)
            places = sampled(len(images))
            labels = dict(zip(row.objects, row.labels, strict=True))
            few = [images[i] for i in places]
            evidence, pool, scale = gather(few, row.labels, {}, detector)
            handled = row.roles.get("a", row.objects[0])
            seen = [places[evidence.seen_on(c.view, c.mask)] for c in pool.candidates]
            overlap = {}
            for name in labels:
                values = []
                for candidate, frame in zip(pool.candidates, seen, strict=True):
                    true = true_box(row, sheet.parent / "truth", name, frame, record["scale"])
                    values.append(box_iou([v / scale for v in candidate.box], true) if true else 0.0)
                overlap[name] = np.array(values)
            yield Example(
                row.video, row.family, handled, pool, wanted_names(labels, handled, row.family), overlap
            )
            print(f"{row.video}: {len(pool)} candidates", flush=True)


def minimise(parameters: Iterable[torch.Tensor], loss: Callable[[], torch.Tensor]) -> None:
    """Move the parameters to where the loss is least."""
    optimiser = torch.optim.LBFGS(
        list(parameters), max_iter=40, history_size=20, line_search_fn="strong_wolfe"
    )

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        value = loss()
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it and step untyped
        return value

    optimiser.step(step)  # type: ignore[no-untyped-call, arg-type]


def fit(clips: Sequence[Example]) -> Weights:
    """The weights under which the right choices of the clips are most probable."""
    spread: dict[str, torch.Tensor] = {}
    for kind in WEIGHTS:
        rows = [rows for clip in clips for rows in clip.rows(kind)]
        spread[kind] = torch.cat(rows).std(0) + 0.05
    free = {kind: torch.zeros(len(s), dtype=torch.double, requires_grad=True) for kind, s in spread.items()}
    fitted = {kind: torch.tensor([float(t not in GIVEN) for t in WEIGHTS[kind]]) for kind in WEIGHTS}
    given = {kind: torch.tensor([GIVEN.get(t, 0.0) for t in WEIGHTS[kind]]) for kind in WEIGHTS}

    def weighed() -> dict[str, torch.Tensor]:
        return {kind: given[kind] + fitted[kind] * value / spread[kind] for kind, value in free.items()}

    def loss() -> torch.Tensor:
        weights = weighed()
        total = torch.stack([clip.loss(weights) for clip in clips]).mean()
        return total + HOLD * sum(((value**2).sum() for value in free.values()), torch.zeros(()))

    minimise(free.values(), loss)
    return {
        kind: dict(zip(WEIGHTS[kind], values.tolist(), strict=True)) for kind, values in weighed().items()
    }


def choose(clips: Sequence[Example], weights: Weights) -> list[tuple[Example, str, float, float]]:
    """For each object of the clips: overlap of what is chosen with the truth, and how sure, in log-odds."""
    found = []
    with mock.patch.dict(WEIGHTS, weights), mock.patch.multiple(naming, CERTAINTY=(0.0, 1.0), MOST_SURE=1.0):
        for clip in clips:
            for name, choice in assign(clip.pool, clip.wanted, clip.handled, {}, clip.family).items():
                index = clip.pool.candidates.index(choice.candidate)
                sure = float(np.log(choice.score / (1 - choice.score)))
                found.append((clip, name, float(clip.overlap[name][index]), sure))
    return found


def certainty(sure: Array, right: Array) -> tuple[float, float]:
    """Offset and slope that turn log-odds into those of being right: two pseudo-objects hold them finite."""
    offset, slope = (torch.tensor(v, dtype=torch.double, requires_grad=True) for v in (0.0, 1.0))
    x = torch.from_numpy(np.concatenate([sure, [0.0, 0.0]]))
    y = torch.from_numpy(np.concatenate([right, [0.0, 1.0]]))
    cost = torch.nn.functional.binary_cross_entropy_with_logits
    minimise([offset, slope], lambda: cost(offset + slope * x, y, reduction="sum"))
    return offset.item(), slope.item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sheets", type=Path, nargs="+")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clips = list(examples(arguments.sheets, Detector.load(FOLDER)))
    for clip in clips:
        clip.prepare()
    rows = []
    for fold in range(FOLDS):
        rest = [clip for clip in clips if clip.fold == fold]
        if rest and len(rest) < len(clips):
            rows += choose(rest, fit([clip for clip in clips if clip.fold != fold]))
    for clip, name, overlap, sure in rows:
        if overlap < FOUND:
            print(f"not found: {clip.video}/{name}, IoU {overlap:.2f}, log-odds {sure:.1f}")
    right = np.array([row[2] >= FOUND for row in rows], np.float64)
    print(f"{len(clips)} clips, {len(rows)} objects; found in clips not fitted on: {right.mean():.3f}")
    print("CERTAINTY =", tuple(round(v, 2) for v in certainty(np.array([row[3] for row in rows]), right)))
    weights = fit(clips)
    print("WEIGHTS =", {k: {t: round(v, 2) for t, v in ws.items()} for k, ws in weights.items()})


if __name__ == "__main__":
    main()
