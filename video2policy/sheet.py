"""Sample sheets: which clips to work on, and what the user knows about them.

A sheet is a TSV with a header or a JSON list in Something-Something V2's form. Everything a sheet says wrong
ends in a `SheetError` with one sentence: what, where, and what to do. What a clip contains is not looked at
here. Needs the standard library and jsonschema only.
"""

import csv
import difflib
import io
import json
import logging
import math
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from video2policy.families import (
    N_OBJECTS,
    Match,
    Template,
    assign_roles,
    find_objects,
    find_template,
    is_taught,
    match_caption,
    normalise,
    understood,
)
from video2policy.files import is_image

log = logging.getLogger("video2policy")

SCHEMA = Path(__file__).parents[1] / "schemas" / "sheet.schema.json"
REQUIRED_COLUMNS = ("video", "clip", "caption", "objects")
JSON_COLUMNS = ("boxes", "points", "masks", "shapes", "sizes", "camera")
LIST_COLUMNS = ("objects", "accept")
COLUMNS = (*REQUIRED_COLUMNS, "template", *JSON_COLUMNS, "accept", "split")
SSV2_KEYS = ("id", "label", "placeholders")
CLIP_SUFFIXES = frozenset(
    {".webm", ".mp4", ".gif", ".mkv", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".ogv", ".apng"}
)
DEMO_CLIPS = Path("results/demo")
"""Clips under this folder are made by a rule of the workflow, so that they need not exist yet."""
RESERVED_NAMES = frozenset(
    {"eef", "gripper", "table", "target", "time", "robot", "hand", "contact", "init", "ever"}
)
"""Names that would collide with keys of the simulator's `states`."""

AS_TEXT = """an id that looks like a number: write ids='["001"]'"""


class SheetError(Exception):
    """What is wrong with a sample sheet, in one sentence that says where and what to do."""


