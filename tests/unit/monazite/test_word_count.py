"""Words in a stream that comes in pieces."""

from hypothesis import given
from hypothesis import strategies as st

from monazite.word_count import WordCount


@given(st.text("abx\n", max_size=60), st.lists(st.integers(1, 9), max_size=40))
def test_words_are_counted_once_however_the_stream_is_cut(text: str, sizes: list[int]) -> None:
    data, said = text.encode(), WordCount(b"ab")
    at = 0
    for size in [*sizes, len(data)]:
        said.hear(data[at : at + size])
        at += size
    assert said.count == data.count(b"ab")


def test_without_words_nothing_is_counted() -> None:
    said = WordCount(b"")
    said.hear(b"anything")
    assert said.count == 0
