"""Emissions beside things that one can imagine."""

import pytest

from efficientdl.viz.figures import carbon

# Strubell, Ganesh and McCallum 2019, Table 1, in pounds; a pound is 0.4536 kg.
FLIGHT_KG, CAR_KG = 1984 * 0.4536, 126_000 * 0.4536
SEARCH_KG = 626_155 * 0.4536


def test_known_things_stand_beside_the_search():
    figure = carbon({"search": SEARCH_KG}, references_kg={"flight": FLIGHT_KG, "car": CAR_KG})
    assert figure.y.categories == ("search", "flight", "car")
    assert figure.x.log
    assert figure.alt.endswith("316 times that of flight.")  # 626155 / 1984


def test_errors():
    with pytest.raises(ValueError, match="carbon: references_kg must have names of their own"):
        carbon({"a": 1.0}, references_kg={"a": 2.0})