@dataclass(frozen=True)
class Row:
    """One clip of the sheet, checked.

    `labels` are the object names as given and `objects` their identifiers ([a-z0-9_], unique), in the same
    order. `roles` maps "a" (handled) and "b" (related to) to identifiers. `boxes` and `points` are keyed by
    identifier and hold {"frame": index in the clip, "box": [x0, y0, x1, y1]}, with boxes on further frames in
    a list "also", and {"frame", "points": [[x, y]]}, in pixels of the original clip; `masks` the path of a
    clip that is white where the object is; `shapes` any of "kind", "opening", "mesh" (a path), "frame" and
    "mass" (kg); `sizes` (m) a number (longest side) or [x, y, z]. `accept` names gates that pass whatever
    they say. `alternatives` are further families that the caption may mean, of which the clip decides.
    """

    video: str
    clip: Path
    caption: str
    labels: tuple[str, ...]
    objects: tuple[str, ...]
    template: str | None
    template_id: int | None
    family: str
    family_source: str
    roles: dict[str, str]
    alternatives: tuple[str, ...] = ()
    boxes: dict[str, dict[str, Any]] = field(default_factory=dict)
    points: dict[str, dict[str, Any]] = field(default_factory=dict)
    masks: dict[str, str] = field(default_factory=dict)
    shapes: dict[str, dict[str, Any]] = field(default_factory=dict)
    sizes: dict[str, float | list[float]] = field(default_factory=dict)
    camera: dict[str, float] = field(default_factory=dict)
    accept: tuple[str, ...] = ()
    split: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types, as rules take them for `params`."""
        plain = asdict(self) | {"clip": str(self.clip)}
        lists = ("labels", "objects", "accept", "alternatives")
        return plain | {name: list(plain[name]) for name in lists}

    @property
    def is_taught(self) -> bool:
        """Whether trainings of what the clip may show start from a skill."""
        return any(is_taught(family) for family in (self.family, *self.alternatives))


def read_sheet(
    path: Path | str,
    ids: Iterable[str | float] = (),
    templates: Iterable[str | int] = (),
    limit: int = 0,
) -> list[Row]:
    """The rows of a TSV or SSv2 JSON sheet, filtered first and then checked.

    `ids` and `templates` (texts or numbers) keep the rows they name; `limit` keeps the first ones (0: all).
    A number among the `ids` may have been written otherwise (001), so that only one id may be equal to it.
    Of a JSON with a limit and no ids, rows whose template is refused are passed over; the log counts them.
    Raises SheetError.
    """
    path = Path(path)
    wanted = {str(i): i for i in _listed(ids)}
    numbers = {_known_template(str(t)).id for t in _listed(templates)}
    chosen = list(_chosen(_entries(path), wanted, numbers, path))
    missing = wanted.keys() - {str(entry["video"]) for _, entry in chosen}
    if missing and not numbers:
        first = min(missing)
        hint = "" if isinstance(wanted[first], str) else f" ({AS_TEXT})"
        raise SheetError(f'{path}: no row has the id "{first}" that the config asks for; check `ids`{hint}.')
    if not chosen:
        what = "no row passes the filters (ids, templates)" if wanted or numbers else "the sheet has no rows"
        raise SheetError(f"{path}: {what}; add rows or change the filters.")
    if _is_json(path) and limit and not wanted:
        chosen = _first_possible(chosen, limit)
    elif limit:
        chosen = chosen[:limit]
    clips = _find_clips(path, {str(entry["video"]) for _, entry in chosen if not entry.get("clip")})
    rows = [_row(entry, where, path, clips) for where, entry in chosen]
    return rows


def ids_of(path: Path | str) -> set[str]:
    """The ids of all rows of a sheet, whatever else they say. Raises SheetError."""
    return {str(entry["video"]) for _, entry in _entries(Path(path))}


def _listed(values: Any) -> list[Any]:
    """A config value that may be one thing, a list of things or nothing."""
    if values is None or values == "":
        return []
    return [values] if isinstance(values, str | float | int) else list(values)


def _known_template(text: str) -> Template:
    template = find_template(text)
    if template is None:
        raise SheetError(f'the config filters by the template "{text}", which is not one of SSv2\'s 174.')
    return template


@cache
def _template_id(text: str) -> int | None:
    template = find_template(text)
    return template.id if template else None


def _read_text(path: Path) -> str:
    try:
        if path.is_dir():
            raise SheetError(f"the sample sheet {path} is a folder; name a file that lists the clips in it.")
        if not path.is_file():
            raise SheetError(
                f"the sample sheet {path} does not exist; give its path by `--config videos=PATH`."
            )
        data = path.read_bytes()
    except OSError as error:
        raise SheetError(f"the sample sheet {path} cannot be read: {error.strerror}.") from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SheetError(f"{path}, line {line}: not UTF-8; save the sheet with UTF-8 encoding.") from None
    if not text.strip():
        raise SheetError(f"{path}: the sheet is empty; it needs a header and one row per clip.")
    return text


Entry = tuple[str, dict[str, Any]]
"""Where a row stands (for messages) and what it says, with the sheet's column names as keys."""


def _is_json(path: Path) -> bool:
    return path.suffix.lower() == ".json"


def _entries(path: Path) -> Iterator[Entry]:
    return _json_entries(path) if _is_json(path) else _tsv_entries(path)


