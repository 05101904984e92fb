"""Put the report together: one HTML file that asks nothing of the network and runs no script."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from video2policy.report import text
from video2policy.report.artifact import Clip, Reader, read_clip
from video2policy.report.curve import round_charts, sample_style
from video2policy.report.gate import MEANING, yields
from video2policy.report.layout import layout_drawings
from video2policy.report.lineage import lineage, lineage_graph
from video2policy.report.media import Bounds, Film, film_of_frames, film_of_video, picture, strip

LOG = logging.getLogger("video2policy")
KINDS = {"trained": "policy trained", "stopped": "stopped", "unfinished": "unfinished"}


@dataclass(frozen=True)
class Overlay:
    """A picture that a stage drew over the clip's frames."""

    caption: str
    uri: str


@dataclass(frozen=True)
class ClipView:
    """A clip with everything that is drawn for it."""

    clip: Clip
    film: Film | None
    strip: str | None
    overlays: tuple[Overlay, ...]
    layout: dict[str, Markup]
    charts: tuple[tuple[Markup, Markup], ...]
    graph: Markup
    lineage: list[tuple[int, int]]
    rollout: Film | None


def build_report(
    results: Path,
    videos: list[dict[str, Any]],
    variant: str,
    output: Path,
    clip_pixels: bool = True,
) -> None:
    """Write the report of `videos` (the sample sheet's rows) to `output`.

    What a clip has not reached is left out. Without `clip_pixels` no picture that shows the source clip is
    embedded: neither frames nor overlays; the rollout, which is rendered, stays.
    """
    results = Path(results)
    bounds = Bounds.for_clips(len(videos))
    views = [_view(read_clip(results, row, variant), bounds, clip_pixels) for row in videos]
    clips = [view.clip for view in views]
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            views=views,
            yields=yields(clips),
            kinds={
                kind: (words, sum(c.outcome.kind == kind for c in clips)) for kind, words in KINDS.items()
            },
            variant=variant,
            clip_pixels=clip_pixels,
            generalist=list(_generalist(results)),
        )
    )
    Path(output).write_text(page, encoding="utf-8")
    LOG.info("report: %d clips, %.1f MB", len(clips), len(page) / 1e6)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        code=text.code, markdown=text.markdown, plain=text.plain, centimetres=text.centimetres
    )
    environment.globals.update(sample_style=sample_style, meaning=MEANING)
    return environment


def _view(clip: Clip, bounds: Bounds, clip_pixels: bool) -> ClipView:
    frames = sorted((clip.folder / "frames").glob("*.jpg")) if clip_pixels else []
    fps = clip.info.get("fps")
    return ClipView(
        clip=clip,
        film=film_of_frames(
            frames, float(fps) if isinstance(fps, (int, float)) and fps > 0 else 12.0, bounds
        ),
        strip=strip(frames, 5),
        overlays=tuple(_overlays(clip, bounds)) if clip_pixels else (),
        layout=layout_drawings(clip.scene),
        charts=tuple(round_charts(one) for one in clip.rounds),
        graph=lineage_graph(clip.rounds),
        lineage=lineage(clip.rounds),
        rollout=film_of_video(clip.variant / "policy" / "rollout.mp4", replace(bounds, video=bounds.rollout)),
    )


def _overlays(clip: Clip, bounds: Bounds) -> Iterable[Overlay]:
    """Every picture that perception left, clip-wide ones first, then those of each object."""
    folder = clip.folder
    found = [(path.stem, path) for path in sorted(folder.glob("*.png"))]
    found += [(f"mask of {path.stem}", path) for path in sorted(folder.glob("masks/*.png"))]
    found += [(f"{path.stem} of {path.parent.name}", path) for path in sorted(folder.glob("objects/*/*.png"))]
    for caption, path in found:
        uri = picture(path, bounds.picture)
        if uri is not None:
            yield Overlay(caption.replace("_", " "), uri)


def _generalist(results: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """(name, evaluation) of every policy over many clips that was evaluated."""
    folder = results / "generalist"
    reader = Reader(results)
    for path in sorted(folder.rglob("eval.json")):
        data = reader.json(path)
        if data:
            yield str(path.parent.relative_to(folder)), data
