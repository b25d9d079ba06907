"""%%warehouse in the kernel as it is shipped: what an interrupt, and the end of the kernel, do to the statement."""
import json
import urllib.request

import pytest
from jupyter_wire import Kernel, streams

from conftest import KERNEL, program, wait_until

LONG = "%%warehouse\nSELECT count(*) FROM range(100000000000) WHERE id % 7 = 3"


def active(workspace):
    """How many statements have not ended."""
    env = workspace.env
    asked = urllib.request.Request(f"{env['DATABRICKS_HOST']}/api/2.0/sql/warehouses",
                                   headers={"Authorization": f"Bearer {env['DATABRICKS_TOKEN']}"})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return json.load(answer)["warehouses"][0]["num_active_sessions"]


@pytest.mark.parametrize("end", ["interrupt", "shutdown", "sigterm"])
def test_the_statement_ends_on_the_server(workspace, end):
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        client = kernel.client()
        assert client.run("%%warehouse\nUSE SCHEMA default")[0]["content"]["status"] == "ok"
        cell = client.execute(LONG)
        assert wait_until(lambda: active(workspace) == 1)
        if end == "interrupt":
            client.send("interrupt_request", channel="control")
            assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
        elif end == "shutdown":
            client.send("shutdown_request", {"restart": False}, channel="control")
            assert kernel.ended() == 0
        else:
            kernel.process.terminate()
            assert kernel.ended() == 0
        assert wait_until(lambda: active(workspace) == 0)
        if end == "interrupt":
            reply, outputs = client.run("%%warehouse\nSELECT current_schema() AS schema")
            assert reply["content"]["status"] == "ok" and not streams(outputs)