def _tsv_entries(path: Path) -> Iterator[Entry]:
    reader = csv.reader(io.StringIO(_read_text(path), newline=""), delimiter="\t", strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            where = f"{path}, line {reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip() for cell in cells]
                while not header[-1]:
                    header.pop()
                _check_header(header, where)
                continue
            while len(cells) > len(header) and not cells[-1].strip():
                cells.pop()
            if len(cells) != len(header):
                raise SheetError(
                    f"{where}: {len(cells)} cells under {len(header)} columns; "
                    "separate the cells by single tabs and leave unknown ones empty."
                )
            pairs = zip(header, cells, strict=True)
            yield where, _parse_cells({name: cell.strip() for name, cell in pairs if cell.strip()}, where)
    except csv.Error as error:
        raise SheetError(f"{path}, line {reader.line_num}: {error}; close the quote or remove it.") from None


def _check_header(header: Sequence[str], where: str) -> None:
    if len(header) == 1 and len(set(re.split("[,;]", header[0])) & set(COLUMNS)) > 1:
        raise SheetError(f"{where}: the columns stand between commas or semicolons; separate them by tabs.")
    for name in header:
        if name not in COLUMNS:
            close = difflib.get_close_matches(name.lower(), COLUMNS, 1)
            meant = f'did you mean "{close[0]}"' if close else f"the columns are {', '.join(COLUMNS)}"
            raise SheetError(f'{where}: unknown column "{name}"; {meant}.')
        if header.count(name) > 1:
            raise SheetError(f'{where}: the column "{name}" stands twice; keep one of them.')
    for name in REQUIRED_COLUMNS:
        if name not in header:
            raise SheetError(
                f'{where}: the column "{name}" is missing; a sheet needs {", ".join(REQUIRED_COLUMNS)}, '
                "separated by tabs."
            )


def _parse_cells(cells: Mapping[str, str], where: str) -> dict[str, Any]:
    entry: dict[str, Any] = dict(cells)
    for name in REQUIRED_COLUMNS:
        if name not in entry:
            raise SheetError(f'{where}: the cell under "{name}" is empty; fill it in.')
    for name in LIST_COLUMNS:
        if name in entry:
            entry[name] = [item.strip() for item in cells[name].split(";")]
    for name in JSON_COLUMNS:
        if name in entry:
            entry[name] = _parse_json(entry[name], f'{where}: the cell under "{name}"')
    return entry


def _loads(text: str) -> Any:
    """JSON without NaN, infinities and keys that stand twice. Raises ValueError or RecursionError."""

    def refuse(token: str) -> None:
        raise ValueError(f"{token} is no JSON number")

    def finite(token: str) -> float:
        number = float(token)
        if math.isinf(number):
            raise ValueError(f"{token} is too large")
        return number

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            keys = [key for key, _ in pairs]
            raise ValueError(f'"{next(key for key in keys if keys.count(key) > 1)}" stands twice')
        return values

    return json.loads(text, parse_constant=refuse, parse_float=finite, object_pairs_hook=unique)


def _parse_json(text: str, what: str) -> Any:
    try:
        return _loads(text)
    except (ValueError, RecursionError) as error:
        raise SheetError(f'{what} is not valid JSON ({error}); an example: {{"red cup": 0.1}}.') from None


def _json_entries(path: Path) -> Iterator[Entry]:
    text = _read_text(path)
    try:
        rows = _loads(text)
    except (ValueError, RecursionError) as error:
        raise SheetError(f"{path}: not valid JSON ({error}); is the file complete?") from None
    if not isinstance(rows, list):
        raise SheetError(f"{path}: expected a JSON list of rows with id, label, template and placeholders.")
    for number, row in enumerate(rows, 1):
        where = f"{path}, row {number}"
        if not isinstance(row, dict) or "id" not in row:
            raise SheetError(f'{where}: a row must be an object with an "id", as in SSv2\'s labels.')
        if unknown := [key for key in row if key not in COLUMNS and key not in SSV2_KEYS]:
            raise SheetError(
                f'{where}: unknown key "{unknown[0]}"; the keys are {", ".join(SSV2_KEYS + COLUMNS[1:])}.'
            )
        entry = {key: value for key, value in row.items() if key not in SSV2_KEYS and value is not None}
        entry["video"] = str(row["id"])
        entry["label"] = row.get("label", row.get("caption"))
        entry["placeholders"] = row.get("placeholders")
        yield where, entry


def _chosen(
    entries: Iterable[Entry], ids: Mapping[str, str | float], templates: set[int], path: Path
) -> Iterator[Entry]:
    """The entries that the filters keep; ids must be unique among all of them."""
    seen: dict[str, tuple[str, Any]] = {}
    for where, entry in entries:
        video = str(entry["video"])
        if video in seen:
            first, clip = seen[video]
            if clip != entry.get("clip"):
                raise SheetError(
                    f'{where}: the id "{video}" already stands for another clip ({first}); '
                    "give each clip its own id."
                )
            raise SheetError(f'{where}: the id "{video}" is a duplicate of {first}; remove one of the rows.')
        seen[video] = (where.removeprefix(f"{path}, "), entry.get("clip"))
        if ids and video not in ids:
            continue
        if templates and _template_id(str(entry.get("template", ""))) not in templates:
            continue
        yield where, entry
    for number in ids.values():
        alike = [] if isinstance(number, str) else [video for video in seen if _equals(video, number)]
        if len(alike) > 1:
            names = " and ".join(f'"{video}"' for video in alike[:2])
            raise SheetError(f"{path}: the id {number} that the config asks for may be {names}; {AS_TEXT}.")


def _equals(text: str, number: float) -> bool:
    try:
        return float(text) == number
    except ValueError:
        return False


def _first_possible(chosen: Sequence[Entry], limit: int) -> list[Entry]:
    """The first `limit` entries whose template is not refused (all entries when every one is)."""
    kept: list[Entry] = []
    passed = 0
    for where, entry in chosen:
        template = find_template(str(entry.get("template", "")))
        if template is not None and template.refusal:
            passed += 1
            continue
        kept.append((where, entry))
        if len(kept) == limit:
            break
    if kept and passed:
        log.info("sample sheet: passed over %d rows whose template is refused", passed)
    return kept or list(chosen[:1])


def _find_clips(sheet: Path, ids: set[str]) -> dict[str, list[Path]]:
    """Clips named <id>.* and image folders named <id>, beside the sheet or one folder below."""
    found: dict[str, list[Path]] = {}
    if not ids:
        return found
    folders = [sheet.parent]
    for depth in range(2):
        below: list[Path] = []
        for folder in folders:
            for entry in _listing(folder):
                stem, dot, suffix = entry.name.rpartition(".")
                if entry.is_dir():
                    if entry.name in ids and _has_images(e.name for e in _listing(folder / entry.name)):
                        found.setdefault(entry.name, []).append(folder / entry.name)
                    elif depth == 0 and not entry.name.startswith("."):
                        below.append(folder / entry.name)
                elif stem in ids and dot + suffix.lower() in CLIP_SUFFIXES:
                    found.setdefault(stem, []).append(folder / entry.name)
        folders = below
    return found


def _listing(folder: Path) -> list[os.DirEntry[str]]:
    """What stands in a folder, by name; nothing where that may not be known (lost+found)."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except PermissionError:
        return []


def _has_images(names: Iterable[str]) -> bool:
    return any(map(is_image, names))


def _clip_path(entry: Mapping[str, Any], where: str, sheet: Path, found: Mapping[str, list[Path]]) -> Path:
    """The row's clip: as named (beside the sheet, else from the working folder), else found by its id."""
    video = entry["video"]
    if not entry.get("clip"):
        hits = found.get(video, [])
        if len(hits) > 1:
            names = " and ".join(str(hit.relative_to(sheet.parent)) for hit in hits[:2])
            raise SheetError(f'{where}: two clips with the id "{video}" ({names}); remove or rename one.')
        if not hits:
            raise SheetError(
                f"{where}: no clip named {video}.* stands beside the sheet or in a folder there; "
                "put it there or filter the rows by `ids`."
            )
        return _plain(hits[0], "clip", where)
    clip = Path(entry["clip"])
    if clip.is_relative_to(DEMO_CLIPS) and ".." not in clip.parts:
        return _plain(clip, "clip", where)
    return _beside(clip, "clip", where, sheet)


def _beside(named: Path, what: str, where: str, sheet: Path) -> Path:
    """A file, or a folder of images, that a sheet names: beside the sheet, else from the working folder."""
    try:
        for path in (sheet.parent / named, named):
            if what == "mesh" and path.is_dir():
                raise SheetError(f'{where}: the mesh "{named}" is a folder, not a mesh; give its file.')
            if path.is_file() or (path.is_dir() and _has_images(p.name for p in path.iterdir())):
                return _plain(path, what, where)
    except OSError as error:
        raise SheetError(f'{where}: the {what} "{named}" cannot be read: {error.strerror}.') from None
    problem = "holds no images" if named.is_dir() or (sheet.parent / named).is_dir() else "does not exist"
    raise SheetError(f'{where}: the {what} "{named}" {problem}; give its path relative to the sheet.')


def _plain(path: Path, what: str, where: str) -> Path:
    """The path, which Snakemake must not take for a pattern."""
    if set("{}") & set(str(path)):
        raise SheetError(f'{where}: the path of the {what} "{path}" holds {{ or }}; rename it.')
    return path


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return schema


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema())


