"""Inputs that cost more than their size suggests: one generator per kind, by its name in the report."""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from random import Random

from tests.benchmarks.fuzz.extremes import animations, jpegs, messages, pngs, texts
from tests.benchmarks.fuzz.extremes.extreme import Extreme, Generator

GENERATORS: Mapping[str, Generator] = {
    "JPEG: many scans": jpegs.scans,
    "JPEG: scans without data": jpegs.empty_scans,
    "JPEG: refinement scans again": jpegs.refinements,
    "JPEG: many segments": jpegs.segments,
    "JPEG: odd EXIF directories": jpegs.exif,
    "JPEG: several images (MPO)": jpegs.several_images,
    "JPEG: odd frames": jpegs.frames,
    "JPEG: large": jpegs.large,
    "PNG: inflating chunks": pngs.inflating_chunks,
    "PNG: many chunks": pngs.chunk_flood,
    "PNG: more raster than rows": pngs.surplus_raster,
    "PNG: large": pngs.large,
    "PNG: animation": pngs.animation,
    "WebP: large": animations.webp_large,
    "WebP: large canvas": animations.webp_canvas,
    "WebP: many frames": animations.webp_frames,
    "WebP: many parts": animations.webp_parts,
    "GIF: large": animations.gif_large,
    "GIF: many blocks": animations.gif_blocks,
    "GIF: blocks of one byte": animations.gif_small_blocks,
    "BMP: run lengths": animations.bmp_run_lengths,
    "JSON: nested": texts.nested,
    "JSON: wide": texts.wide,
    "JSON: long values": texts.long_values,
    "JSON: odd base64": texts.odd_base64,
    "JSON: lists of large images": texts.listed_bombs,
    "JSON lines: many": texts.many_lines,
    "headers: long values": messages.long_values,
    "headers: long types": messages.long_types,
    "headers: many fields": messages.many_fields,
    "bodies: inflating": messages.inflating_bodies,
    "bodies: many gzip members": messages.gzip_members,
    "bodies: tiny chunks": messages.tiny_chunks,
}


KNOWN = "known to have cost much"


def known() -> Iterator[Extreme]:
    """Yield those that a server took seconds, minutes or a gigabyte for before there was a bound for their kind."""
    one = animations.webp_of_size(9_459, 9_459).content
    found = (
        animations.webp_of_size(9_459, 9_459),
        texts.listed(one, 24),
        texts.listed(one, texts.MOST_IN_A_LIST),
        texts.listed(one, 24, lines=True),
        jpegs.many_scans(990, 20_000),
        jpegs.exif_flood(1_400_000),
        messages.quoted_accept(3),
    )
    yield from (replace(extreme, kind=KNOWN) for extreme in found)


def extremes(count: int, seed: int) -> Iterator[Extreme]:
    """Yield `count` inputs, the same for the same seed, as many of each kind as of any other; first the known ones."""
    random, kinds = Random(seed), list(GENERATORS)
    yield from itertools.islice(known(), count)
    for number in range(count - len(list(known()))):
        kind = kinds[number % len(kinds)]
        yield replace(GENERATORS[kind](random), kind=kind)
