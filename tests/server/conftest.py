"""One server for each module of tests, so that its start is paid once."""

from collections.abc import Iterator

import pytest

from tests.serving import Server, served_here


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served_here(tmp_path_factory.mktemp("served") / "dir", usernames=("client1", "client2")) as one:
        yield one


@pytest.fixture
def headers(server: Server) -> dict[str, str]:
    return server.headers()
