"""%%python: rich displays, widgets (their text), much output, and the magics of IPython that test_python.py leaves out."""
import base64
import os
import re
import signal
from pathlib import Path

import pytest
from jupyter_wire import Kernel, streams

from conftest import KERNEL, program, wait_until

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET = """import comm
from IPython.display import display
class Slider:
    def __init__(self):
        self.heard = []
        self.comm = comm.create_comm(target_name="jupyter.widget", data={"state": {"value": 5}}, metadata={"version": "2.1.0"},
                                     buffers=[b"some bytes"])
        self.comm.on_msg(self.heard.append)
        self.comm.send({"method": "update", "state": {"value": 6}})
    def _repr_mimebundle_(self, **_):
        return {"text/plain": "Slider(value=6)",
                "application/vnd.jupyter.widget-view+json": {"version_major": 2, "version_minor": 0, "model_id": self.comm.comm_id}}
"""


@pytest.fixture(scope="module")
def started(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        yield kernel


@pytest.fixture
def client(started):
    return started.client()


def ok(client, code):
    reply, outputs = client.run("%%python\n" + code)
    assert reply["content"]["status"] == "ok", reply["content"]
    return outputs[1:]


# ---- widgets

def test_a_widget_shows_its_text(client):
    (result,) = ok(client, WIDGET + "w = Slider()\nw")
    assert result["msg_type"] == "execute_result" and result["content"]["data"] == {"text/plain": "Slider(value=6)"}
    shown = ok(client, "h = display(w, display_id='widget')\nh.update(w)")
    assert [m["msg_type"] for m in shown] == ["display_data", "update_display_data"]
    assert [m["content"]["data"] for m in shown] == [{"text/plain": "Slider(value=6)"}] * 2
    assert not ok(client, "w.comm.send({'method': 'update'}); w.comm.close()")
    (result,) = ok(client, "display({'application/vnd.jupyter.widget-view+json': {'model_id': 'x'}}, raw=True)")
    assert VIEW in result["content"]["data"]  # without a text there is nothing better


def test_a_comm_of_python_is_not_one_of_the_kernels(client):
    """What a front end says to it is answered as for any comm that is not there, and Python lives on."""
    ok(client, WIDGET + "w = Slider()")
    (stream,) = ok(client, "print(w.comm.comm_id)")
    comm_id = stream["content"]["text"].strip()
    told = client.request("comm_info_request", {"target_name": "jupyter.widget"})
    assert told == {"status": "ok", "comms": {}}
    client.outputs(client.send("comm_msg", {"comm_id": comm_id, "data": {"method": "update", "state": {"value": 7}}}))
    (stream,) = ok(client, "print(w.heard)")
    assert stream["content"]["text"] == "[]\n"


# ---- rich displays

def test_pictures_and_tables_keep_their_kinds(client):
    (picture,) = ok(client, f"from IPython.display import Image, display\nImage({PNG!r})")
    assert base64.b64decode(picture["content"]["data"]["image/png"]) == PNG
    (shown,) = ok(client, "class Frame:\n    def _repr_html_(self):\n        return '<table><tr><td>1</td></tr></table>'\n"
                          "    def __repr__(self):\n        return '   a\\n0  1'\nFrame()")
    assert shown["content"]["data"] == {"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "   a\n0  1"}
    (sized,) = ok(client, f"display(Image({PNG!r}, width=7))")
    assert sized["content"]["metadata"] == {"image/png": {"width": 7}}


def test_a_display_is_updated_from_a_later_cell(client):
    (first,) = ok(client, "from IPython.display import display, update_display, clear_output\n_ = display('old', display_id='kept')")
    (second,) = ok(client, "update_display('new', display_id='kept')")
    assert first["content"]["transient"] == second["content"]["transient"] == {"display_id": "kept"}
    assert second["msg_type"] == "update_display_data" and second["content"]["data"] == {"text/plain": "'new'"}
    assert [m["content"] for m in ok(client, "clear_output(); clear_output(wait=True)")] == [{"wait": False}, {"wait": True}]


def test_ten_megabytes_come_whole(client):
    text = streams(ok(client, "for i in range(10):\n    print(str(i) * (1 << 20))"))
    assert text == "".join(str(i) * (1 << 20) + "\n" for i in range(10))
    (result,) = ok(client, "'y' * (10 << 20)")
    assert result["content"]["data"]["text/plain"] == "'" + "y" * (10 << 20) + "'"


# ---- magics of IPython

@pytest.mark.parametrize("code, words", [
    ("%timeit -n 1 -r 1 sum(range(9))", "per loop"), ("%time sum(range(9))", "Wall time"), ("%%time\nsum(range(9))", "Wall time"),
    ("%timeit -n 1 -r 1 pass\n'then more'", "per loop"), ("!echo from; echo two", "two"), ("%pwd\n%who_ls\nprint('end')", "end"),
    ("found = !printf 'a\\nb'\nprint(list(found))", "['a', 'b']"), ("%%bash\necho $((6 * 7))", "42"),
    ("word = 'x'\n!echo {word}y", "xy"), ("%%capture held\nprint('hidden')", "")])
def test_magics(client, code, words):
    text = streams(ok(client, code))
    assert words in text if words else text == ""


def test_questions_of_ipython(client):
    ok(client, "def teach(n):\n    'what it teaches'")
    for question, words in (("teach?", "what it teaches"), ("?teach", "what it teaches"), ("teach??", "def teach(n)")):
        payload = client.run("%%python\n" + question)[0]["content"]["payload"]
        assert words in re.sub(r"\x1b\[[0-9;]*m", "", payload[0]["data"]["text/plain"])


# ---- the end while a cell runs

@pytest.mark.parametrize("how, said", [(signal.SIGKILL, "was ended by signal 9"), (signal.SIGSEGV, "was ended by signal 11")])
def test_a_child_that_is_killed_in_a_cell(workspace, how, said):
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        client = kernel.client()
        cell = client.execute("%%python\nimport os, time\nprint(os.getpid(), 'begun', flush=True)\ntime.sleep(600)")
        pid = int(client.until(cell, "stream", "begun")["content"]["text"].split()[0])
        os.kill(pid, how)
        content = client.reply(cell)["content"]
        assert content["ename"] == "ProcessEnded" and said in content["evalue"], content
        assert wait_until(lambda: not Path(f"/proc/{pid}").exists())
        client.outputs(cell, [{"content": {"execution_state": "busy"}}])
        assert "42" in str(ok(client, "6 * 7")[-1]["content"])
