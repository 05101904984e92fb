"""Processes for long benchmarks: a fresh one for each task, and none is left when the benchmark is killed."""

import os
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context, parent_process


def workers(jobs: int) -> ProcessPoolExecutor:
    """What one task leaves behind reaches no other."""
    return ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_follow, max_tasks_per_child=1)


def _follow() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
