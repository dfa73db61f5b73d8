"""Trainings in tests run silently, on one thread."""

import pytest
import torch


@pytest.fixture(autouse=True)
def one_silent_thread(monkeypatch):
    monkeypatch.setenv("EFFICIENTDL_UI", "silent")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
