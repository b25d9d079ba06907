"""Sixty clients at once (the soak: 500): no call fails, nothing that was said to be done is lost."""
import http.client
import re

import pytest

from api import Api
from conftest import ROOT, wait_until
from storm import check, prepare, storm


@pytest.mark.parametrize("clients, calls", [(60, 10)])
def test_mixed_calls(own_workspace, clients, calls):
    api = Api.of(own_workspace)
    prepare(api)
    threads = storm(api, clients, calls)
    check(api, threads)
    assert sum(len(t.took) for t in threads) >= clients * calls
    assert "ERROR" not in (own_workspace.state_dir / "workspace.log").read_text()


def test_as_many_connections_as_there_may_be(own_workspace):
    """One more is closed without an answer; the others are served, and there is room again when some go."""
    most = int(re.search(r"SERVER_MAX_CONNECTIONS = (\d+)", (ROOT / "kernel/workspace/server.h").read_text()).group(1))
    api = Api.of(own_workspace)

    def call(conn):
        conn.request("GET", "/api/2.0/preview/scim/v2/Me", headers={"Authorization": f"Bearer {api.token}"})
        return conn.getresponse().read()

    def answers():
        conn = http.client.HTTPConnection(api.address, timeout=30)
        try:
            return b"userName" in call(conn)
        except (http.client.HTTPException, OSError):
            return False
        finally:
            conn.close()

    kept = [http.client.HTTPConnection(api.address, timeout=30) for _ in range(most)]
    assert all(b"userName" in call(conn) for conn in kept)
    assert not answers()
    assert all(b"userName" in call(conn) for conn in (kept[0], kept[-1]))
    for conn in kept[:5]:
        conn.close()
    assert wait_until(answers)
    for conn in kept:
        conn.close()
