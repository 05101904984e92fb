"""What the Snakefile changes about snakemake's scheduler."""

from types import SimpleNamespace

from video2policy.scheduling import lift_default_limit


def test_only_the_default_limit_on_started_jobs_is_lifted() -> None:
    usual, asked = (SimpleNamespace(max_jobs=jobs, timespan=1.0) for jobs in (100, 5))
    for limit, left in ((usual, None), (asked, asked), (None, None)):
        scheduler = SimpleNamespace(job_rate_limiter=limit)
        lift_default_limit(scheduler)
        assert scheduler.job_rate_limiter is left
