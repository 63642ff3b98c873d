"""The console's Models and Train screens in a browser: live code and mistakes, without an error and accessible."""

from collections.abc import Iterator

import pytest
from PIL import Image
from werkzeug.serving import make_server

from image_classifier.console.app import create_app
from image_classifier.console.datasets import known
from image_classifier.model_hub import packages
from tests.image import chromium, page_tools
from tests.image.chromium import Tab
from tests.support.consoles import ACCESS, make_console
from tests.support.web_servers import in_a_thread

WIDTHS = (360, 1280)
CLASSES = 200


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A browser on the Train screen of a console with 200 classes of one image, too few for a measurement to start."""
    folder = tmp_path_factory.mktemp("console")
    for number in range(CLASSES):
        path = folder / "photos" / f"class-{number:03}-{'long-name-' * 5}" / "0.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(path)
    console = make_console(folder)
    key = known.add(console.home, "photos", {"training": folder / "photos"}).key
    server = make_server("127.0.0.1", 0, create_app(console, ACCESS), threaded=True)
    address = f"http://127.0.0.1:{server.port}/train?data={key}&token={ACCESS.token}"
    with in_a_thread(server), pytest.MonkeyPatch.context() as patch:
        patch.setenv(packages.CACHE_VARIABLE, str(folder / "cache"))
        with chromium.opened(address, tmp_path_factory.mktemp("browser")) as opened:
            opened.wait_for("document.body.classList.contains('scripted')")
            yield opened
            assert opened.complaints() == []
            assert all(address.startswith("http://127.0.0.1") for address in opened.addresses())


def go(tab: Tab, path: str) -> None:
    """Open another page of the console."""
    tab.call("Page.navigate", url=tab.evaluate(f"new URL({path!r}, location.href).href"))
    tab.wait_for(f"document.readyState === 'complete' && location.href.endsWith({path!r})")


def write(tab: Tab, name: str, value: str) -> None:
    """Fill a field in as a user does who then looks elsewhere."""
    tab.evaluate(
        f"(() => {{ const one = document.getElementsByName({name!r})[0]; one.value = {value!r};"
        "one.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def test_code_and_address_follow_the_form(tab: Tab) -> None:
    """Given a typed value -> the same in code and the address have it without a reload; a wrong one its sentence."""
    write(tab, "batch_size", "16")
    tab.wait_for("document.getElementById('snippet').textContent.includes('batch_size=16')")
    assert "batch_size=16" in tab.evaluate("location.search")
    write(tab, "batch_size", "many")
    tab.wait_for("document.getElementById('field-batch_size-wrong').textContent.includes('batch_size is')")
    tab.evaluate("document.querySelector('[data-copy]').click()")
    tab.wait_for("/Copied|press Ctrl/.test(document.querySelector('[data-copy] + [role=status]').textContent)")
    write(tab, "batch_size", "")
    tab.wait_for("document.getElementById('field-batch_size-wrong').textContent === ''")


def test_options_follow_the_runner(tab: Tab) -> None:
    """Given SageMaker as the place -> its options and the price appear; given this machine again -> they are gone."""
    choose = "(one) => document.querySelector(`[name=runner][value=${one}]`).click()"
    tab.evaluate(f"({choose})('sagemaker')")
    tab.wait_for("document.getElementsByName('sagemaker.instance_type').length === 1")
    tab.wait_for("document.getElementById('price') !== null")
    assert "runner=sagemaker" in tab.evaluate("location.search")
    tab.evaluate(f"({choose})('local')")
    tab.wait_for("document.getElementsByName('sagemaker.instance_type').length === 0")
    assert tab.evaluate("document.getElementById('price')") is None
    assert tab.evaluate("document.querySelector('[name=runner]:checked').value") == "local"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "path",
    [
        "/train?runner=sagemaker&recipe=builtin&epochs=0&check=1",
        "/models",
        pytest.param("/models?search=zebra", marks=pytest.mark.every),
        pytest.param("/models/lite0", marks=pytest.mark.every),
        "/models/compare?model=lite0&model=efficientnet-b7",
    ],
)
def test_screens_are_accessible_and_fit(tab: Tab, path: str, scheme: str, width: int) -> None:
    """Given each screen, light and dark, wide and narrow -> axe-core finds nothing, and nothing is wider than it."""
    tab.look(width, scheme)
    go(tab, path)
    assert tab.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page_tools.accessibility_errors(tab) == []
