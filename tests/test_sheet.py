"""Sample sheets: what is read, and one clear sentence for everything that can be wrong."""

import cProfile
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from video2policy.families import TEMPLATES
from video2policy.sheet import SheetError, read_sheet

HEADER = "video\tclip\tcaption\tobjects"
CLIPS = Path(__file__).parents[2] / "shared" / "clips"
Write = Callable[..., Path]


@pytest.fixture
def tsv(tmp_path: Path) -> Write:
    """Writes a sheet of the given lines (default header first) beside a clip `c.mp4`."""
    (tmp_path / "c.mp4").write_bytes(b"clip")
    (tmp_path / "d.mp4").write_bytes(b"clip")

    def write(*lines: str, header: str = HEADER) -> Path:
        path = tmp_path / "videos.tsv"
        path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture
def labels(tmp_path: Path) -> Write:
    """Writes an SSv2 list of rows, with a clip in a subfolder for each."""

    def write(*rows: Any, clips: bool = True) -> Path:
        (tmp_path / "webm").mkdir(exist_ok=True)
        for row in rows:
            if clips and isinstance(row, dict) and "id" in row:
                (tmp_path / "webm" / f"{row['id']}.webm").write_bytes(b"clip")
        path = tmp_path / "labels.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
        return path

    return write


def ssv2(id: str, template: int, *names: str, **more: Any) -> dict[str, Any]:
    text = TEMPLATES[template].text
    label = text.lower()
    for name in names:
        label = label.replace("[something]", name, 1)
    return {"id": id, "label": label, "template": text, "placeholders": list(names)} | more


def test_a_full_row(tsv: Write, tmp_path: Path) -> None:
    header = HEADER + "\ttemplate\tboxes\tpoints\tsizes\tcamera\tsplit"
    path = tsv(
        "\t".join(
            [
                "cup_1",
                "c.mp4",
                "covering Yellow ball with red cup",
                "yellow ball; red cup",
                "Covering something with something",
                '{"yellow ball": [1, 2, 3, 4], "red cup": {"frame": 12, "box": [0, 0, 9.5, 9]}}',
                '{"red_cup": [[1, 2], [3, 4]]}',
                '{"red cup": 0.12, "yellow ball": [0.03, 0.03, 0.03]}',
                '{"fov": 50}',
                "train",
            ]
        ),
        header=header,
    )
    (row,) = read_sheet(path)
    assert (row.video, row.clip, row.objects) == ("cup_1", tmp_path / "c.mp4", ("yellow_ball", "red_cup"))
    assert (row.family, row.family_source, row.template_id) == ("cover", "template", 6)
    assert row.roles == {"a": "red_cup", "b": "yellow_ball"}
    assert row.boxes == {
        "yellow_ball": {"frame": 0, "box": [1, 2, 3, 4]},
        "red_cup": {"frame": 12, "box": [0, 0, 9.5, 9]},
    }
    assert row.points == {"red_cup": {"frame": 0, "points": [[1, 2], [3, 4]]}}
    assert row.sizes == {"red_cup": 0.12, "yellow_ball": [0.03, 0.03, 0.03]}
    assert (row.camera, row.split) == ({"fov": 50}, "train")
    assert json.loads(json.dumps(row.to_dict()))["clip"] == str(tmp_path / "c.mp4")


def test_boxes_on_several_frames(tsv: Write) -> None:
    boxes = '{"cube": [{"frame": 3, "box": [1, 2, 3, 4]}, {"frame": 9, "box": [5, 6, 7, 8]}]}'
    (row,) = read_sheet(tsv(f"x\tc.mp4\tlifting cube up\tcube\t{boxes}", header=HEADER + "\tboxes"))
    later = {"frame": 9, "box": [5, 6, 7, 8]}
    assert row.boxes == {"cube": {"frame": 3, "box": [1, 2, 3, 4], "also": [later]}}
    with pytest.raises(SheetError, match="has no area"):
        read_sheet(
            tsv(f"x\tc.mp4\tlifting cube up\tcube\t{boxes.replace('7', '5')}", header=HEADER + "\tboxes")
        )


