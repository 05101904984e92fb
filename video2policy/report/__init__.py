"""The report: what happened to every clip, drawn from the artifacts alone."""

from video2policy.report.page import build_index, build_page

__all__ = ["build_index", "build_page"]
