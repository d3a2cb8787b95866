"""The stand-in as its own tests want it."""

import pytest


@pytest.fixture
def host(host):
    """The running stand-in, with an empty scene and no dialogs left over."""
    host.reset()
    yield host
    host.reset()
