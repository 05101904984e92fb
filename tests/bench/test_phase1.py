import json
from pathlib import Path

from bench.phase1 import jobs, table


def test_jobs_are_summed_by_stage(tmp_path: Path) -> None:
    folder = tmp_path / "videos" / "a"
    for name, rule, seconds, memory in (
        ("masks/x", "segment", 2.0, 300),
        ("masks/y", "segment", 3.5, 400),
        ("frames", "frames", 1.0, 100),
        ("other", "report", 9.0, 9000),
    ):
        path = folder / f"{name}.provenance.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"rule": rule, "seconds": seconds, "peak_memory_mb": memory}))
    found = jobs(tmp_path)
    assert [job.rule for job in found] == ["frames", "segment", "segment"]
    text = table(found, 20.0, 0.1, 2)
    assert "| segment | 2 | 5.5 | 400 |" in text
    assert "0.50 of 40 s asked" in text and "peak memory of a job 400 MB" in text
