"""Few bits: the claims, in the order of the page."""

from collections.abc import Callable

from benchmarks.headlines import (
    Headline,
    after_training,
    beside_brevitas,
    beside_torchao,
    data_free,
    order_of_methods,
)

CLAIMS: tuple[Callable[[], Headline], ...] = (
    order_of_methods.order_of_methods,
    order_of_methods.eight_bits_suffice,
    order_of_methods.training_beats_ranges,
    order_of_methods.training_beats_min_max,
    order_of_methods.trained_scales_beat_fixed,
    order_of_methods.factors_beat_signs,
    after_training.int8_without_training,
    after_training.closed_forms_beat_min_max,
    after_training.folding_is_exact,
    after_training.whole_numbers_alone,
    data_free.weights_without_data,
    data_free.biases_corrected,
    data_free.nothing_but_the_network,
    data_free.ranges_without_data,
    data_free.distilled_beats_noise,
    beside_brevitas.codes_beside_brevitas,
    beside_brevitas.int8_beside_brevitas,
    beside_brevitas.equalization_beside_brevitas,
    beside_brevitas.aware_beside_brevitas,
    beside_torchao.groups_beside_torchao,
    beside_torchao.convolutions_beside_torchao,
)
