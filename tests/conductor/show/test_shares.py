from conductor.show.shares import changed, share_rows
from model.composing.blend import style_of


def test_a_style_has_all_of_a_piece_and_none_has_no_share() -> None:
    assert share_rows(None) == []
    assert share_rows("bach") == [(0.0, {"bach": 1.0})]


def test_a_blend_is_the_same_from_first_to_last() -> None:
    assert share_rows(style_of({"bach": 3, "jazz": 1})) == [(0.0, {"bach": 0.75, "jazz": 0.25})]


def test_a_style_that_changes_has_its_shares_where_it_begins_and_where_it_arrives() -> None:
    rows = share_rows(style_of({"from": {"bach": 1, "jazz": 1}, "to": "chopin", "over": "60s"}))
    assert rows == [(0.0, {"bach": 0.5, "jazz": 0.5}), (60.0, {"chopin": 1.0})]


def test_a_piece_that_is_changed_keeps_its_shares_up_to_there() -> None:
    rows = changed(share_rows("bach"), 12.0, style_of("jazz"))
    assert rows == [(0.0, {"bach": 1.0}), (12.0, {"bach": 1.0}), (12.0, {"jazz": 1.0})]
    assert changed([], 12.0, "jazz") == [(12.0, {"jazz": 1.0})]
