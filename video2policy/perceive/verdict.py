"""What a perception stage says about its own result."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any


class Rejected(Exception):
    """A clip cannot pass a stage. Stops that clip alone; the message is one sentence for the user."""

    @property
    def reason(self) -> str:
        return str(self)


class Unavailable(Exception):
    """A chosen method cannot run here. Stops the job; the message is one sentence for the user."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of one gate.

    ``confidence`` is in [0, 1]. ``reason`` says why the gate did not pass and is None when it did.
    ``better`` says why a better method was not available, None when the best one was used.
    """

    stage: str
    passed: bool
    method: str
    confidence: float
    reason: str | None = None
    better: str | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.confidence <= 1.0:  # also refuses NaN
            raise ValueError(f"confidence of stage {self.stage} is {self.confidence}, not within [0, 1]")
        if self.passed != (self.reason is None):
            raise ValueError(f"stage {self.stage}: a reason is given exactly when the gate did not pass")

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Verdict:
        return cls(**{name: data.get(name) for name in cls.__dataclass_fields__})  # type: ignore[arg-type]

    @classmethod
    def rejected(cls, stage: str, reason: str, method: str = "none") -> Verdict:
        return cls(stage=stage, passed=False, method=method, confidence=0.0, reason=reason)

    def accepted(self) -> Verdict:
        """The same gate, passed because the sheet says so."""
        return replace(
            self, passed=True, confidence=0.0, reason=None, better=f"passed by the sheet: {self.reason}"
        )

    def dumps(self) -> str:
        return json.dumps(self.to_json(), indent=1) + "\n"
