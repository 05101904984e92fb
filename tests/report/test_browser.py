"""The page in a real browser: what it asks for, how it fits a phone, how a keyboard gets about."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.report import synthetic
from tests.report.browser import CHROMIUM, Browser, browser
from video2policy.report import build_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium: apt-get install chromium"),
]
TAB, SPACE = 9, 32


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("browser")
    good = synthetic.row("lift_cube", "lifting a cube", ["cube"])
    bad = synthetic.row("lost_ball", "rolling a ball " + "with_a_very_long_name" * 4, ["ball"])
    synthetic.write_trained(root, good)
    synthetic.write_clip(root, bad, stop="segment", reason="the ball is hidden")
    build_report(root, [good, bad], "v2p", root / "report.html")
    return root / "report.html"


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[Browser]:
    with browser(tmp_path / "profile") as one:
        yield one


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_loads_nothing_and_complains_of_nothing(
    page: Path, chromium: Browser, width: int, dark: bool, tmp_path: Path
) -> None:
    chromium.open(page, width, dark=dark)
    chromium.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width
    chromium.screenshot(tmp_path / "page.png")
    requests = [
        e["params"]["request"]["url"] for e in chromium.events if e["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith("data:")] == [page.as_uri()]
    complaints = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
    assert not [event for event in chromium.events if event["method"] in complaints]
    broken = "[...document.images].filter(one => !one.naturalWidth).length"
    assert chromium.evaluate("document.images.length") > 5 and chromium.evaluate(broken) == 0


def test_videos_play(page: Path, chromium: Browser) -> None:
    chromium.open(page, 1280)
    chromium.evaluate("for (const one of document.querySelectorAll('video')) one.play()")
    seconds = "[...document.querySelectorAll('video')].map(one => one.error ? -1 : one.duration)"
    chromium.send("Runtime.evaluate", expression="new Promise(r => setTimeout(r, 1500))", awaitPromise=True)
    durations = chromium.evaluate(seconds)
    assert len(durations) == 3 and all(one is not None and one > 0.5 for one in durations), durations


def test_the_filter_works_by_keyboard(page: Path, chromium: Browser) -> None:
    chromium.open(page, 1280)
    shown = "[...document.querySelectorAll('article')].filter(one => one.offsetParent).map(one => one.id)"
    assert chromium.evaluate(shown) == ["clip-lift_cube", "clip-lost_ball"]
    chromium.press("Tab", TAB)
    assert chromium.evaluate("document.activeElement.className") == "skip"
    chromium.press("Tab", TAB)
    assert chromium.evaluate("document.activeElement.id") == "show-all"
    for _ in range(2):
        chromium.press("ArrowRight", 39)
    assert chromium.evaluate("document.activeElement.id") == "show-stopped"
    assert chromium.evaluate(shown) == ["clip-lost_ball"]


def test_tab_reaches_every_link_and_scrolling_region(page: Path, chromium: Browser) -> None:
    chromium.open(page, 1280)
    reachable = "[...document.querySelectorAll('a[href], summary, [tabindex=\"0\"]')]"
    chromium.evaluate(f"window.todo = new Set({reachable}.filter(one => one.checkVisibility()))")
    wanted = chromium.evaluate("todo.size")
    assert wanted > 20
    for _ in range(3 * wanted):
        chromium.press("Tab", TAB)
        chromium.evaluate("todo.delete(document.activeElement)")
        if chromium.evaluate("todo.size") == 0:
            break
    assert chromium.evaluate("[...todo].map(one => one.outerHTML.slice(0, 80))") == []
