"""Worker: check candidates on states (`guard.behaviour`), each in a process of its own with a time-out.

spec.json: {"scene": path, "candidates": [{"task": path, "reward": path or null}], "timeout": seconds each,
"clip": whether the clip's own poses are tried}.
result.json: {"reports": [{"runs", "checks": [{"name", "passed", "reason"}], "facts"}]}, in the same order.
"""

from __future__ import annotations

import json
import math
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from video2policy.guard.behaviour import Check, Report, check_task
from video2policy.guard.lockdown import contain
from video2policy.guard.process import OUTSIDE
from video2policy.scene import Scene

MAX_REPORT = 2**20


def main(spec_path: str) -> None:
    """Fork once per candidate: torch is imported once, and what one candidate does cannot reach another."""
    torch.set_num_threads(1)
    spec = json.loads(Path(spec_path).read_text())
    scene = Scene.load(Path(spec["scene"]))
    reports = [
        check_apart(scene, item, spec["timeout"], lambda: contain(spec, write=False), spec.get("clip", True))
        for item in spec["candidates"]
    ]
    Path("result.json").write_text(json.dumps({"reports": reports}))


def check_apart(
    scene: Scene,
    candidate: dict[str, Any],
    timeout: float,
    lock: Callable[[], None] = lambda: None,
    clip: bool = True,
) -> dict[str, Any]:
    """The report on one candidate, made in a child process that locks itself down by `lock`.

    A hang or crash becomes a failed check; where something else ended the child, this process ends likewise.
    """
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(read_end)
            lock()
            reward = Path(candidate["reward"]) if candidate.get("reward") else None
            report = check_task(scene, Path(candidate["task"]), reward, clip=clip)
            data = json.dumps(report.to_json()).encode()
            while data:
                data = data[os.write(write_end, data) :]
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    try:
        data, problem = _read(read_end, timeout)
    finally:
        os.close(read_end)
        os.kill(child, signal.SIGKILL)
        _, code = os.waitpid(child, 0)
    if problem is None:
        try:
            report = json.loads(data)
            if is_report(report):
                return report
            problem = "its check gave no report"
        except ValueError:
            ended = os.waitstatus_to_exitcode(code)
            if -ended in OUTSIDE:
                os.kill(os.getpid(), -ended)
            problem = f"its process died (status {ended}) during the checks"
    return Report([Check("loads", False, problem)]).to_json()


def is_report(value: Any) -> bool:
    """Whether this is a `Report` as JSON: the process that wrote it ran generated code."""
    if not isinstance(value, dict) or set(value) != {"runs", "checks", "facts"}:
        return False
    checks, facts = value["checks"], value["facts"]
    return (
        isinstance(value["runs"], bool)
        and isinstance(checks, list)
        and all(
            isinstance(check, dict)
            and {name: type(part) for name, part in check.items()}
            == {"name": str, "passed": bool, "reason": str}
            for check in checks
        )
        and isinstance(facts, dict)
        and all(isinstance(fact, int | float) and math.isfinite(fact) for fact in facts.values())
    )


def _read(descriptor: int, timeout: float) -> tuple[bytes, str | None]:
    data = b""
    deadline = time.monotonic() + timeout
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return data, f"it did not end within {timeout:g} s"
        block = os.read(descriptor, 65536)
        if not block:
            return data, None
        data += block
        if len(data) > MAX_REPORT:
            return data, "its report is too long"


if __name__ == "__main__":
    main(sys.argv[1])
