"""Render one of the project's demo clips, with the truth about it."""

from scripts.stage import Output, stage
from video2policy.demo import render_demo


def main(clip: Output, truth: Output, name: str, camera: str = "front", seed: int = 0) -> None:
    render_demo(name, clip, truth, camera, seed)


stage(main)
