"""The released tables of Bit Fusion's simulator against our formula, layer by layer."""

import numpy as np
import pytest

from efficientdl.systems.hardware.low_bit.released import (
    PUBLISHED_GEOMEAN,
    RELEASED,
    compute_cycles,
    our_cycles,
    over_eyeriss,
    over_eyeriss_text,
)

# Layer, cycles, of which it waits for memory: 16 x 32 units, 4,096 bits a cycle, batch 16, in
# results/bitfusion-eyeriss-sim-sweep.csv. So much bandwidth lets no layer be cut.
WIDE_MEMORY = {
    "AlexNet": """conv1_a 3339626 26, conv1_b 3339626 26, conv2_a 4665659 59, conv2_b 4665659 59,
        conv3_a 2336283 27, conv3_b 2336283 27, conv4_a 1752219 27, conv4_b 1752219 27,
        conv5_a 1168155 27, conv5_b 1168155 27, fc1 1179653 5, fc2 524295 7, fc3 262148 4""",
    "SVHN": """conv0 32775 7, conv1 294930 18, conv2 147489 33, conv3 147503 47, conv4 73745 17,
        conv5 73755 27, fc6 8214 22, fc7 2058 10, fc8 79 15""",
    "CIFAR-10": """conv0 131084 12, conv1 589849 25, conv2 294941 29, conv3 294961 49,
        conv4 147505 49, conv5 294960 48, fc6 16398 14, fc7 2064 16, fc8 85 21""",
    "LeNet-5": "conv0 16392 8, conv1 204840 40, fc1 4140 44, fc2 47 15",
    "VGG-7": """conv1_a 65556 20, conv1_b 65556 20, conv2_a 294941 29, conv2_b 294941 29,
        conv3_a 147505 49, conv3_b 147505 49, fc1 16398 14""",
    "ResNet-18": """conv1 8028202 42, conv2_1_a 401429 21, conv2_1_b 3612693 21,
        conv2_2_a 401429 21, conv2_2_b 3612693 21, conv3_1_a 200740 36, conv3_1_b 3612695 23,
        conv3_2_a 401476 68, conv3_2_b 3612695 23, conv4_1_a 200720 16, conv4_1_b 3612699 27,
        conv4_2_a 401424 16, conv4_2_b 3612699 27, conv5_1_a 200716 12, conv5_1_b 3612695 23,
        conv5_2_a 401422 14, conv5_2_b 3612695 23""",
    "RNN": "fc 131079 7",
    "LSTM": "fc 103063 7",
}
# The same, 192 bits a cycle: cycles alone.
NARROW_MEMORY = {
    "AlexNet": """conv1_a 3746423, conv1_b 3746423, conv2_a 5018849, conv2_b 5018849,
        conv3_a 3248129, conv3_b 3248129, conv4_a 2436097, conv4_b 2436097, conv5_a 1624065,
        conv5_b 1624065, fc1 3545090, fc2 1575596, fc3 398679""",
    "SVHN": """conv0 367979, conv1 358316, conv2 177409, conv3 179884, conv4 92161, conv5 102742,
        fc6 27649, fc7 11009, fc8 374""",
    "CIFAR-10": """conv0 717654, conv1 799062, conv2 402091, conv3 492204, conv4 255318,
        conv5 510636, fc6 99671, fc7 16555, fc8 513""",
    "LeNet-5": "conv0 179116, conv1 205635, fc1 25259, fc2 342",
    "VGG-7": """conv1_a 704001, conv1_b 704001, conv2_a 402091, conv2_b 402091, conv3_a 255318,
        conv3_b 255318, fc1 99671""",
    "ResNet-18": """conv1 9793537, conv2_1_a 2274988, conv2_1_b 3613708, conv2_2_a 2274988,
        conv2_2_b 3613708, conv3_1_a 1104555, conv3_1_b 3613708, conv3_2_a 1138689,
        conv3_2_b 3613708, conv4_1_a 571393, conv4_1_b 4330838, conv4_2_a 674476,
        conv4_2_b 4330838, conv5_1_a 345431, conv5_1_b 3614180, conv5_2_a 557057,
        conv5_2_b 3614180""",
    "RNN": "fc 394583",
    "LSTM": "fc 337175",
}
# The speed-ups that these tables give, recomputed by hand from both files, to two digits.
SPEEDUPS = {"AlexNet": 1.87, "SVHN": 8.57, "CIFAR-10": 13.41, "LeNet-5": 2.72, "VGG-7": 7.66}
SPEEDUPS |= {"ResNet-18": 1.95, "RNN": 2.66, "LSTM": 2.43}


def rows(text):
    return {name: [int(n) for n in rest] for name, *rest in map(str.split, text.split(","))}


@pytest.mark.parametrize("network", RELEASED)
def test_compute_cycles_are_the_released_ones_layer_by_layer(network):
    released = {name: all_ - wait for name, (all_, wait) in rows(WIDE_MEMORY[network]).items()}
    ours = {name: compute_cycles(layer) for name, layer in RELEASED[network].layers.items()}
    assert ours == released


@pytest.mark.parametrize("network", RELEASED)
def test_no_released_layer_is_faster_than_our_bound(network):
    released = rows(NARROW_MEMORY[network])
    layers = RELEASED[network].layers
    assert released.keys() == layers.keys()
    for name, (cycles,) in released.items():
        assert our_cycles(layers[name]) <= cycles, name
    assert sum(c for (c,) in released.values()) == RELEASED[network].fusion_cycles


def test_speed_up_over_eyeriss():
    found = over_eyeriss()
    assert {name: round(pair[0], 2) for name, pair in found.items()} == SPEEDUPS
    released, ours = (np.exp(np.mean(np.log([pair[i] for pair in found.values()]))) for i in (0, 1))
    assert round(released, 1) == PUBLISHED_GEOMEAN
    assert ours >= released  # ours has no tiles: it bounds the speed-up from above
    assert ours / released - 1 < 0.1  # and is within a tenth of it
    assert f"{released:.2f}   {ours:.2f}" in over_eyeriss_text()
