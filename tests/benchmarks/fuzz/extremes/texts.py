"""JSON and lines of JSON: deep, wide, long, repeated, and full of decompression bombs."""

import base64
import json
from random import Random

from tests.benchmarks.fuzz.extremes import animations, jpegs
from tests.benchmarks.fuzz.extremes.extreme import JSON, JSON_LINES, Extreme, repeated
from tests.platform import sample_images

MOST_BYTES = 3_000_000
MOST_IN_A_LIST, MOST_LINES = 512, 10_000
"""How many images a body may ask for: a longer one is rejected, and is allowed no more than the longest."""
_GOOD = base64.b64encode(sample_images.encode(sample_images.plain(), "PNG")).decode()


def nested(random: Random) -> Extreme:
    """Nest lists and objects, closed or not, alone or as the value of something that is read."""
    opening, closing = random.choice((("[", "]"), ('{"a":', "}"), ('{"instances":[', "]}"), ('[{"b64":', "}]")))
    depth = int(10 ** random.uniform(1, 5.5))
    text = opening * depth + "0" + closing * random.choice((depth, 0))
    return _document(
        random, random.choice((text, f'{{"instances": [{text}]}}', f'{{"instances": [{{"b64": {text}}}]}}'))
    )


def wide(random: Random) -> Extreme:
    """Make a list or an object of very many small members, in the order of the format or in its place."""
    member = random.choice(("0,", "[],", "{},", '"",', "null,", "1e9,", f'{{"b64": "{_GOOD}"}},', '{"b64": ""},'))
    members = repeated(random, member.encode(), MOST_BYTES).decode()[:-1]
    fields = repeated(random, random.choice((b'"a":0,', b'"b64":"",', b'"instances":[],')), MOST_BYTES).decode()[:-1]
    forms = (f"[{members}]", f'{{"instances":[{members}]}}', f"{{{fields}}}", f'{{"instances":[{{{fields}}}]}}')
    return _document(random, random.choice(forms), images=MOST_IN_A_LIST)


def long_values(random: Random) -> Extreme:
    """Make numbers, strings, names and blanks as long as a body may be."""
    pieces = ("9", "a", "\\u0041", "\\n", "\\ud83d", "é", " ", "A", "=", "\\\\", "\t", "1.5e", "-", "0.000001")
    run = repeated(random, random.choice(pieces).encode(), MOST_BYTES).decode()
    forms = (run, f'"{run}"', f'{{"instances":[{{"b64":"{run}"}}]}}', f'{{"{run}":0}}', f'{{"instances":{run}}}')
    return _document(random, random.choice((*forms, f'{{"instances":[{{"b64":"{_GOOD}{run}"}}]}}')))


def odd_base64(random: Random) -> Extreme:
    """Write the text of an image with line breaks, blanks, padding and letters of other alphabets in it."""
    piece = random.choice(("\\n", "\\r\\n", " ", "=", "-", "_", "\\u0000", "\\u00e9", ".", "AAAA\\n", "data:,"))
    noise = repeated(random, piece.encode(), MOST_BYTES).decode()
    at = random.choice((0, 1, len(_GOOD) // 2, len(_GOOD)))
    return _document(random, f'{{"instances":[{{"b64":"{_GOOD[:at]}{noise}{_GOOD[at:]}"}}]}}')


def listed_bombs(random: Random) -> Extreme:
    """Ask for many images in one list or in lines, each of few bytes and many pixels, or each with many scans."""
    makers = (animations.webp_large, animations.webp_canvas, animations.gif_large, jpegs.large, jpegs.scans)
    content, count = random.choice(makers)(random).content, random.choice((2, 24, MOST_IN_A_LIST))
    return listed(content, max(1, min(count, MOST_BYTES // len(content) // 2)), lines=random.random() < 0.5)


def listed(content: bytes, count: int, lines: bool = False) -> Extreme:
    """Ask for an image so many times, in a list or in lines."""
    row = json.dumps({"b64": base64.b64encode(content).decode()})
    if lines:
        return Extreme(f"{row}\n".encode() * count, JSON_LINES, images=count)
    return Extreme(f'{{"instances": [{",".join([row] * count)}]}}'.encode(), JSON, images=count)


def many_lines(random: Random) -> Extreme:
    """Send lines as many as fit: blank, broken, empty, or of a good image."""
    row = random.choice(("", "{", "[]", '{"b64":""}', '{"b64":"AAAA"}', "{" * 200, f'{{"b64":"{_GOOD}"}}', "\r", "é"))
    return Extreme(repeated(random, f"{row}\n".encode(), 300_000), JSON_LINES, images=MOST_LINES)


def _document(random: Random, text: str, images: int = 1) -> Extreme:
    content = text.encode()[: MOST_BYTES + 1_000]
    return Extreme(content, random.choice((JSON, JSON, JSON, JSON_LINES)), images=images)
