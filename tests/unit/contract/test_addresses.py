"""What is left of an address when it is shown, and what is not."""

import time

import pytest

from image_classifier.contract import addresses
from image_classifier.contract.errors import UserError, first_line, last_line, report_and_exit_code


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("https://host/m.tar.gz?X-Amz-Signature=hunter2", "https://host/m.tar.gz"),
        ("https://host/m.tar.gz#token=hunter2", "https://host/m.tar.gz"),
        ("https://host?sig=hunter2", "https://host"),
        ("https://user:hunter2@host:8443/m/1", "https://host:8443/m/1"),
        ("https://hunter2@host/m", "https://host/m"),
        ("https://user:hun/ter2@host/m", "https://host/m"),
        ("https://user:h@hunter2@host/m", "https://host/m"),
        ("https://user:?hunter2@host/m", "https://host/m"),
        ("HTTPS://user:hunter2@host/m", "HTTPS://host/m"),
        ("https:/host/m?sig=hunter2", "https:/host/m"),
        ("s3://bucket/key?X-Amz-Security-Token=hunter2", "s3://bucket/key"),
        ("Proxy http://user:hunter2@proxy:3128 rejected", "Proxy http://proxy:3128 rejected"),
        ("'https://h/p?sig=hunter2' cannot be read.", "'https://h/p' cannot be read."),
        ("https://h/p?sig=hunter2: 403; https://h/q?sig=hunter2, too", "https://h/p: 403; https://h/q, too"),
        ("(found at '/m.tar.gz?sig=hunter2')", "(found at '/m.tar.gz')"),
        ("host/m.tar.gz?X-Amz-Signature=hunter2 is nothing", "host/m.tar.gz is nothing"),
    ],
)
def test_secrets_of_an_address_are_not_shown(given: str, shown: str) -> None:
    """Signatures, tokens and passwords in any part of an address, alone or in a sentence -> the rest of it."""
    assert addresses.without_secrets(given) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("s3://bucket/a@b/c.tar.gz", "https://tfhub.dev/google/bit/1", "http://127.0.0.1:8080/a@b/invocations"),
        *("/opt/ml/model is empty. Is there 1 GB of memory?", "epochs=5; did you mean epochs?", "C:/a?"),
        *("training: 20 images of 2 classes (a 10, b 10)", "what? is=this", ""),
    ],
)
def test_other_texts_are_left_as_they_are(text: str) -> None:
    """Addresses and sentences without secrets -> unchanged."""
    assert addresses.without_secrets(text) == text


@pytest.mark.parametrize(
    "said",
    [
        "GET /m?X-Amz-Signature=hunter2%2Bx failed",
        "no hunter2+x",
        "nonnumeric port: 'hunter3@host'",
        "for user:hunter3",
    ],
)
def test_words_of_a_library_lose_the_secrets_of_what_was_asked(said: str) -> None:
    """An exception that quotes a part of an address, encoded or not -> neither password nor signature."""
    found = addresses.cut_out(said, "https://user:hunter3@host/m?X-Amz-Signature=hunter2%2Bx&a=1")
    assert "hunter" not in found


def test_address_that_cannot_be_taken_apart_is_no_error() -> None:
    """An address with a broken host -> the text without what looks like a secret."""
    assert addresses.cut_out("http://[::1?sig=hunter2", "http://[::1?sig=hunter2") == "http://[::1"


def test_time_grows_with_the_length_alone() -> None:
    """Texts of 200 KB that nearly match, again and again -> each in well under a second."""
    for text in ("http://" * 30_000, "a:" * 100_000, "http://a?b" * 20_000, "?a=" * 60_000, "http://a:b" * 20_000):
        started = time.monotonic()
        addresses.without_secrets(text)
        assert time.monotonic() - started < 5


def test_messages_of_errors_are_free_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    """An error and a program's last line with an address -> shown without its secrets."""
    text = "Could not connect to http://user:hunter2@host/bucket?sig=hunter2."
    assert first_line(ValueError(text)) == "Could not connect to http://host/bucket"
    assert last_line(f"first\n{text}\n") == "Could not connect to http://host/bucket."
    assert report_and_exit_code(UserError(text)) == 1
    assert "hunter2" not in capsys.readouterr().err
