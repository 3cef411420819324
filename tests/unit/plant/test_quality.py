import numpy as np
import pytest
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st

from plant.quality import Quality, good_mask, is_bad, is_good, quality_from_name, quality_name, stored_form

STORED = st.integers(-(2**15), 2**15 - 1)


@pytest.mark.parametrize("quality", Quality)
def test_names_and_codes_are_those_of_opc_ua(quality: Quality) -> None:
    assert getattr(StatusCodes, quality.symbol) == quality.status_code
    assert stored_form(quality.status_code) == quality


@pytest.mark.parametrize("quality", Quality)
def test_the_name_carries_the_severity(quality: Quality) -> None:
    severity = "Bad" if is_bad(quality) else "Good" if is_good(quality) else "Uncertain"
    assert quality.symbol.startswith(severity)


@given(STORED)
def test_every_stored_form_has_a_name_that_leads_back(stored: int) -> None:
    assert quality_from_name(quality_name(stored)) == stored


@given(st.integers(0, 2**32 - 1))
def test_the_stored_form_keeps_the_upper_half_of_a_status_code(status_code: int) -> None:
    stored = stored_form(status_code)
    assert -(2**15) <= stored < 2**15
    assert stored & 0xFFFF == status_code >> 16
    assert is_bad(stored) == bool(status_code & 0x8000_0000)
    assert is_good(stored) == (status_code >> 30 == 0)


def test_a_code_without_a_name_keeps_severity_and_number() -> None:
    assert quality_name(stored_form(0x80FE_0000)) == "Bad(0x80FE)"
    assert quality_name(stored_form(0x40FE_0480)) == "Uncertain(0x40FE)"
    assert quality_name(0x0001) == "Good(0x0001)"


@pytest.mark.parametrize("name", ["", "good", "BadSomething", "Bad(0x00FE)", "Good(0x80FE)", "Good(0x0000)", "Bad(0x80fe)", "Bad(0x80FE", "Bad(0x180FE)"])
def test_what_is_no_name_of_a_quality_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="StatusCode"):
        quality_from_name(name)


def test_the_mask_of_a_column_agrees_with_the_single_value() -> None:
    column = np.arange(-(2**15), 2**15, dtype=np.int16)
    assert good_mask(column).tolist() == [is_good(int(stored)) for stored in column]
