"""The whole report, from synthetic results: the overview and the page of every clip."""

import base64
import hashlib
import itertools
import json
import re
from pathlib import Path

import pytest

from tests.report import synthetic
from tests.report.outline import Outline
from video2policy.report import build_index, build_page

LIFT = synthetic.row("lift_cube", "lifting a cube", ["cube"])
NEXT = synthetic.row("mug_next", "putting a mug next to a cube", ["mug", "cube"])
LOST = synthetic.row("lost_ball", "rolling a ball", ["ball"])
GONE = synthetic.row("not_begun", "pushing a box", ["box"])
ROWS = [LIFT, NEXT, LOST, GONE]
REASON = "the ball is hidden in 21 of 24 frames"
ATTACK = '"><script>alert(1)</script><img src=http://example.org/x onerror=alert(2)>'


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report") / "results"
    synthetic.write_trained(root, LIFT)
    half = synthetic.write_clip(root, NEXT)
    synthetic.write_task(half / "v2p")
    synthetic.write_rounds(half / "v2p", [[0.1, 0.3]])
    synthetic.write_clip(root, LOST, stop="segment", reason=REASON)
    synthetic.write_failed(half / "v2p", 0, 2)
    synthetic.write_generalist(root, "lift_cube")
    synthetic.write_ledger(root / "ledger.tsv")
    synthetic.write_report(root, ROWS)
    return root


@pytest.fixture(scope="module")
def index(results: Path) -> str:
    return (results / "report.html").read_text()


@pytest.fixture(scope="module")
def pages(results: Path) -> dict[str, str]:
    """Every page of the report by its path below results/."""
    files = [results / "report.html", *sorted(results.glob("report/*/index.html"))]
    return {str(path.relative_to(results)): path.read_text() for path in files}


def page(pages: dict[str, str], row: dict) -> Outline:
    return Outline(pages[f"report/{row['video']}/index.html"])


def test_every_clip_has_its_verdict_in_words(index: str, pages: dict[str, str]) -> None:
    text = Outline(index).text
    assert f"stopped at segment: {REASON}" in text
    assert "best generated success so far 0.30, policy not judged yet" in text
    assert "not started" in text
    assert "policy trained, success 0.93 [0.90, 0.96]" in page(pages, LIFT).text


def test_links_and_files_lead_somewhere_and_ids_are_unique(results: Path, pages: dict[str, str]) -> None:
    ids = {name: Outline(text).values("id") for name, text in pages.items()}
    for name, text in pages.items():
        assert len(ids[name]) == len(set(ids[name]))
        outline = Outline(text)
        links = outline.values("href") + outline.values("src") + outline.values("poster")
        assert links
        for link in links:
            path, _, mark = link.partition("#")
            target = (results / name).parent / path if path else results / name
            assert target.is_file(), link
            assert not mark or mark in ids[str(target.resolve().relative_to(results.resolve()))], link


def test_nothing_is_fetched_and_no_script_runs_but_the_own(results: Path, pages: dict[str, str]) -> None:
    for name, text in pages.items():
        outline = Outline(text)
        assert not {tag for tag, _ in outline.tags} & {"iframe", "object", "link", "base"}
        assert "default-src 'none'" in text and not re.search(r"url\(|@import|https?:", text)
        scripts = [attributes for tag, attributes in outline.tags if tag == "script"]
        if name == "report.html":
            (own,) = re.findall(r"<script>(.*?)</script>", text, re.S)
            digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
            assert scripts == [{}] and f"script-src 'sha256-{digest}'" in text
        else:
            assert {one.get("src", "") for one in scripts} <= {"viewer.js", ""}
            assert all(one.get("type") == "application/json" for one in scripts if "src" not in one)
            assert "script-src 'self' file:\"" in text


