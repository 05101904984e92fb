"""Judge the policies of a bundle again, in the sandbox, and compare with what the bundle says."""

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

from scripts.stage import Failed, Input, Output, stage
from video2policy.bundle import BundleError, unpack
from video2policy.evaluate.evaluation import Rollouts, evaluate
from video2policy.evaluate.replay import ReplayError, compare, find_clip
from video2policy.provenance import sha256


def main(bundle: Input, replayed: Output, sandbox: str = "required") -> None:
    """Nothing in a bundle is trusted: it is unpacked with care, its code runs in the sandbox or not."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            unpack(bundle, Path(folder, "bundle"))
            clip = find_clip(Path(folder, "bundle"))
        except (BundleError, ReplayError) as error:
            raise Failed(f"{bundle} is refused: {error}") from None
        rollouts = Rollouts.from_config(clip.scene, clip.task, clip.simulation, sandbox)
        episodes, seed = clip.evaluation["episodes"], clip.evaluation["seed"]
        measured, _, _ = evaluate(rollouts, clip.policies, episodes, seed)
    result: dict[str, Any] = {
        "bundle": sha256(bundle),
        "video": clip.video,
        "variant": clip.variant,
        **compare(clip.recorded, measured),
        "replayed": measured,
    }
    replayed.write_text(json.dumps(result, indent=1) + "\n")
    logging.getLogger("video2policy").info("replay: %s", result["sentence"])


stage(main)