def test_what_is_chosen_by_itself_can_be_given(tsv: Write, tmp_path: Path) -> None:
    (tmp_path / "cup").mkdir()
    (tmp_path / "cup" / "0.png").write_bytes(b"png")
    (tmp_path / "ball.stl").write_bytes(b"solid")
    shapes = '{"ball": {"mesh": "ball.stl", "mass": 0.05, "frame": 3}, "cup": "frustum"}'
    path = tsv(
        "x\tc.mp4\tcovering ball with cup\tball;cup\t"
        f'{{"cup": "cup"}}\t{shapes}\t{{"roll": -2}}\tsegment; caption',
        header=HEADER + "\tmasks\tshapes\tcamera\taccept",
    )
    (row,) = read_sheet(path)
    assert row.masks == {"cup": str(tmp_path / "cup")}
    ball = {"mesh": str(tmp_path / "ball.stl"), "mass": 0.05, "frame": 3}
    assert row.shapes == {"ball": ball, "cup": {"kind": "frustum"}}
    assert (row.camera, row.accept) == ({"roll": -2}, ("segment", "caption"))
    json.dumps(row.to_dict())


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("masks", '{"cube": "none"}', 'the masks "none" does not exist'),
        ("shapes", '{"cube": "teapot"}', '"shapes" must map objects to a kind'),
        ("shapes", '{"cube": {"mesh": "none.obj"}}', 'the mesh "none.obj" does not exist'),
        ("shapes", '{"cube": {}}', '"shapes" must map'),
        ("shapes", '{"cube": {"mass": 0}}', '"shapes" must map'),
        ("shapes", '{"cube": {"mass": 1e-30}}', "0.0001 to 20"),
        ("accept", "ground", '"accept" must name gates'),
        ("camera", '{"roll": 90}', "roll"),
    ],
)
def test_what_is_given_wrongly_is_refused_in_one_sentence(
    tsv: Write, column: str, cell: str, message: str
) -> None:
    with pytest.raises(SheetError, match=message):
        read_sheet(tsv(f"x\tc.mp4\tlifting cube up\tcube\t{cell}", header=f"{HEADER}\t{column}"))


def test_objects_in_another_order_than_the_caption_take_their_roles_from_it(tsv: Write) -> None:
    (row,) = read_sheet(tsv("x\tc.mp4\tputting mug next to cube\tcube;mug"))
    assert row.objects == ("cube", "mug")
    assert row.roles == {"a": "mug", "b": "cube"}


def test_like_and_reserved_and_foreign_names_get_identifiers(tsv: Write) -> None:
    rows = read_sheet(
        tsv(
            "x\tc.mp4\tputting cup next to cup\tcup;cup",
            "y\tc.mp4\tlifting Crème brûlée up\tCrème brûlée",
            "z\tc.mp4\tlifting 茶碗 up\t茶碗",
            "w\tc.mp4\tlifting table up\ttable",
        )
    )
    assert [r.objects for r in rows] == [("cup", "cup_2"), ("creme_brulee",), ("object",), ("table_object",)]


def test_spreadsheet_habits_are_read(tmp_path: Path) -> None:
    """A byte-order mark, CR LF, quoted JSON cells and blank lines."""
    (tmp_path / "c.mp4").write_bytes(b"clip")
    path = tmp_path / "videos.tsv"
    path.write_bytes(
        b"\xef\xbb\xbf"
        + (HEADER + '\tsizes\r\n\r\nx\tc.mp4\tlifting cube up\tcube\t"{""cube"": 0.05}"\r\n').encode()
    )
    (row,) = read_sheet(path)
    assert row.sizes == {"cube": 0.05}


def test_empty_cells_at_the_end_are_none(tsv: Write) -> None:
    for head, tail in (("", "\t"), ("\t", ""), ("\t\t", "\t")):
        assert len(read_sheet(tsv(LIFT + tail, header=HEADER + head))) == 1


def test_an_accent_may_be_typed_by_itself(tsv: Write) -> None:
    (row,) = read_sheet(tsv("x\tc.mp4\tlifting cafe\u0301 up\tcaf\u00e9"))
    (typed,) = read_sheet(tsv("x\tc.mp4\tlifting caf\u00e9 up\tcafe\u0301"))
    assert row.labels == typed.labels == ("caf\u00e9",)
    assert row.family == typed.family == "lift"


