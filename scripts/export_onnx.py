"""An image policy as ONNX, checked against PyTorch."""

import logging

from scripts.stage import Failed, Input, Output, stage
from video2policy.policy.bc import BCError, ImagePolicy
from video2policy.policy.onnx import ExportError, export

log = logging.getLogger("video2policy")


def main(policy: Input, exported: Output) -> None:
    """Write `exported` (.onnx); fails, and leaves nothing, where ONNX Runtime acts otherwise than PyTorch."""
    try:
        worst = export(ImagePolicy.load(policy), exported)
    except (BCError, ExportError, OSError) as error:
        raise Failed(str(error)) from error
    log.info("%s: differs by at most %.1e from PyTorch", exported.name, worst)


stage(main)
