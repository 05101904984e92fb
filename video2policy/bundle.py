"""One clip's results as one archive, and a stranger's archive read as hostile. Standard library only.

A bundle is a zip file that holds regular files by plain names, and `ro-crate-metadata.json` (RO-Crate, a
metadata format for research data) with the hash of each. Nothing in it is a pickle, a link or a program to be
run outside the sandbox.
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from video2policy.provenance import sha256

METADATA = "ro-crate-metadata.json"
SUFFIXES = (
    ".csv", ".html", ".jpg", ".js", ".json", ".jsonl", ".md", ".mp4", ".npz", ".obj", ".parquet", ".png",
    ".py", ".safetensors", ".tsv", ".txt", ".urdf",
)  # fmt: skip
"""What a bundle may hold; formats that run code when they are read (pickles) are not among them."""
LEFT_OUT = ("frames", "depth")
"""Folders of the clip that a replay does not need and that are most of its size."""
MAX_FILES = 20_000
MAX_FILE = 2**30
MAX_TOTAL = 2**31
"""Files, bytes of one and of all together, unpacked."""

_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}"
_NAME = re.compile(rf"{_PART}(/{_PART}){{0,15}}")
_DATE = (1980, 1, 1, 0, 0, 0)
_CHUNK = 2**20


class BundleError(ValueError):
    """What is wrong with a bundle, in one sentence."""


def clip_files(clip: Path, variant: str, clip_pixels: bool) -> Iterator[Path]:
    """What a bundle holds of a clip's folder: perception's results and one variant's.

    Without `clip_pixels` the pictures that stages drew over the clip are left out. Meshes carry
    its colours too: see `without_colours`.
    """
    variants = {path.parent.parent for path in clip.glob("*/task/task.py")}
    for path in sorted(clip.rglob("*")):
        inside = path.relative_to(clip)
        other = any(folder in path.parents for folder in variants if folder.name != variant)
        hidden = any(part.startswith(".") for part in inside.parts)
        drawn = path.suffix in (".png", ".jpg") and variant not in inside.parts[:1]
        unwanted = other or hidden or inside.parts[0] in LEFT_OUT or (drawn and not clip_pixels)
        if path.is_file() and not unwanted:
            yield path


def without_colours(mesh: str) -> str:
    """A mesh's OBJ text without its vertices' colours."""
    lines = (
        " ".join(line.split()[:4]) if line.startswith("v ") else line
        for line in mesh.splitlines()
        if not line.startswith(("mtllib", "usemtl"))
    )
    return "\n".join(lines) + "\n"


def pack(archive: Path, files: Mapping[str, Path]) -> None:
    """Write files under these names; the same files give the same bytes. Raises BundleError."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, path in sorted(files.items()):
            _check_name(name)
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            with path.open("rb") as source, bundle.open(entry, "w") as target:
                while block := source.read(_CHUNK):
                    target.write(block)


def unpack(archive: Path, folder: Path) -> dict[str, Any]:
    """Unpack a bundle into a new folder and return its metadata; nothing is left there where it is refused.

    Raises:
        BundleError: it is no bundle, or holds what a bundle may not: other names than plain relative ones,
            links, devices, names twice, more than it may, other content than its metadata says.
    """
    try:
        folder.mkdir(parents=True)
        _unpack(archive, folder)
        return _checked_metadata(folder)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise (
            error if isinstance(error, BundleError) else BundleError(f"it cannot be unpacked: {error}")
        ) from error


def _unpack(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as bundle:
        entries = bundle.infolist()
        _check_entries(entries)
        left = MAX_TOTAL
        for entry in entries:
            left -= _extract(bundle, entry, folder, min(left, MAX_FILE))


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    if len(entries) > MAX_FILES:
        raise BundleError(f"it holds {len(entries)} files, more than the {MAX_FILES} that a bundle may")
    if sum(entry.file_size for entry in entries) > MAX_TOTAL:
        raise BundleError(f"it unpacks to more than {MAX_TOTAL / 2**30:g} GB")
    seen: set[str] = set()
    for entry in entries:
        _check_name(entry.orig_filename)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BundleError(f"{entry.filename} is a link or a device")
        if entry.flag_bits & 1:
            raise BundleError(f"{entry.filename} is encrypted")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(f"{entry.filename} is compressed in a way that bundles are not")
        name = entry.filename.casefold()
        if name in seen:
            raise BundleError(f"{entry.filename} is there twice")
        seen.add(name)
    for name in seen:
        above = [str(parent) for parent in PurePosixPath(name).parents]
        if seen.intersection(above):
            raise BundleError(f"{name} lies in something that is a file")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BundleError(f"{name[:80]!r} is no plain relative name")
    if PurePosixPath(name).suffix not in SUFFIXES:
        raise BundleError(f"{name[:80]} is of a kind that a bundle may not hold ({', '.join(SUFFIXES)})")


def _extract(bundle: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, limit: int) -> int:
    """Write one file, believing nothing about its size; how many bytes it has."""
    target = folder / entry.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    size = 0
    with bundle.open(entry) as source, target.open("xb") as copy:
        while block := source.read(_CHUNK):
            size += len(block)
            if size > limit:
                raise BundleError(f"{entry.filename} is larger than a bundle's files may be")
            copy.write(block)
    return size


def _checked_metadata(folder: Path) -> dict[str, Any]:
    try:
        metadata: dict[str, Any] = json.loads((folder / METADATA).read_text(encoding="utf-8"))
        listed = {item["@id"]: item["sha256"] for item in metadata["@graph"] if item["@type"] == "File"}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(f"it has no {METADATA} that can be read") from error
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {METADATA}
    if there != listed.keys():
        odd = sorted(there ^ listed.keys())[0]
        raise BundleError(f"{odd} is in the bundle or in its {METADATA}, and not in both")
    for name, digest in listed.items():
        if sha256(folder / name) != digest:
            raise BundleError(f"{name} is not what {METADATA} says: the bundle was changed or damaged")
    return metadata
