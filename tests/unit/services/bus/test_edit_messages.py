import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plant.batch import SampleBatch, TextBatch
from plant.edit import EditMode
from services.bus.edit_messages import (
    DeleteRequest,
    EditAnswer,
    EditRefused,
    EditRequest,
    decode_delete,
    decode_edit,
    decode_edit_answer,
    encode_delete,
    encode_edit,
    encode_edit_answer,
)
from services.bus.messages import MalformedMessage
from tests.samples import batch_of, rows_of

NUMBERS = batch_of([(1, 5, 0.1, 0), (2, 6, math.inf, -1)])
TEXTS = TextBatch.of([3], [7], ["größer ☃"], [0])
REQUEST = EditRequest(NUMBERS, TEXTS, EditMode.INSERT, "anna", "the meter was read", 99)


def test_an_edit_comes_back_as_it_was() -> None:
    back = decode_edit(encode_edit(REQUEST))
    assert rows_of(back.samples) == rows_of(NUMBERS)
    assert (back.texts.value.tolist(), back.texts.time.tolist()) == (["größer ☃"], [7])
    assert (back.mode, back.user, back.reason, back.expires) == (EditMode.INSERT, "anna", "the meter was read", 99)


def test_an_edit_without_samples_is_one() -> None:
    back = decode_edit(encode_edit(EditRequest(SampleBatch.empty(), TextBatch.empty(), EditMode.UPDATE, "", "", 0)))
    assert (len(back.samples), len(back.texts)) == (0, 0)


@given(st.integers(0, len(encode_edit(REQUEST)) - 1))
def test_an_edit_that_is_cut_off_is_malformed(length: int) -> None:
    with pytest.raises(MalformedMessage):
        decode_edit(encode_edit(REQUEST)[:length])


@given(st.binary(max_size=200))
def test_bytes_that_were_never_an_edit_are_malformed(data: bytes) -> None:
    with pytest.raises(MalformedMessage):
        decode_edit(data)


def test_numbers_and_texts_that_are_exchanged_are_malformed() -> None:
    whole = encode_edit(REQUEST)
    j, n, t = (int.from_bytes(whole[at : at + 4]) for at in (0, 4, 8))
    wanted, numbers, texts = whole[12 : 12 + j], whole[12 + j : 12 + j + n], whole[12 + j + n :]
    exchanged = b"".join(size.to_bytes(4) for size in (j, t, n)) + wanted + texts + numbers
    with pytest.raises(MalformedMessage, match="exchanged"):
        decode_edit(exchanged)


def test_a_deletion_and_an_answer_come_back_as_they_were() -> None:
    deletion = DeleteRequest(1, -5, 7, "anna", "wrong range", 99)
    assert decode_delete(encode_delete(deletion)) == deletion
    answer = EditAnswer(1, 2, 3, 4, (5, 6), (7,), EditRefused.STORE_AWAY, "the store is away")
    assert decode_edit_answer(encode_edit_answer(answer)) == answer
    with pytest.raises(MalformedMessage):
        decode_delete(b'{"tag_id": "1"}')