def _check_schema(entry: Mapping[str, Any], where: str) -> None:
    error = next(_validator().iter_errors(entry), None)
    if error is None:
        return
    column = str(error.absolute_path[0]) if error.absolute_path else "objects"
    got = json.dumps(entry.get(column), ensure_ascii=False)
    got = got if len(got) <= 80 else got[:77] + "..."
    rule = _schema()["properties"][column]["description"]
    name = "the id" if column == "video" else f'"{column}"'
    raise SheetError(f"{where}: {name} {rule}; got {got}.")


def _row(entry: dict[str, Any], where: str, sheet: Path, found: Mapping[str, list[Path]]) -> Row:
    entry = dict(entry)
    label, placeholders = entry.pop("label", None), entry.pop("placeholders", None)
    entry["caption"] = " ".join(str(label if label is not None else entry.get("caption", "")).split())
    if not entry["caption"]:
        raise SheetError(
            f"{where}: no label and no template (SSv2's test list is like that); use a list that has them."
        )
    template = _template(entry.get("template"), where)
    from_placeholders = "objects" not in entry
    if from_placeholders:
        entry["objects"] = _placeholder_objects(placeholders, template, where)
    _check_schema(entry, where)
    if template is not None and template.refusal:
        raise SheetError(
            f'{where}: template {template.id} "{template.text}" cannot be done: {template.refusal}.'
        )
    labels = tuple(unicodedata.normalize("NFC", " ".join(name.split())) for name in entry["objects"])
    objects = _identifiers(labels)
    ordered, match, template = _understand(entry["caption"], labels, objects, template, where)
    boxes = _by_object(entry.get("boxes"), "box", labels, objects, "boxes", where)
    for name, value in boxes.items():
        placed = [value, *value.get("also", [])]
        if len({one["frame"] for one in placed}) < len(placed):
            raise SheetError(f'{where}: two boxes of "{name}" are on one frame; keep one of them.')
        for x0, y0, x1, y1 in (one["box"] for one in placed):
            if x1 <= x0 or y1 <= y0:
                raise SheetError(
                    f'{where}: the box of "{name}" has no area; give [x0, y0, x1, y1] with x0 < x1 and '
                    "y0 < y1."
                )
    masks = _keyed(entry.get("masks"), labels, objects, "masks", where)
    shapes = {
        name: {"kind": value} if isinstance(value, str) else dict(value)
        for name, value in _keyed(entry.get("shapes"), labels, objects, "shapes", where).items()
    }
    for shape in shapes.values():
        if "mesh" in shape:
            shape["mesh"] = str(_beside(Path(shape["mesh"]), "mesh", where, sheet))
    return Row(
        video=entry["video"],
        clip=_clip_path(entry, where, sheet, found),
        caption=entry["caption"],
        labels=labels,
        objects=objects,
        template=template.text if template else None,
        template_id=template.id if template else None,
        family=match.family,
        family_source="template" if entry.get("template") not in (None, "") else "caption",
        roles=assign_roles(match.family, ordered, match.order or None),
        alternatives=match.alternatives,
        boxes=boxes,
        points=_by_object(entry.get("points"), "points", labels, objects, "points", where),
        masks={name: str(_beside(Path(path), "masks", where, sheet)) for name, path in masks.items()},
        shapes=shapes,
        sizes=_keyed(entry.get("sizes"), labels, objects, "sizes", where),
        camera=dict(entry.get("camera", {})),
        accept=tuple(entry.get("accept", ())),
        split=entry.get("split"),
    )


