"""One entry point for every rule: snakemake's `script:` and a command line give it the same arguments.

A script defines `main(...)` with `Input` and `Output` paths and plain parameters and ends with `stage(main)`.
Run by a rule, `stage`

- hands `main` temporary output paths and renames them when it returned, so no half-written artifact stays;
- gives a `main` that asks for `config` the whole of it as the job's variant sees it, for what never decides a
  result: changing it reruns nothing;
- keeps what the job prints in the rule's log, and shows the lines of the `video2policy` logger to the user;
- writes the rule's `verdict` and its `provenance`, where the rule declares them. A clip that a gate rejects
  is a result, not an error: what follows is then not computed but marked, unless the rule's `accept` names
  it and all its outputs were written.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib.metadata
import inspect
import json
import logging
import os
import platform
import resource
import sys
import threading
import time
import traceback
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NewType, TextIO

import psutil

from video2policy.files import part_of, remove, written
from video2policy.perceive.verdict import Rejected, Unavailable, Verdict
from video2policy.provenance import altered, notes, sha256
from video2policy.workflow import merged_config

log = logging.getLogger("video2policy")

Input = NewType("Input", Path)
Output = NewType("Output", Path)

NO_INPUTS: list[Input] = []
"""The default of inputs that a rule need not have."""


class Failed(Exception):
    """A job that cannot give its result, in one sentence for the user."""


Main = Callable[..., Verdict | None]

KEPT_BY_STAGE = ("gates", "verdict", "provenance", "code", "accept")
"""Names in a rule that belong to the wrapper, not to `main`."""


def stage(main: Main, gate: bool = True) -> Main:
    """Call `main` with the rule's named inputs, outputs and params, or with options of the same names.

    With `gate=False`, `main` runs although an earlier stage rejected the clip (it reports on that).
    """
    scope = main.__globals__
    if "snakemake" in scope:
        _run_rule(main, scope["snakemake"], gate)
    elif scope["__name__"] == "__main__":
        _run_command_line(main)
    return main


def _run_rule(main: Main, rule: Any, gate: bool) -> None:
    started, clock = time.time(), time.monotonic()
    _end_with_workflow()
    name = " ".join([rule.rule, *rule.wildcards])
    try:
        terminal = _redirect(Path(rule.log[0])) if rule.log else sys.stderr
    except OSError as error:
        sys.exit(f"{name}: {_sentence(error, {})}")
    _show_progress(terminal, name)
    inputs = {key: _paths(value) for key, value in rule.input.items()}
    outputs = {key: _paths(value) for key, value in rule.output.items()}
    params = dict(rule.params.items())
    try:
        verdict = _first_rejection(_aslist(inputs.get("gates", []))) if gate else None
        with _Outputs({k: v for k, v in outputs.items() if k not in KEPT_BY_STAGE}) as parts:
            if verdict is None:
                arguments = {k: v for k, v in {**inputs, **params}.items() if k not in KEPT_BY_STAGE}
                if "config" in inspect.signature(main).parameters:
                    variant = dict(rule.wildcards.items()).get("variant", "")
                    arguments["config"] = merged_config(rule.config, variant)
                try:
                    verdict = main(**arguments, **parts.temporary)
                except Rejected as rejected:
                    verdict = Verdict(
                        stage=rule.rule, passed=False, method="", confidence=0.0, reason=str(rejected)
                    )
                    if rule.rule in params.get("accept", ()) and parts.complete():
                        verdict = verdict.accepted()
                    log.info("%s: %s", "passed by the sheet" if verdict.passed else "clip rejected", rejected)
            if verdict is not None and not verdict.passed:
                parts.fill(f"rejected: {verdict.reason}")
            parts.rename()
        if "verdict" in outputs:
            assert verdict is not None, f"rule {rule.rule} declares a verdict, its main returned none"
            _write_json(outputs["verdict"], verdict.to_json())
        if "provenance" in outputs:
            record = _provenance(rule, inputs, outputs, params, started, time.monotonic() - clock)
            _write_json(outputs["provenance"], record)
        log.info("done in %.1f s", time.monotonic() - clock)
    except Exception as error:  # the job's outermost frame: one sentence to the user, the rest to the log
        with contextlib.suppress(OSError):  # the log may lie on a full disk
            traceback.print_exc()
        where = f" (log: {rule.log[0]})" if rule.log else ""
        terminal.write(f"{name}: {_sentence(error, inputs)}{where}\n")
        terminal.flush()
        sys.exit(1)


def _end_with_workflow() -> None:
    """End this job soon after its workflow was killed, so that a rerun never meets an orphan."""
    workflows = [
        p for p in psutil.Process().parents() if any("snakemake" in part for part in p.cmdline()[:3])
    ]
    if not workflows:
        return

    def watch() -> None:
        while workflows[0].is_running() and workflows[0].status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _aslist(value: Path | list[Path]) -> list[Path]:
    return value if isinstance(value, list) else [value]


def _paths(value: Any) -> Any:
    return Path(value) if isinstance(value, str) else [Path(v) for v in value]


def _first_rejection(gates: Iterable[Path]) -> Verdict | None:
    for path in gates:
        verdict = Verdict.from_json(json.loads(path.read_text()))
        if not verdict.passed:
            return verdict
    return None


class _Outputs:
    """Temporary siblings of the final outputs; a name without a suffix is a directory."""

    def __init__(self, final: Mapping[str, Path | list[Path]]) -> None:
        self.final = final
        self.temporary = {
            key: [part_of(p) for p in value] if isinstance(value, list) else part_of(value)
            for key, value in final.items()
        }

    def _pairs(self) -> Iterable[tuple[Path, Path]]:
        for value in self.final.values():
            for path in _aslist(value):
                yield part_of(path), path

    def __enter__(self) -> _Outputs:
        for part, final in self._pairs():
            remove(part)
            final.parent.mkdir(parents=True, exist_ok=True)
            if not final.suffix:
                part.mkdir()
        return self

    def complete(self) -> bool:
        """Whether `main` wrote everything."""
        return all(part.exists() for part, _ in self._pairs())

    def fill(self, text: str) -> None:
        """Mark what `main` did not write, so that the DAG goes on to the clip's verdict."""
        for part, _ in self._pairs():
            if not part.exists():
                part.write_text(text + "\n")

    def rename(self) -> None:
        if not self.complete():
            missing = [str(final) for part, final in self._pairs() if not part.exists()]
            raise FileNotFoundError(f"the stage ended without writing {', '.join(missing)}")
        for part, final in self._pairs():
            remove(final)
            part.replace(final)

    def __exit__(self, *_: object) -> None:
        for part, _final in self._pairs():
            remove(part)


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with written(path) as part:
        part.write_text(json.dumps(record, indent=1, default=str) + "\n")


