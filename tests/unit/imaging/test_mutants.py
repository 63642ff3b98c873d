"""Corrupt images of every form, decoded by both versions of `imaging`: one outcome, of bounded cost."""

from random import Random

import pytest

from image_classifier import imaging
from image_classifier.contract import imaging_versions
from tests.benchmarks.fuzz import damages, decoding, originals
from tests.unit.imaging.samples import encode, photograph


@pytest.mark.parametrize("count", [400, pytest.param(8_000, marks=pytest.mark.every)])
def test_mutants_have_one_outcome_of_bounded_cost(count: int) -> None:
    """Given seeded mutants of every form -> pixels or a rejection, the same by each version, both ways reached."""
    found = decoding.run(count, seed=3)
    assert found.faults == []
    for version in imaging_versions.VERSIONS:
        for way in ("simplejpeg", "Pillow"):
            for outcome in ("pixels", "corrupt"):
                assert found.counts[f"version {version}, {way}: {outcome}"] > 2, (version, way, outcome)


def test_other_pixels_than_pillows_are_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given a decoder that accepts a corrupt file as it lies in memory -> the campaign names the inputs."""
    from image_classifier.imaging import libjpeg_turbo

    right = libjpeg_turbo.decode

    def wrong(content: bytes, size: tuple[int, int], scale: int) -> object:
        pixels = right(content, size, scale)
        return pixels if pixels is None else pixels[::-1]

    monkeypatch.setattr(libjpeg_turbo, "decode", wrong)
    assert any("other pixels than Pillow's" in fault for fault in decoding.run(150, seed=3).faults)


@pytest.mark.parametrize("form", ["baseline", "progressive"])
@pytest.mark.parametrize("version", imaging_versions.VERSIONS)
def test_jpeg_cut_at_any_marker_is_corrupt(form: str, version: int) -> None:
    """Given a JPEG that ends before, within or behind each marker but the last -> rejected as corrupt."""
    data = encode(photograph(52, 70), "JPEG", progressive=form == "progressive")
    markers = [at for at in range(3, len(data) - 2) if data[at] == 0xFF and data[at + 1] not in (0x00, 0xFF)]
    assert len(markers) > 6
    for at in markers:
        for more in (0, 1, 2, 4):
            with pytest.raises(imaging.ImageRejected) as raised:
                imaging.load_pixels(data[: at + more], (16, 16), version=version)
            assert raised.value.code == imaging.CORRUPT


@pytest.mark.parametrize("form", originals.unusual_jpegs(encode(photograph(52, 70), "JPEG")))
@pytest.mark.parametrize("version", imaging_versions.VERSIONS)
def test_unusual_jpegs_are_answered_or_rejected(form: str, version: int) -> None:
    """Given frames of arithmetic codes, 12 bits, lossless and others -> pixels or a rejection, also with damages."""
    data = originals.unusual_jpegs(encode(photograph(52, 70), "JPEG"))[form]
    random, outcomes = Random(5), []
    for content in (data, *(damage(data, random) for damage in damages.DAMAGES.values())):
        try:
            pixels = imaging.load_pixels(content, (16, 16), version=version)
        except imaging.ImageRejected as rejection:
            outcomes.append(rejection.code)
        else:
            outcomes.append(str(pixels.shape))
    assert set(outcomes) <= {imaging.CORRUPT, imaging.TOO_LARGE, imaging.UNSUPPORTED, imaging.EMPTY, "(16, 16, 3)"}
