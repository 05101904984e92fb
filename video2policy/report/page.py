"""Put the report together: an overview of all clips, and a folder with a page for each. No network."""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from video2policy.board import STAGES
from video2policy.report import text, viewer
from video2policy.report.artifact import Clip, Reader, read_clip
from video2policy.report.costs import Cost, costs
from video2policy.report.curve import round_charts, sample_style
from video2policy.report.gate import MEANING, yields
from video2policy.report.layout import layout_drawings
from video2policy.report.lineage import Step, lineage_graph, steps
from video2policy.report.media import Bounds, Film, Picture, film_of_frames, film_of_video, picture, strip

LOG = logging.getLogger("video2policy")
TEMPLATES = Path(__file__).parent / "templates"
KINDS = {"trained": "policy trained", "stopped": "stopped", "unfinished": "unfinished"}
THUMB = "thumb.jpg"


@dataclass(frozen=True)
class Overlay:
    """A picture that a stage drew over the clip's frames."""

    caption: str
    picture: Picture


@dataclass(frozen=True)
class ClipView:
    """A clip with everything that is drawn for it."""

    clip: Clip
    film: Film | None
    strip: Picture | None
    overlays: tuple[Overlay, ...]
    layout: dict[str, Markup]
    solid: dict[str, Any]
    charts: tuple[tuple[Markup, Markup], ...]
    graph: Markup
    steps: list[Step]
    rollout: Film | None


def build_page(
    results: Path, row: dict[str, Any], variant: str, folder: Path, clip_pixels: bool = True
) -> None:
    """Write the page of one clip, the sample sheet's `row`, to `folder`: index.html and what it shows.

    What the clip has not reached is left out. Without `clip_pixels` nothing that shows the source clip is
    kept: neither frames nor overlays nor the colours of its meshes; the rollout, which is rendered, stays.
    """
    view = _view(read_clip(Path(results), row, variant), folder, clip_pixels)
    if view.solid:
        (folder / "viewer.js").write_text(viewer.script(), encoding="utf-8")
    page = (
        _environment()
        .get_template("page.html.j2")
        .render(view=view, clip=view.clip, variant=variant, kinds=KINDS, clip_pixels=clip_pixels)
    )
    (folder / "index.html").write_text(page, encoding="utf-8")
    size = sum(path.stat().st_size for path in folder.iterdir())
    LOG.info("page of %.1f MB: %s", size / 1e6, view.clip.outcome.words)


def build_index(
    results: Path, videos: list[dict[str, Any]], variant: str, output: Path, ledger: Path | None = None
) -> None:
    """Write the overview of `videos`, the sample sheet's rows, to `output`; it leads to report/{video}/.

    `ledger` is the table of what a language model cost, where there is one.
    """
    results = Path(results)
    clips = [read_clip(results, row, variant) for row in videos]
    counts = {kind: (words, sum(c.outcome.kind == kind for c in clips)) for kind, words in KINDS.items()}
    pages = {clip.name for clip in clips if (results / "report" / clip.name / "index.html").is_file()}
    script = Markup((TEMPLATES / "index.js").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    page = (
        _environment()
        .get_template("index.html.j2")
        .render(
            clips=clips,
            pages=pages,
            thumbs={name for name in pages if (results / "report" / name / THUMB).is_file()},
            board={clip.name: clip.cells for clip in clips},
            captions={clip.name: clip.caption for clip in clips},
            stages=list(STAGES),
            yields=yields(clips),
            kinds=counts,
            variant=variant,
            costs=_costs(ledger),
            generalist=list(_generalist(results)),
            script=script,
            script_digest=digest,
        )
    )
    output.write_text(page, encoding="utf-8")
    LOG.info("report: %d clips, %.2f MB", len(clips), len(page) / 1e6)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        code=text.code, markdown=text.markdown, plain=text.plain, centimetres=text.centimetres
    )
    environment.globals.update(sample_style=sample_style, meaning=MEANING, embedded=viewer.embedded)
    return environment


def _view(clip: Clip, folder: Path, clip_pixels: bool) -> ClipView:
    bounds = Bounds()
    frames = sorted((clip.folder / "frames").glob("*.jpg")) if clip_pixels else []
    fps = clip.info.get("fps")
    rate = float(fps) if isinstance(fps, (int, float)) and fps > 0 else 12.0
    wide = replace(bounds, video=bounds.rollout)
    film = film_of_frames(frames, rate, bounds, folder / "clip.mp4")
    rollout = film_of_video(clip.variant / "policy" / "rollout.mp4", wide, folder / "rollout.mp4")
    for shown in (rollout, film):  # the clip's own, where it may be shown
        if shown is not None:
            picture(folder / shown.poster.name, bounds.thumb, folder / THUMB)
    return ClipView(
        clip=clip,
        film=film,
        strip=strip(frames, 5, folder / "strip.jpg"),
        overlays=tuple(_overlays(clip, bounds, folder)) if clip_pixels else (),
        layout=layout_drawings(clip.scene),
        solid=viewer.scene_data(clip.scene, clip.folder, clip_pixels),
        charts=tuple(round_charts(one) for one in clip.rounds),
        graph=lineage_graph(clip.rounds),
        steps=steps(clip.rounds),
        rollout=rollout,
    )


def _overlays(clip: Clip, bounds: Bounds, target: Path) -> Iterable[Overlay]:
    """Every picture that perception left, clip-wide ones first, then those of each object."""
    folder = clip.folder
    found = [(path.stem, path) for path in sorted(folder.glob("*.png"))]
    found += [(f"mask of {path.stem}", path) for path in sorted(folder.glob("masks/*.png"))]
    found += [(f"{path.stem} of {path.parent.name}", path) for path in sorted(folder.glob("objects/*/*.png"))]
    for number, (caption, path) in enumerate(found):
        shown = picture(path, bounds.picture, target / f"overlay-{number}.jpg")
        if shown is not None:
            yield Overlay(caption.replace("_", " "), shown)


def _costs(ledger: Path | None) -> list[Cost]:
    """The ledger's sums; none where it is absent or cannot be read, which the log says."""
    try:
        return costs(ledger) if ledger is not None else []
    except (OSError, ValueError) as error:
        LOG.warning("%s is left out of the report: %s", ledger, error)
        return []


def _generalist(results: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """(name, evaluation) of every policy over many clips that was evaluated."""
    folder = results / "generalist"
    reader = Reader(results)
    for path in sorted(folder.rglob("eval.json")):
        data = reader.json(path)
        if data:
            yield str(path.parent.relative_to(folder)), data
