"""Laws of the geometry: windows fill a map, once, and see far enough."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from impasto.transfer.tiles import Box, windows

SIZES = st.tuples(st.integers(1, 300), st.integers(1, 300))
ALIGNED = st.sampled_from([(4, 4), (8, 8), (8, 4), (0, 2)])  # halo, align


@settings(deadline=None)
@given(size=SIZES, side=st.integers(1, 200), aligned=ALIGNED)
def test_own_parts_fill_the_map_and_never_overlap(size, side, aligned):
    counted = torch.zeros(size, dtype=torch.int)
    for window in windows(size, side, *aligned):
        window.own.cut(counted).add_(1)
    assert (counted == 1).all()


@settings(deadline=None)
@given(size=SIZES, side=st.integers(1, 200), aligned=ALIGNED)
def test_windows_see_a_halo_wherever_the_map_goes_on_and_begin_aligned(size, side, aligned):
    halo, align = aligned
    for window in windows(size, side, halo, align):
        own, seen = window.own, window.seen
        assert seen.top == max(0, own.top - halo)
        assert seen.left == max(0, own.left - halo)
        assert seen.bottom == min(size[0], own.bottom + halo)
        assert seen.right == min(size[1], own.right + halo)
        assert {own.top % align, own.left % align, seen.top % align, seen.left % align} == {0}
        assert max(own.size) <= max(side, align)


@settings(deadline=None)
@given(size=SIZES, side=st.integers(1, 200), down=st.booleans(), across=st.booleans())
def test_they_see_it_beyond_the_edges_that_the_map_goes_on_around(size, side, down, across):
    several = windows(size, side, 8, 4, around=(down, across))
    for own, seen in ((each.own, each.seen) for each in several if len(several) > 1):
        assert (seen.top == own.top - 8) == (down or own.top >= 8)
        assert (seen.bottom == own.bottom + 8) == (down or own.bottom + 8 <= size[0])
        assert (seen.left == own.left - 8) == (across or own.left >= 8)
        assert (seen.right == own.right + 8) == (across or own.right + 8 <= size[1])


@settings(deadline=None)
@given(size=SIZES, side=st.integers(16, 200))
def test_on_a_map_pooled_to_half_the_windows_parts_fill_it_too(size, side):
    halved = (size[0] // 2, size[1] // 2)
    picture = torch.arange(halved[0] * halved[1]).reshape(halved)
    whole = torch.full(halved, -1)
    for window in windows(size, side, 8, 8):
        part = window.seen.shrunk(2).cut(picture)
        window.own.shrunk(2).cut(whole).copy_(window.owned(2).cut(part))
    assert torch.equal(whole, picture)


def test_no_side_is_one_window():
    (window,) = windows((30, 40), None, 8, 8)
    assert window.own == window.seen == Box(0, 0, 30, 40) == Box.of((30, 40))


@given(
    top=st.integers(-40, 40),
    left=st.integers(-40, 40),
    height=st.integers(1, 50),
    width=st.integers(1, 50),
)
def test_beyond_an_edge_a_map_goes_on_at_the_other(top, left, height, width):
    whole = torch.arange(9 * 14).view(1, 1, 9, 14)
    box = Box(top, left, top + height, left + width)
    rows, columns = (torch.arange(a, a + n) for a, n in ((top, height), (left, width)))
    expected = whole[:, :, rows % 9][..., columns % 14]
    found = torch.full((1, 1, height, width), -1)
    for there, here in box.pieces((9, 14)):
        assert here.size == there.size
        assert (here.cut(found) == -1).all()
        here.cut(found).copy_(there.cut(whole))
    assert torch.equal(found, expected)