def _template(text: Any, where: str) -> Template | None:
    if text is None or text == "":
        return None
    template = find_template(text if isinstance(text, int) else str(text))
    if template is None:
        raise SheetError(
            f'{where}: "{text}" is not one of SSv2\'s 174 templates; correct it, or leave it out and let '
            "the caption decide."
        )
    return template


def _placeholder_objects(placeholders: Any, template: Template | None, where: str) -> list[str]:
    if not isinstance(placeholders, list) or not all(isinstance(name, str) for name in placeholders):
        raise SheetError(f'{where}: "placeholders" must be a list of the objects\' names, as in SSv2.')
    if template is None:
        return placeholders
    return [placeholders[i] for i in template.object_placeholders if i < len(placeholders)]


def _understand(
    caption: str, labels: Sequence[str], objects: Sequence[str], template: Template | None, where: str
) -> tuple[list[str], Match, Template | None]:
    """(objects in the order in which the caption names them, what it asks for, template)."""
    spans = find_objects(caption, labels)
    absent = [label for label, span in zip(labels, spans, strict=True) if span is None]
    uncovers = normalise(caption).startswith("uncover") or (template and template.family == "uncover")
    if absent and not (uncovers and len(absent) == 1 and len(labels) == 2):
        # Only what is uncovered stands in SSv2's captions, never the cover.
        raise SheetError(
            f'{where}: the object "{absent[0]}" does not stand in the caption "{caption}"; '
            "name the objects as the caption does."
        )
    places = [span[0] if span else len(caption) for span in spans]
    ordered = [objects[i] for i in sorted(range(len(objects)), key=lambda i: (places[i], i))]
    if template is None:
        found = match_caption(caption, labels)
        if found is None:
            raise SheetError(
                f'{where}: the caption "{caption}" fits no task family (understood: '
                f"{understood(caption, labels)}); word it as in SSv2 "
                '("lifting cup up", "putting cup next to box") or add a template.'
            )
        match = found
        if match.refusal:
            raise SheetError(f'{where}: the caption "{caption}" cannot be done: {match.refusal}.')
        template = match.template
    else:
        match = Match(template.family, "", template)
    if len(objects) != N_OBJECTS[match.family]:
        raise SheetError(f"{where}: {_wrong_number(match.family, template, len(objects))}")
    return ordered, match, template


