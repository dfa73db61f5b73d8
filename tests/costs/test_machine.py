"""A machine's two numbers. How fast this one is, no test may say."""

import sys

import pytest

from efficientdl.costs import Latency, Machine, measure_machine

module = sys.modules["efficientdl.costs.machine"]


def test_ridge_is_where_the_roofs_meet():
    machine = Machine(peak_macs_per_s=50e9, bytes_per_s=20e9)
    assert machine.ridge * machine.bytes_per_s == machine.peak_macs_per_s
    assert str(machine) == "50 GMAC/s, 20 GB/s, ridge at 2.5 MACs per byte"


def test_the_fastest_sample_counts(monkeypatch):
    given = iter([Latency((4.0, 2.0)), Latency((0.5, 1.0))])
    monkeypatch.setattr(module, "latency", lambda *_, **__: next(given))
    machine = measure_machine(side=10, n_floats=100)
    assert machine.peak_macs_per_s == 1000 / 2.0
    assert machine.bytes_per_s == 2 * 400 / 0.5  # read and written


def test_errors_say_what_to_pass():
    with pytest.raises(ValueError, match="Machine: bytes_per_s must be more than 0, got 0"):
        Machine(peak_macs_per_s=1, bytes_per_s=0)
    with pytest.raises(ValueError, match="measure_machine: side must be a whole number"):
        measure_machine(side=0)
