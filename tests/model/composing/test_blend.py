"""Styles, blends and changes: read as they are written, and true at every moment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.composing.blend import (
    Blend,
    Morph,
    caption_of,
    check_style,
    main_style,
    plain_style,
    shares_at,
    style_of,
    styles_of,
)
from model.errors import PromptError
from model.language.vocabulary import STYLES

SHARES = st.dictionaries(st.sampled_from(STYLES), st.floats(0.01, 100.0), min_size=1, max_size=2)


@pytest.mark.parametrize(
    ("value", "style"),
    [
        (None, None),
        ("chopin", "chopin"),
        (" chopin ", "chopin"),
        ({"chopin": 3, "jazz": 1}, Blend((("chopin", 0.75), ("jazz", 0.25)))),
        ("chopin:3,jazz:1", Blend((("chopin", 0.75), ("jazz", 0.25)))),
        ("chopin, jazz", Blend((("chopin", 0.5), ("jazz", 0.5)))),
        ("chopin>jazz@1m30s", Morph(Blend((("chopin", 1.0),)), Blend((("jazz", 1.0),)), 90.0)),
        (
            {"from": {"chopin": 1, "bach": 1}, "to": "jazz", "over": 60},
            Morph(Blend((("chopin", 0.5), ("bach", 0.5))), Blend((("jazz", 1.0),)), 60.0),
        ),
        ("chopin,bach>jazz@60s", Morph(Blend((("chopin", 0.5), ("bach", 0.5))), Blend((("jazz", 1.0),)), 60.0)),
    ],
)
def test_a_style_is_read_as_people_write_it(value: Any, style: Any) -> None:
    assert style_of(value) == style
    assert style_of(style) == style
    assert style_of(plain_style(style)) == style


@given(SHARES, SHARES, st.floats(1.0, 1800.0), st.floats(0.0, 3600.0))
def test_shares_sum_to_one_at_every_moment(
    start: dict[str, float], end: dict[str, float], over: float, at: float
) -> None:
    for value in (start, {"from": start, "to": end, "over": over}):
        style = style_of(value)
        shares = shares_at(style, at)
        assert sum(share for _, share in shares) == pytest.approx(1.0)
        assert {name for name, _ in shares} <= set(styles_of(style))
        assert all(share > 0 for _, share in shares)


def test_a_change_goes_evenly_from_one_to_the_other_and_stays() -> None:
    style = style_of("chopin>jazz@40s")
    assert shares_at(style, 0.0) == (("chopin", 1.0),)
    assert dict(shares_at(style, 10.0)) == {"chopin": 0.75, "jazz": 0.25}
    assert shares_at(style, 40.0) == shares_at(style, 999.0) == (("jazz", 1.0),)
    # Before it begins, as well.
    assert shares_at(style, -5.0) == (("chopin", 1.0),)


def test_one_style_or_none_is_all_there_is() -> None:
    assert shares_at("jazz", 5.0) == (("jazz", 1.0),)
    assert shares_at(None, 5.0) == ((None, 1.0),)
    assert styles_of(None) == ()


@pytest.mark.parametrize(
    ("value", "main", "caption"),
    [
        (None, None, ""),
        ("chopin", "chopin", "in the style of chopin"),
        ({"chopin": 0.4, "jazz": 0.6}, "jazz", "in the style of jazz and chopin"),
        ({"chopin": 0.9, "jazz": 0.1}, "chopin", "in the style of chopin with some jazz"),
        ("chopin>jazz@60s", "jazz", "from chopin to jazz"),
        ("chopin:9,folk:1>jazz@60s", "jazz", "from chopin with some folk to jazz"),
    ],
)
def test_an_audience_is_told_of_it_in_words(value: Any, main: str | None, caption: str) -> None:
    style = style_of(value)
    assert main_style(style) == main
    assert caption_of(style) == caption


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("chopan", "style 'chopan' is not known to the checkpoint; did you mean chopin"),
        ({}, "style {}: write a name, {chopin: 0.6, jazz: 0.4} or"),
        (["chopin"], "style ['chopin']: write a name"),
        ({"chopin": 0}, "the share of style 'chopin' is 0; write a number above 0"),
        ({"chopin": True}, "the share of style 'chopin' is True"),
        ({"chopin": float("nan")}, "the share of style 'chopin' is nan"),
        ({"chopin": "much"}, "the share of style 'chopin' is 'much'"),
        ("chopin:-1,jazz", "the share of style 'chopin' is -1.0"),
        ("chopin:much,jazz", "style 'chopin:much,jazz': 'much' is no share"),
        ("chopin,bach,jazz,folk,rock", "5 styles at once; there can be 4"),
        ("chopin,bach,jazz>folk,rock@9s", "5 styles at once; there can be 4"),
        ({"from": "chopin", "to": "jazz"}, "a style that changes has from, to and over"),
        ({"from": "chopin", "to": "jazz", "over": "soon"}, "'soon' is no time"),
        ({"from": "chopin", "to": "jazz", "over": 0.5}, "a change of style over 0.5 s; it can take 1 s to 30 min"),
        ("chopin>jazz", "style 'chopin>jazz': a change has two styles and a length"),
        ("chopin>@9s", "style 'chopin>@9s': a change has two styles"),
        ("chopin>jazz>folk@9s", "style 'chopin>jazz>folk@9s': a change has two styles"),
        ({"from": 7, "to": "jazz", "over": 60}, "style 7: write a name or shares"),
    ],
)
def test_what_is_no_style_is_refused_in_a_line(value: Any, line: str) -> None:
    with pytest.raises(PromptError) as caught:
        style_of(value)
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_knows_its_own_styles_alone() -> None:
    check_style("bach", ("bach", "folk"))
    with pytest.raises(PromptError, match="it knows bach, folk"):
        check_style("jazz", ("bach", "folk"))
