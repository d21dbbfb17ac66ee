"""Lines of strangers: taken apart, or left out; never raised over, never trusted."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conductor.chat.cleaning import MOST_MARKS, clean, login
from conductor.chat.commands import Wish, choice_of, wish_of
from conductor.chat.irc import Cutter
from conductor.chat.line import MAX_LINE, Line, Said, read_line, said_in, wanted, written

TAGGED = (
    b"@badge-info=;badges=moderator/1,subscriber/6;display-name=Eve\\sX;mod=1;user-id=77 "
    b":eve!eve@eve.tmi.twitch.tv PRIVMSG #music :!skip"
)


def said(raw: bytes, *, trusted: bool = True) -> Said | None:
    line = read_line(raw)
    assert line is not None
    return said_in(line, "#music", trusted=trusted)


def test_a_line_of_twitch_tells_who_speaks_and_whether_they_moderate() -> None:
    assert said(TAGGED) == Said("eve", "77", "!skip", moderates=True)
    assert said(TAGGED.replace(b"moderator/1", b"broadcaster/1").replace(b";mod=1", b";mod=0")).moderates  # type: ignore[union-attr]
    assert not said(TAGGED.replace(b"moderator/1", b"vip/1").replace(b";mod=1", b";mod=0")).moderates  # type: ignore[union-attr]


def test_tags_are_believed_only_where_the_server_vouches_for_them() -> None:
    assert said(TAGGED, trusted=False) == Said("eve", "eve", "!skip")


def test_only_what_is_said_in_the_channel_is_heard() -> None:
    assert said(b":eve!e@h PRIVMSG conductor :!skip") is None
    assert said(b":eve!e@h NOTICE #music :!skip") is None
    assert said(b"PRIVMSG #music :!skip") is None
    assert said(b":eve!e@h PRIVMSG #MUSIC :!now") == Said("eve", "eve", "!now")


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"@", b"@a", b"@a=b", b":", b":x", b"\0", b":a PRIVMSG", b"@\\ :", b"\xff\xfe\xfd", b"PRIVMSG \0 :x",
     b"a\rb", b"@" + b"x=1;" * 3000 + b" PING", b"x" * (MAX_LINE + 1)],
)  # fmt: skip
def test_hostile_lines_are_left_out_or_mean_nothing(raw: bytes) -> None:
    line = read_line(raw)
    assert line is None or said_in(line, "#music", trusted=True) is None


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=300) | st.text("@:;=!#\\ \t\0ab\u202e\U000e0000", max_size=80).map(str.encode))
def test_no_line_whatsoever_raises(raw: bytes) -> None:
    line = read_line(raw)
    if line and (heard := said_in(line, "#music", trusted=True)):
        assert heard.who == login(heard.who)
        wish_of(heard.text, ("a", "b"))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=60).filter(lambda b: b"\n" not in b and b"\r" not in b), max_size=8), st.data())
def test_lines_are_cut_alike_however_they_come(lines: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(line + b"\r\n" for line in lines)
    cutter, got = Cutter(), list[bytes]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        got += cutter.feed(stream[:size])
        stream = stream[size:]
    assert got == lines


def test_a_line_without_an_end_takes_no_more_memory_than_one_line() -> None:
    cutter = Cutter()
    for _ in range(200):
        assert cutter.feed(b"x" * 10_000) == []
        assert len(cutter._rest) <= MAX_LINE + 10_000
    assert cutter.feed(b"tail\nPING :a\r\n") == [b"PING :a"]


def test_what_is_sent_is_one_line_whatever_is_in_it() -> None:
    assert written("PRIVMSG", "#music", "a\r\nQUIT :b\0") == b"PRIVMSG #music :a  QUIT :b \r\n"
    assert read_line(written("PRIVMSG", "#music", ":)").rstrip()) == Line("PRIVMSG", ("#music", ":)"), "", {})


@pytest.mark.parametrize(
    ("text", "digits", "worth"),
    [
        ("!vote 1", False, True),
        ("hello", False, False),
        ("2", False, False),
        ("2", True, True),
        ("so, 2?", True, False),
    ],
)
def test_talk_is_passed_over_unread(text: str, digits: bool, worth: bool) -> None:
    assert wanted(b"@x=1 :a!a@b PRIVMSG #music :" + text.encode(), digits=digits) is worth
    assert wanted(b":server 001 conductor :hello", digits=digits)


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        ("!vote 2", Wish("vote", "2")),
        ("!VOTE  2 ", Wish("vote", "2")),
        ("!2", Wish("vote", "2")),
        ("!style jazz", Wish("vote", "jazz")),
        ("!style list", Wish("styles", "list")),
        ("!styles", Wish("styles")),
        ("!endpoll", Wish("close")),
        ("3", None),
        ("well !vote 2", None),
        ("! vote 2", None),
        ("!vöte 2", None),
        ("!" + "x" * 100, None),
    ],
)
def test_commands_are_words_at_the_beginning_of_a_line(text: str, wish: Wish | None) -> None:
    assert wish_of(text) == wish


def test_a_number_alone_is_a_vote_while_a_poll_is_open() -> None:
    choices = ("chopin", "video_games")
    assert wish_of("2", choices) == Wish("vote", "2")
    assert [choice_of(word, choices) for word in ("1", "2", "3", "0", "video games", "jazz", "\u0662")] == [
        0, 1, None, None, 1, None, None,
    ]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200), st.integers(1, 40))
def test_what_is_left_of_a_text_is_short_and_has_nothing_that_turns_hides_or_piles_up(text: str, most: int) -> None:
    line = clean(text, most)
    assert len(line) <= most
    assert clean(line, most) == line
    marks = 0
    for sign in line:
        kind = unicodedata.category(sign)
        assert kind[0] != "C"
        assert kind not in ("Zl", "Zp")
        marks = marks + 1 if kind[0] == "M" else 0
        assert marks <= MOST_MARKS


def test_what_people_write_stays_as_it_is() -> None:
    for text in ("Clair de lune", "Ein Präludium", "夜の音楽", "Ночь 🎹", "नमस्ते"):
        assert clean(text, 40) == text
    assert clean("a\u202eb\u0000c\u2066d\u200b", 40) == "abcd"
    assert clean("Z" + "\u0301\u0316\u0327" * 30, 40).count("\u0316") <= MOST_MARKS
    assert login("../../etc/passwd; rm -rf") == "etcpasswdrmrf"
