"""One clip's results as one archive: code, prompts, policy, page, provenance, described as an RO-Crate."""

import json
import logging
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from scripts.stage import Failed, Input, Output, stage
from video2policy.bundle import METADATA, clip_files, pack, without_colours
from video2policy.provenance import altered, sha256


def main(
    outcome: Input,
    page: Input,
    records: list[Input],
    bundle: Output,
    clip: str,
    variant: str,
    clip_pixels: bool = True,
) -> None:
    """Pack what is below `clip`, the clip's folder, of one `variant`.

    `records` are those of the jobs that the policy's judgement rests on: what they wrote must be unchanged.
    """
    line = json.loads(outcome.read_text())
    if not line["passed"]:
        raise Failed(f"{line['video']} has no policy to bundle: {line['reason']}")
    made = [Path(name) for record in records for name in json.loads(record.read_text())["outputs"]]
    if damaged := altered(made):
        raise Failed(f"not bundled, since it changed after it was made: {', '.join(damaged)}")
    files = {str(path): path for path in [*clip_files(Path(clip), variant, clip_pixels)]}
    with tempfile.TemporaryDirectory() as folder:
        if not clip_pixels:
            for name, path in files.items():
                if path.name == "mesh.obj":
                    files[name] = Path(folder, f"{len(files)}_{path.parent.name}.obj")
                    files[name].write_text(without_colours(path.read_text()))
        metadata = Path(folder, METADATA)
        started = json.loads(records[0].read_text())["started"]
        metadata.write_text(json.dumps(describe(files, line, started), indent=1, sort_keys=True) + "\n")
        pack(bundle, {**files, METADATA: metadata})
    log = logging.getLogger("video2policy")
    log.info("%d files, %.1f MB", len(files) + 1, bundle.stat().st_size / 1e6)


def describe(files: dict[str, Path], line: dict, started: float) -> dict:
    """The RO-Crate's metadata (JSON-LD): every file with its hash, and what the archive is."""
    from rocrate.rocrate import ROCrate  # in the rule's environment alone: --help needs none

    crate = ROCrate()
    crate.name = f"Video2Policy: {line['video']}, {line['variant']}"
    crate.description = (
        f"{line['caption']}: a scene, its task's code and rewards, a trained robot policy and its judgement"
    )
    crate.datePublished = datetime.fromtimestamp(started, UTC).replace(microsecond=0)
    for name, path in sorted(files.items()):
        crate.add_file(
            path, name, properties={"sha256": sha256(path), "contentSize": str(path.stat().st_size)}
        )
    graph: dict = crate.metadata.generate()
    return graph


stage(main)
