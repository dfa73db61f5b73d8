"""Lies, forged messages, looking around: what a kernel says is data, and targets are elsewhere."""

import socket
import sys

import pytest

from efficientdl.grading.isolation import strongest
from tests.grading import forgeries, lies, looking
from tests.grading.adversaries import RAISED, inside
from tests.grading.sandbox import answered, assert_repelled, attack, graded

pytestmark = pytest.mark.slow
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the attacks are written for Linux")


@pytest.mark.parametrize(
    "attack",
    [*lies.LIES, *lies.FAIR, *forgeries.FORGED, *forgeries.MESSAGES, *forgeries.TAMPERED],
    ids=str,
)
def test_forgery_is_repelled(small, attack):
    assert_repelled(graded(small, answered(small, attack.answers)), attack)


@LINUX
@pytest.mark.parametrize("attack", looking.LOOKING, ids=str)
def test_there_is_nothing_to_be_found(small, attack):
    if not strongest().namespaces:
        pytest.skip("without namespaces a process sees what its user may see, as the guide says")
    assert_repelled(graded(small, answered(small, attack.answers)), attack)


@LINUX
def test_no_network_from_inside(small):
    if not strongest().namespaces:
        pytest.skip("without namespaces there is a network")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        body = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), timeout=1)"
        score = graded(small, answered(small, {"sm-keep": inside(body)}))
        with pytest.raises(TimeoutError):
            server.accept()
    assert_repelled(score, attack("network", "", RAISED))