def test_an_image_folder_is_a_clip(tsv: Write, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0.png").write_bytes(b"png")
    (row,) = read_sheet(tsv("x\tframes\tlifting cube up\tcube"))
    assert row.clip == tmp_path / "frames"


@pytest.mark.parametrize("name", ["{video}.mp4", "a}.mp4", "{x}/c.mp4", "results/demo/{x}.mp4"])
def test_a_path_with_braces_is_refused(tsv: Write, tmp_path: Path, name: str) -> None:
    """Snakemake would take it for a pattern."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"clip")
    with pytest.raises(SheetError, match=r'line 2: the path of the clip ".*" holds { or }; rename it'):
        read_sheet(tsv(f"x\t{name}\tlifting cube up\tcube"))


def test_masks_and_clips_found_by_their_id_are_refused_likewise(tsv: Write, tmp_path: Path) -> None:
    (tmp_path / "{").mkdir()
    (tmp_path / "{" / "0.png").write_bytes(b"png")
    with pytest.raises(SheetError, match="the path of the masks"):
        read_sheet(tsv(LIFT + '\t{"cube": "{"}', header=HEADER + "\tmasks"))
    (tmp_path / "{" / "1.webm").write_bytes(b"clip")
    (tmp_path / "labels.json").write_text(json.dumps([ssv2("1", 93, "cup")]))
    with pytest.raises(SheetError, match="the path of the clip"):
        read_sheet(tmp_path / "labels.json")


def test_what_macos_leaves_beside_images_is_none_of_them(tsv: Write, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "._0.png").write_bytes(b"fork")
    path = tsv("x\tframes\tlifting cube up\tcube")
    with pytest.raises(SheetError, match="holds no images"):
        read_sheet(path)
    (tmp_path / "frames" / "0.TIF").write_bytes(b"tif")
    assert read_sheet(path)[0].clip == tmp_path / "frames"


def test_what_may_not_be_read_is_said(
    tsv: Write, labels: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SheetError, match=r"the clip .* cannot be read: File name too long"):
        read_sheet(tsv(f"x\t{'a' * 300}.mp4\tlifting cube up\tcube"))
    path = labels(ssv2("1", 93, "cup"))
    (tmp_path / "lost+found").mkdir()
    scan, denied = os.scandir, PermissionError(13, "Permission denied")

    def scandir(folder: Path) -> Any:
        if folder.name == "lost+found":
            raise denied
        return scan(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    assert read_sheet(path)[0].clip == tmp_path / "webm" / "1.webm", "others' folders are passed over"
    monkeypatch.setattr(Path, "read_bytes", lambda path: (_ for _ in ()).throw(denied))
    with pytest.raises(SheetError, match=r"labels\.json cannot be read: Permission denied"):
        read_sheet(path)


def test_demo_clips_need_not_exist(tsv: Write) -> None:
    (row,) = read_sheet(tsv("x\tresults/demo/lift.mp4\tlifting cube up\tcube"))
    assert row.clip == Path("results/demo/lift.mp4")


LIFT = "x\tc.mp4\tlifting cube up\tcube"
WRONG = [
    # (lines after the header, extra columns, words that the message must hold)
    (
        ["x\tnone.mp4\tlifting cube up\tcube"],
        "",
        ["line 2", "none.mp4", "does not exist", "relative to the sheet"],
    ),
    (["x\tresults/demo/../c\tlifting cube up\tcube"], "", ["does not exist"]),
    ([LIFT, LIFT], "", ["line 3", '"x"', "duplicate of line 2"]),
    ([LIFT, LIFT.replace("c.mp4", "d.mp4")], "", ["line 3", '"x"', "another clip"]),
    ([LIFT + '\t{"ball": [0, 0, 1, 1]}'], "boxes", ["line 2", '"boxes"', 'unknown object "ball"', "cube"]),
    ([LIFT + '\t{"ball": [[0, 1]]}'], "points", ['"points"', 'unknown object "ball"']),
    ([LIFT + '\t{"ball": 0.1}'], "sizes", ['"sizes"', 'unknown object "ball"']),
    (["x\tc.mp4\tlifting cube up\tball"], "", ["line 2", '"ball"', "does not stand in the caption"]),
    (["x\tc.mp4\tdancing around cube\tcube"], "", ["line 2", "fits no task family", "dancing"]),
    (["x\tc.mp4\tpretending to lift cube\tcube"], "", ["cannot be done", "pretends"]),
    ([LIFT + "\tSqueezing [something]"], "template", ["template 143", "not for this system", "deformable"]),
    ([LIFT + "\tOpening [something]"], "template", ["template 46", "jointed object"]),
    ([LIFT + "\tSomething [new]"], "template", ["174 templates", "Something [new]"]),
    ([LIFT + "\tPutting [something] next to [something]"], "template", ["2 objects", "names 1"]),
    (["x\tc.mp4\tlifting cube near mug\tcube;mug"], "", ["1 object", "names 2"]),
    (["x\tc.mp4\tuncovering cube\tcube"], "", ["2 objects", "its cover"]),
    ([LIFT.replace("x", "a.b", 1)], "", ["line 2", "the id", "a-z", '"a.b"']),
    ([LIFT.replace("x", "a/b", 1)], "", ["the id", '"a/b"']),
    ([LIFT.replace("x", "..", 1)], "", ["the id"]),
    ([LIFT.replace("x", "Cup", 1)], "", ["the id", "a-z"]),
    ([LIFT.replace("x", "_cup", 1)], "", ["the id", "start with a letter"]),
    ([LIFT.replace("x", "a" * 65, 1)], "", ["the id", "64"]),
    ([LIFT.replace("x", "", 1)], "", ["line 2", '"video" is empty']),
    (["x\tc.mp4\tlifting cube up\t"], "", ['"objects" is empty']),
    (["x\tc.mp4\tlifting cube up\tcube;"], "", ['"objects" must name']),
    (["x\tc.mp4\tlifting cube up"], "", ["3 cells under 4 columns", "tabs"]),
    ([LIFT + "\t{cube: 1}"], "sizes", ["line 2", '"sizes" is not valid JSON']),
    ([LIFT + '\t{"cube": NaN}'], "sizes", ["not valid JSON", "NaN"]),
    ([LIFT + '\t{"cube": 1e999}'], "sizes", ["not valid JSON", "1e999 is too large"]),
    ([LIFT + '\t{"cube": 0.1, "cube": 0.2}'], "sizes", ["not valid JSON", '"cube" stands twice']),
    ([LIFT + "\t[1]"], "boxes", ['"boxes" must map objects']),
    ([LIFT + '\t{"cube": [5, 0, 5, 9]}'], "boxes", ['box of "cube" has no area', "x0 < x1"]),
    ([LIFT + '\t{"cube": [0, 9, 5, 2]}'], "boxes", ["no area"]),
    ([LIFT + '\t{"cube": [0, 9, 5]}'], "boxes", ['"boxes" must map objects']),
    ([LIFT + '\t{"cube": {"frame": -1, "box": [0, 0, 5, 5]}}'], "boxes", ['"boxes" must map objects']),
    ([LIFT + '\t{"cube": -0.1}'], "sizes", ['"sizes" must map', "metres"]),
    ([LIFT + '\t{"cube": [0.1, 0.00001, 0.1]}'], "sizes", ['"sizes" must map', "at least 0.0005"]),
    ([LIFT + '\t{"cube": 85}'], "sizes", ['"sizes" must map', "at most 2"]),
    ([LIFT + '\t{"fov": 500}'], "camera", ['"camera" must hold']),
    ([LIFT + '\t{"fow": 50}'], "camera", ['"camera" must hold']),
    ([LIFT + '\t{"fx": 1e300}'], "camera", ['"camera" must hold', "1 to 100000 pixels"]),
    ([LIFT + '\t{"fx": 500, "fov": 20}'], "camera", ["one of fov (vertical, 5 to 150 degrees) and fx"]),
    ([LIFT + "\tsome"], "split", ["train, validation, test, unseen_instance", '"some"']),
    ([LIFT + "\tx"], "colour", ["line 1", 'unknown column "colour"']),
    ([LIFT + "\tx"], "Split", ['unknown column "Split"; did you mean "split"']),
    ([LIFT + '\t{"cube": [0, 0, 5, 5], "Cube": [7, 7, 9, 9]}'], "boxes", ['object "Cube" twice']),
    (
        [LIFT + '\t{"cube": [{"box": [0, 0, 5, 5]}, {"frame": 0, "box": [7, 7, 9, 9]}]}'],
        "boxes",
        ['two boxes of "cube" are on one frame'],
    ),
    ([LIFT + '\t{"cube": {"mesh": "."}}'], "shapes", ['"." is a folder, not a mesh']),
    ([LIFT + "\tx"], "clip", ['"clip" stands twice']),
    ([LIFT + '\t"{'], "sizes", ["quote"]),
    ([], "", ["no rows"]),
]


@pytest.mark.parametrize(("lines", "columns", "words"), WRONG, ids=[" ".join(w[2])[:50] for w in WRONG])
def test_one_sentence_for_what_is_wrong(tsv: Write, lines: list[str], columns: str, words: list[str]) -> None:
    path = tsv(*lines, header=HEADER + (f"\t{columns}" if columns else ""))
    with pytest.raises(SheetError) as error:
        read_sheet(path)
    message = str(error.value)
    assert all(word in message for word in words), message
    assert "\n" not in message and message.endswith(".") and len(message) < 420
    assert str(path) in message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", ["empty"]),
        (b"  \n", ["empty"]),
        (HEADER.encode() + b"\nx\tc.mp4\tlifting caf\xe9 up\tcaf\xe9\n", ["line 2", "UTF-8"]),
        (b"video\tclip\tobjects\nx\ty\tz\n", ['column "caption" is missing']),
        (b"video,clip,caption,objects\n", ["separate them by tabs"]),
        (b"video;clip;caption;objects\n", ["separate them by tabs"]),
    ],
)
def test_broken_files(tmp_path: Path, data: bytes, words: list[str]) -> None:
    path = tmp_path / "videos.tsv"
    path.write_bytes(data)
    with pytest.raises(SheetError) as error:
        read_sheet(path)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_missing_sheet(tmp_path: Path) -> None:
    with pytest.raises(SheetError, match=r"none\.tsv does not exist.*--config videos"):
        read_sheet(tmp_path / "none.tsv")
    with pytest.raises(SheetError, match="is a folder; name a file that lists the clips"):
        read_sheet(tmp_path)


def test_ssv2_rows(labels: Write, tmp_path: Path) -> None:
    first = ssv2("78687", 107, "potato", "bottle")
    second = ssv2("42326", 160, "handle") | {
        "template": "Taking [something] from [somewhere]",
        "label": "taking Cup from shelf",
        "placeholders": ["Cup", "shelf"],
        "sizes": {"Cup": 0.1},
    }
    rows = read_sheet(labels(first, second))
    assert rows[0].roles == {"a": "potato", "b": "bottle"}
    assert rows[0].clip == tmp_path / "webm" / "78687.webm"
    assert (rows[1].family, rows[1].objects, rows[1].sizes) == ("lift", ("cup",), {"cup": 0.1})


def test_filters(labels: Write) -> None:
    path = labels(ssv2("1", 93, "cup"), ssv2("2", 94, "cup"), ssv2("3", 93, "box"), ssv2("4", 143, "lemon"))
    assert [r.video for r in read_sheet(path, ids=["3", "1"])] == ["1", "3"]
    assert [r.video for r in read_sheet(path, ids=[3])] == ["3"]
    assert [r.video for r in read_sheet(path, templates=[93])] == ["1", "3"]
    assert [r.video for r in read_sheet(path, templates=["pushing something from right to left"])] == ["2"]
    assert [r.video for r in read_sheet(path, templates=[93], limit=1)] == ["1"]
    with pytest.raises(SheetError, match="template 143"):
        read_sheet(path)
    with pytest.raises(SheetError, match='no row has the id "9"'):
        read_sheet(path, ids=["9"])
    with pytest.raises(SheetError, match="no row passes the filters"):
        read_sheet(path, templates=[27])
    with pytest.raises(SheetError, match="not one of SSv2's 174"):
        read_sheet(path, templates=["dancing"])


def test_an_id_that_looks_like_a_number(labels: Write) -> None:
    """The command line makes 1 of 001 and 100000.0 of 1e5."""
    path = labels(ssv2("001", 93, "cup"), ssv2("1e5", 93, "cup"))
    for number in (1, 1e5):
        with pytest.raises(
            SheetError, match=r"no row has the id .*looks like a number: write ids='\[\"001\"\]'"
        ):
            read_sheet(path, ids=[number])
    path = labels(ssv2("001", 93, "cup"), ssv2("1", 93, "cup"))
    with pytest.raises(SheetError, match='the id 1 that the config asks for may be "001" and "1"; an id'):
        read_sheet(path, ids=[1])
    assert [row.video for row in read_sheet(path, ids=["1"])] == ["1"]


def test_a_limit_passes_over_refused_templates(labels: Write, caplog: pytest.LogCaptureFixture) -> None:
    path = labels(ssv2("1", 143, "lemon"), ssv2("2", 93, "cup"), ssv2("3", 0, "box"), ssv2("4", 94, "box"))
    caplog.set_level("INFO", "video2policy")
    assert [r.video for r in read_sheet(path, limit=2)] == ["2", "4"]
    assert "passed over 2 rows" in caplog.text
    with pytest.raises(SheetError, match="template 143"):
        read_sheet(path, ids=["1"], limit=2)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"id": "100"}, ["row 1", "no label", "test list"]),
        ({"id": "../x", "label": "lifting cube up", "placeholders": ["cube"]}, ["the id"]),
        ({"id": "1", "label": "lifting cube up"}, ["placeholders"]),
        ({"id": "1", "label": "lifting cube up", "placeholders": [3]}, ["placeholders"]),
        ({"label": "lifting cube up"}, ["row 1", '"id"']),
        (["x"], ['"id"']),
        (ssv2("1", 93, "cup", size=1), ['unknown key "size"']),
        (ssv2("1", 171, "ball"), ["2 objects", "cover"]),
        (ssv2("1", 107, "ball"), ["2 objects"]),
        (ssv2("1", 93, "cup", label="pushing ball"), ['"cup"', "caption"]),
    ],
)
def test_wrong_ssv2_rows(labels: Write, row: Any, words: list[str]) -> None:
    with pytest.raises(SheetError) as error:
        read_sheet(labels(row))
    assert all(word in str(error.value) for word in words), str(error.value)


def test_clips_beside_a_list(labels: Write, tmp_path: Path) -> None:
    path = labels(ssv2("1", 93, "cup"), clips=False)
    with pytest.raises(SheetError, match=r"no clip named 1\.\*"):
        read_sheet(path)
    (tmp_path / "1.gif").write_bytes(b"clip")
    assert read_sheet(path)[0].clip == tmp_path / "1.gif"
    (tmp_path / "webm" / "1.mp4").write_bytes(b"clip")
    with pytest.raises(SheetError, match='two clips with the id "1"'):
        read_sheet(path)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[{", "not valid JSON"),
        ('[{"id": NaN}]', "NaN is no JSON number"),
        ("{}", "a JSON list"),
        ("[]", "no rows"),
    ],
)
def test_broken_lists(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(SheetError, match=word):
        read_sheet(path)


def test_work_grows_with_a_lists_length_and_no_faster(labels: Write) -> None:
    """SSv2 lists 169,000 clips. Calls are counted, since a machine's speed says nothing about the code."""

    def calls(length: int) -> int:
        path = labels(*(ssv2(str(n), n % 174, "cup", "box") for n in range(length)), clips=False)
        (path.parent / "93.webm").write_bytes(b"clip")
        with cProfile.Profile() as profile:
            (row,) = read_sheet(path, ids=["93"])
        assert row.family == "push_right"
        return sum(entry.callcount for entry in profile.getstats())

    calls(200)  # fills the caches
    short, long = calls(1_000), calls(5_000)
    assert long - short < 25 * 4_000


@pytest.mark.skipif(not CLIPS.exists(), reason="the real clips do not lie beside the repository")
def test_the_real_clips_list() -> None:
    rows = {row.video: row for row in read_sheet(CLIPS / "labels.json")}
    assert rows["cover_ball"].roles == {"a": "red_cup", "b": "yellow_ball"}
    assert {row.family for row in rows.values()} == {
        "cover",
        "push_right",
        "lift",
        "put_next",
        "put_front",
        "move_closer",
    }