def _wrong_number(family: str, template: Template | None, given: int) -> str:
    need = N_OBJECTS[family]
    what = f'the template "{template.text}"' if template else f'the family "{family}"'
    if family == "uncover" and given == 1:
        return f"{what} needs 2 objects, what is uncovered and its cover, and the row names 1; name both."
    objects = "1 object" if need == 1 else f"{need} objects"
    return f"{what} is about {objects} and the row names {given}; name exactly those."


def _identifiers(labels: Sequence[str]) -> tuple[str, ...]:
    """Unique identifiers [a-z0-9_] for object names: "Red cup" -> red_cup; like names are numbered."""
    names: list[str] = []
    for label in labels:
        ascii_label = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
        base = re.sub(r"[^a-z0-9]+", "_", ascii_label).strip("_")[:40].strip("_") or "object"
        if base in RESERVED_NAMES:
            base += "_object"
        name, number = base, 1
        while name in names:
            number += 1
            name = f"{base}_{number}"
        names.append(name)
    return tuple(names)


def _keyed(
    values: Mapping[str, Any] | None, labels: Sequence[str], objects: Sequence[str], column: str, where: str
) -> dict[str, Any]:
    """A JSON cell keyed by identifier instead of by name as given (or by identifier already)."""
    keyed: dict[str, Any] = {}
    identifiers = {
        normalise(label): name for label, name in zip(reversed(labels), reversed(objects), strict=True)
    }
    for key, value in (values or {}).items():
        name = key if key in objects else identifiers.get(normalise(key))
        if name is None:
            raise SheetError(
                f'{where}: "{column}" names the unknown object "{key}"; the row has {", ".join(labels)}.'
            )
        if name in keyed:
            raise SheetError(f'{where}: "{column}" names the object "{key}" twice; keep one of them.')
        keyed[name] = value
    return keyed


def _by_object(
    values: Mapping[str, Any] | None,
    kind: str,
    labels: Sequence[str],
    objects: Sequence[str],
    column: str,
    where: str,
) -> dict[str, dict[str, Any]]:
    """Boxes or points by identifier, each with the frame it was drawn in (the clip's first unless stated);
    boxes on further frames of a list under "also"."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in _keyed(values, labels, objects, column, where).items():
        if isinstance(value, dict):
            found[name] = {"frame": 0, **value}
        elif isinstance(value[0], dict):
            first, *others = [{"frame": 0, **one} for one in value]
            found[name] = {**first, "also": others}
        else:
            found[name] = {"frame": 0, kind: value}
    return found