def test_headings_never_skip_a_level(pages: dict[str, str]) -> None:
    for text in pages.values():
        levels = [int(tag[1]) for tag, _ in Outline(text).tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_what_can_scroll_can_be_reached_and_pictures_have_words(pages: dict[str, str]) -> None:
    for tag, attributes in [tag for text in pages.values() for tag in Outline(text).tags]:
        if tag == "pre" or "scroll" in (attributes.get("class") or "").split():
            assert attributes.get("tabindex") == "0" and attributes.get("aria-label"), (tag, attributes)
        if tag == "img" and attributes.get("class") != "thumb":
            assert attributes.get("alt")
        if tag in ("video", "svg", "canvas"):
            assert attributes.get("aria-label")


def test_pictures_and_films_are_loaded_when_they_are_seen(pages: dict[str, str]) -> None:
    tags = [tag for text in pages.values() for tag in Outline(text).tags]
    assert {a.get("loading") for tag, a in tags if tag == "img"} == {"lazy"}
    assert {a.get("preload") for tag, a in tags if tag == "video"} == {"none"}


def test_code_curves_feedback_and_verdicts_are_shown(pages: dict[str, str]) -> None:
    lift, half = page(pages, LIFT), page(pages, NEXT)
    assert "# clearly off the table" in lift.text
    assert "its success flips on the clip" in lift.text
    assert "the learned model needs a GPU" in lift.text
    curves = [a for tag, a in lift.tags if tag == "polyline" and "curve" in (a.get("class") or "")]
    assert len(curves) == 2 * 9  # success and return
    assert sum("best" in (a["class"] or "").split() for a in curves) == 2 * 3  # one best a round
    assert ("b", {}) not in lift.tags  # HTML in feedback.md stays text
    assert "<b>lift</b>" in lift.text
    assert "failed: KeyError: 'cup_pos'" in half.text
    assert "better than doing nothing passed 0.93 against 0.00" in lift.text
    assert "seeds agree failed 0.99 and 0.71" in lift.text


def test_the_changes_along_the_lineage_are_shown(pages: dict[str, str]) -> None:
    text = page(pages, LIFT).text
    assert "From round 0 sample 1 (0.42) to round 1 sample 1 (0.95)" in text
    assert "- # round 0 sample 1" in text and "+ # round 1 sample 1" in text
    assert "From round 1 sample 1 (0.95) to round 2 sample 2 (0.97)" in text


def test_the_overview_has_yields_stages_costs_and_the_generalist(index: str) -> None:
    text = Outline(index).text
    assert "segment a mask per frame and object 3 2 67%" in text
    assert "lift_cube some-model 2 1900 500 8700 0.0240" in text
    assert "0.61 [0.50, 0.70]" in text
    rows = {
        match[1]: re.findall(r'<td class="(\w+)"', match[0])
        for match in re.finditer(r'<th scope="row" title="[^"]*"><a [^>]*>(\w+)</a></th>\n.*', index)
    }
    assert rows["lost_ball"][:4] == ["done", "done", "stopped", "none"]
    assert rows["lift_cube"][:8] == ["done"] * 8 and set(rows["not_begun"]) == {"none"}


def test_what_stages_took_is_summed(pages: dict[str, str]) -> None:
    text = page(pages, NEXT).text
    assert "segment 2 5.0 300 MB" in text  # one job for each of its two objects


def test_without_clip_pixels_only_what_is_rendered_remains(results: Path, tmp_path: Path) -> None:
    build_page(results, LIFT, "v2p", tmp_path, clip_pixels=False)
    text = (tmp_path / "index.html").read_text()
    outline = Outline(text)
    assert not [tag for tag, _ in outline.tags if tag == "img"]
    assert len([tag for tag, _ in outline.tags if tag == "video"]) == 1
    assert "pixels are left out" in outline.text
    assert {path.name for path in tmp_path.iterdir()} == {
        *("index.html", "viewer.js", "rollout.mp4", "rollout.jpg", "thumb.jpg")
    }
    data = json.loads(re.findall(r'id="scene-data">(.*?)</script>', text, re.S)[0])
    assert [one["colours"] for one in data["objects"]] == [[]]  # a mesh has the clip's colours


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    row = synthetic.row("evil", ATTACK, ["thing"], [ATTACK])
    folder = synthetic.write_clip(tmp_path, row, better=ATTACK)
    synthetic.write_task(folder / "v2p", code=f"# </code></pre>{ATTACK}\n")
    synthetic.write_json(folder / "v2p" / "task" / "pick.json", {"reason": ATTACK, "picked": 0})
    synthetic.write_rounds(folder / "v2p", [[0.5], [0.7]])
    synthetic.write_policy(folder / "v2p")
    evil = {"success_rate": 0.5, "verdicts": [{"name": ATTACK, "passed": ATTACK, "message": ATTACK}]}
    synthetic.write_json(folder / "v2p" / "policy" / "eval.json", evil)
    feedback = f"{ATTACK}\n\n![x](http://example.org/a.png) [y](javascript:alert(3)) <http://example.org>\n"
    (folder / "v2p" / "reward" / "0" / "feedback.md").write_text(feedback)
    (folder / "v2p" / "reward" / "1" / "0" / "reward.py").write_text(f"# {ATTACK}\n")
    (folder / "masks" / "thing.png").rename(folder / "masks" / "<script>alert(4).png")
    synthetic.write_ledger(tmp_path / "ledger.tsv", job=ATTACK.replace("/", ""))
    synthetic.write_report(tmp_path, [row])
    build_index(tmp_path, [row], ATTACK.replace("/", ""), tmp_path / "other.html")
    for name in ("other.html", "report.html", "report/evil/index.html"):
        outline = Outline((tmp_path / name).read_text())
        scripts = [attributes for tag, attributes in outline.tags if tag == "script"]
        assert all(set(one) <= {"src", "type", "id", "defer"} for one in scripts) and len(scripts) < 3
        assert not outline.values("onerror")
        assert not [url for url in outline.values("src") + outline.values("href") if ":" in url]
        assert "<script>alert(1)</script>" in outline.text


@pytest.mark.parametrize(
    "name", ["clip.json", "scene.json", "v2p/reward/0/best/best.json", "v2p/policy/eval.json"]
)
@pytest.mark.parametrize("content", ["", "{", "[1]", "rejected: too dark\n"])
def test_a_broken_artifact_is_named_and_never_fatal(tmp_path: Path, name: str, content: str) -> None:
    path = synthetic.write_trained(tmp_path, LIFT) / name
    path.write_text(content)
    synthetic.write_report(tmp_path, [LIFT], clip_pixels=False)
    text = Outline((tmp_path / "report" / "lift_cube" / "index.html").read_text()).text
    assert (f"videos/lift_cube/{name} is not" in text) == (content in ("{", "[1]"))


def test_any_missing_file_leaves_a_page(tmp_path: Path) -> None:
    folder = synthetic.write_clip(tmp_path, LIFT)
    synthetic.write_task(folder / "v2p", candidates=1)
    synthetic.write_rounds(folder / "v2p", [[0.1, 0.4]])
    synthetic.write_policy(folder / "v2p")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.parent.name != "frames")
    kept = {path: path.read_bytes() for path in files}
    for path in files:
        path.unlink()
        synthetic.write_report(tmp_path, [LIFT], clip_pixels=False)
        Outline((tmp_path / "report" / "lift_cube" / "index.html").read_text())
        path.write_bytes(kept[path])


def test_no_clip_at_all_is_a_page(tmp_path: Path) -> None:
    synthetic.write_report(tmp_path, [])
    assert "no clip" in Outline((tmp_path / "report.html").read_text()).text
