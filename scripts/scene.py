"""The paper's task JSON with every gate's verdict; a rejected clip ends here, the others go on."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from scripts.stage import Input, Output, stage
from video2policy.perceive.verdict import Rejected, Verdict
from video2policy.scene import ObjectFiles, SceneClip, SceneTask, assemble, rejected
from video2policy.shown import choose, shown

log = logging.getLogger("video2policy")


def main(
    clip_json: Input,
    camera_json: Input,
    meshes: list[Input],
    sizes: list[Input],
    poses: list[Input],
    rests: list[Input],
    urdfs: list[Input],
    verdicts: list[Input],
    scene: Output,
    row: dict[str, Any],
) -> Verdict:
    task = SceneTask(
        title=row["caption"],
        caption=row["caption"],
        template=row["template"],
        template_id=row["template_id"],
        family=row["family"],
        family_source=row["family_source"],
        roles=dict(row["roles"]),
    )
    gates = [Verdict.from_json(json.loads(path.read_text())) for path in verdicts]
    failed = [gate for gate in gates if not gate.passed]
    clip = None
    if gates[0].passed:
        record = json.loads(clip_json.read_text())
        size = {key: record[key] for key in ("fps", "n_frames", "width", "height")}
        clip = SceneClip(path=str(row["clip"]), **size)
    try:
        if failed:
            raise Rejected(failed[0].reason or "a gate did not pass")
        assert clip is not None
        files = [
            ObjectFiles(
                name,
                label,
                str(Path("objects") / name),
                json.loads(size_json.read_text()),
                json.loads(poses_json.read_text()),
                json.loads(rest_json.read_text()),
            )
            for name, label, size_json, poses_json, rest_json in zip(
                row["objects"], row["labels"], sizes, poses, rests, strict=True
            )
        ]
        result = assemble(row["video"], task, clip, json.loads(camera_json.read_text()), files, gates)
        result = choose(result, row["alternatives"])
        caption = shown(result)
        gates.append(caption.accepted() if caption.reason and "caption" in row["accept"] else caption)
        if gates[-1].reason is not None:
            raise Rejected(gates[-1].reason)
        result = replace(result, gates=gates)
    except Rejected as error:
        result = rejected(row["video"], task, clip, gates, error.reason)
    result.save(scene)
    if not result.passed:
        log.info("stops here: %s", result.reason)
        refused = next((gate for gate in gates if not gate.passed), None)
        return refused or Verdict.rejected("caption", result.reason or "", "assembled")
    if result.task.family != task.family:
        log.info("the clip shows %s rather than %s", result.task.family, task.family)
    for item in result.objects:
        log.info("%s moved by %s m", item.label, [round(v, 3) for v in item.difference.translation])
    return gates[-1]


stage(main, gate=False)
