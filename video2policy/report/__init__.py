"""The self-contained report page: what happened to every clip, drawn from the artifacts alone."""

from video2policy.report.page import build_report

__all__ = ["build_report"]