def _redirect(log: Path) -> TextIO:
    """Send everything this process and its children print to `log`; return the user's terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.fdopen(os.dup(2), "w", buffering=1)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)
    return terminal


def _show_progress(terminal: TextIO, name: str) -> None:
    log.setLevel(logging.INFO)
    log.propagate = False
    for stream, form in ((terminal, f"[{name}] %(message)s"), (sys.stderr, "%(asctime)s %(message)s")):
        if stream is not sys.stderr or terminal is not sys.stderr:
            handler = logging.StreamHandler(stream)
            handler.setFormatter(logging.Formatter(form, "%H:%M:%S"))
            log.addHandler(handler)


STORAGE = {
    errno.ENOSPC: "the disk is full: free space",
    errno.EDQUOT: "the disk quota is used up: free space",
    errno.EFBIG: "the file is larger than allowed here: raise the limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: make it writable",
    errno.EACCES: "permission is missing: make the folder yours (chown, chmod)",
    errno.EPERM: "permission is missing: make the folder yours (chown, chmod)",
}
"""What is wrong where a file cannot be written or read, and what to do."""


def _sentence(error: Exception, inputs: Mapping[str, Path | list[Path]]) -> str:
    """What went wrong, for the user: the disk, an input that no longer is what its job wrote, the error."""
    if isinstance(error, Failed | Unavailable):
        return str(error)
    if isinstance(error, OSError) and error.errno in STORAGE:
        where = f" ({error.filename})" if error.filename else ""
        return f"{STORAGE[error.errno]}{where} and run the same command again; nothing half-written was kept"
    damaged = altered(_files(inputs))
    if damaged:
        names = " ".join(damaged)
        return f"{names} changed since the workflow made it; rebuild: snakemake --cores all --force {names}"
    return f"{type(error).__name__}: {error}"


def _files(named: Mapping[str, Path | list[Path]]) -> list[Path]:
    return [path for value in named.values() for path in _aslist(value)]


def _provenance(
    rule: Any,
    inputs: Mapping[str, Path | list[Path]],
    outputs: Mapping[str, Path | list[Path]],
    params: dict[str, Any],
    started: float,
    seconds: float,
) -> dict[str, Any]:
    """All that is known about how the job's outputs came to be; docs/provenance.md."""
    made = {name: value for name, value in outputs.items() if name != "provenance"}
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return {
        "rule": rule.rule,
        "wildcards": dict(rule.wildcards.items()),
        "inputs": {str(p): sha256(p) for p in _files(inputs)},
        "outputs": {str(p): sha256(p) for p in _files(made)},
        "code": params.pop("code", None),
        "params": params,
        "threads": rule.threads,
        "python": platform.python_version(),
        "machine": {"node": platform.node(), "platform": platform.platform(), "processors": os.cpu_count()},
        "packages": {d.metadata["Name"]: d.version for d in importlib.metadata.distributions()},
        "started": started,
        "seconds": round(seconds, 3),
        "peak_memory_mb": round(max(own, children) / 1024),
        **notes,
    }


def _given(hint: Any) -> Any:
    """What an option holds where it is given: `Input` of `Input | None`."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    return next(part for part in typing.get_args(hint) if part is not type(None))


def _run_command_line(main: Main) -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    hints = typing.get_type_hints(main)
    parser = argparse.ArgumentParser(description=main.__doc__)
    for name, parameter in inspect.signature(main).parameters.items():
        hint = _given(hints.get(name, str))
        many = typing.get_origin(hint) is list and typing.get_args(hint)[0] in (Input, Output)
        kind: Callable[[str], Any] = (
            Path if many or hint in (Input, Output) else str if hint is str else json.loads
        )
        required = parameter.default is parameter.empty
        parser.add_argument(
            "--" + name,
            type=kind,
            nargs=("+" if required else "*") if many else None,
            required=required,
            default=None if required else parameter.default,
            help=f"{getattr(hint, '__name__', hint)}" + ("" if kind in (Path, str) else ", as JSON"),
        )
    try:
        verdict = main(**vars(parser.parse_args()))
    except Rejected as rejected:
        sys.exit(f"rejected: {rejected}")
    except (Failed, Unavailable) as error:
        sys.exit(str(error))
    if verdict is not None:
        print(json.dumps(verdict.to_json(), indent=1))
