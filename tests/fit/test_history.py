"""What a history says of a training."""

from efficientdl.fit import Epoch, History
from efficientdl.fit.history import Stop


def test_prints_a_line_for_each_epoch_and_why_it_stopped():
    epochs = (Epoch(1.5, 0.25, None), Epoch(0.5, 0.75, None))
    lines = str(History(epochs, best=1, stop=Stop.INTERRUPTED)).splitlines()
    assert lines[1].split() == ["1", "1.500", "0.250", "-"]
    assert lines[2].split() == ["2", "0.500", "0.750", "-", "kept"]
    assert lines[3] == "stopped: interrupted"


def test_series_are_by_epoch():
    history = History((Epoch(1.5, 0.25, 0.5), Epoch(0.5, 0.75, 0.25)), best=0, stop=Stop.DONE)
    assert (history.loss, history.train_accuracy) == ([1.5, 0.5], [0.25, 0.75])
    assert history.val_accuracy == [0.5, 0.25]
    assert len(str(history).splitlines()) == 3
