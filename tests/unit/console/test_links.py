from urllib.parse import urljoin

import pytest

from image_classifier.console.links import relative


@pytest.mark.parametrize("page", ["/", "/data", "/jobs/one", "/jobs/one/result/labels", "/data/key/images"])
@pytest.mark.parametrize("target", ["/", "/data", "/data/key", "/jobs/one?page=2#log", "/jobs/a:b", "/jobs"])
def test_relative_links_lead_to_their_target_below_any_prefix(page: str, target: str) -> None:
    """Given two pages, behind a proxy's prefix or not -> the relative link of one leads to the other."""
    for prefix in ("", "/user/proxy/8000"):
        base = f"https://host{prefix}"
        assert urljoin(base + page, relative(target, page)) == base + target
