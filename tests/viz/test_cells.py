"""Cells of a heat map: shaded by value, and readable without the shade."""

from efficientdl.viz import Heatmap
from efficientdl.viz.cells import cell_labels, shades
from efficientdl.viz.palette import shade


def test_least_is_darkest_and_largest_lightest():
    colours = shades(Heatmap("h", [[5, 10], [7.5, 5]]))
    assert colours == [[shade(0), shade(1)], [shade(0.5), shade(0)]]


def test_equal_values_share_a_shade():
    assert shades(Heatmap("h", [[3, 3]])) == [[shade(0), shade(0)]]


def test_cells_say_their_value():
    assert cell_labels(Heatmap("h", [[1234, 0.5]])) == [["1,234", "0.5"]]
    assert cell_labels(Heatmap("h", [[1]], labels=[["one"]])) == [["one"]]
