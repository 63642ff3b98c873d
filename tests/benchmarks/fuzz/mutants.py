"""Corrupt images: a format with up to three kinds of corruption, or decompression bombs; all seeded."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.benchmarks.fuzz.damages import DAMAGES
from tests.benchmarks.fuzz.originals import originals
from tests.unit.imaging import samples

UNDAMAGED, UNPACKS_TO_MUCH, SPLICED = "undamaged", "few bytes that unpack to many", "two images in one"


@dataclass(frozen=True)
class Mutant:
    """The bytes of an image, what it was made of and what was done to it first."""

    form: str
    damage: str
    content: bytes


def mutants(count: int, seed: int) -> Iterator[Mutant]:
    """Yield `count` mutants, the same for the same seed; the undamaged forms come first, once each."""
    random, forms = Random(seed), originals()
    names = list(forms)
    for number in range(count):
        if number < len(names):
            yield Mutant(names[number], UNDAMAGED, forms[names[number]])
            continue
        drawn, name = random.random(), random.choice(names)
        if drawn < 0.03:
            yield Mutant("bomb", UNPACKS_TO_MUCH, _bomb(random))
        elif drawn < 0.08:
            other = forms[random.choice(names)]
            head = forms[name][: random.randrange(len(forms[name]))]
            yield Mutant(name, SPLICED, head + other[random.randrange(len(other)) :])
        else:
            kinds = random.choices(list(DAMAGES), k=random.choice((1, 1, 2, 3)))
            content = forms[name]
            for kind in kinds:
                content = DAMAGES[kind](content, random)
            yield Mutant(name, kinds[0], content)


def _bomb(random: Random) -> bytes:
    side = random.choice((1_000, 3_000, 12_000, 30_000, 60_000))
    makers = (
        lambda: samples.png(side, side, bytes(min(side * (side // 8 + 1), 1_200_000))),
        lambda: samples.png(side, 1, bytes(side // 8 + 2)),
        lambda: samples.gif(side, side),
        lambda: samples.gif(1, 1, (side, side)),
        lambda: samples.bmp_header(side, -side),
        lambda: samples.jpeg_of_size(side, side),
        lambda: samples.webp_canvas(min(side, 16_383), min(side, 16_383)),
    )
    return random.choice(makers)()
