"""What the Snakefile changes about snakemake's scheduler. A module of its own: no job's code reaches it."""

from __future__ import annotations

from typing import Any

DEFAULT_LIMIT = (100, 1.0)
"""Jobs and seconds of snakemake's own limit on how fast jobs are started."""


def lift_default_limit(scheduler: Any) -> None:
    """Take the default limit on started jobs from snakemake's scheduler; another limit is kept.

    With a limit, every round of scheduling sets a timer for one more (`JobScheduler.schedule`, snakemake
    9.27). Rounds that a job's end causes do so too, so each job that ends adds a round per second for the
    rest of the run, and long runs spend their time on looking at the same files (docs/many-clips.md).
    """
    limit = scheduler.job_rate_limiter
    if limit and (limit.max_jobs, limit.timespan) == DEFAULT_LIMIT:
        scheduler.job_rate_limiter = None
