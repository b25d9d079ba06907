"""%%python: a real ipykernel behind the kernel. What it shows, fails with, asks for and completes goes out as the kernel's own
(every message is checked in jupyter_wire: one session id, the specification's content)."""
import json
import os
import re
import signal
from pathlib import Path

import pytest
from jupyter_wire import PATIENCE, Kernel, streams

from conftest import KERNEL, program, wait_until

BUSY = [{"content": {"execution_state": "busy"}}]  # was read before
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def started(workspace):
    """One kernel for the tests that leave nothing behind."""
    with Kernel(program(KERNEL), workspace.state_dir) as kernel:
        yield kernel


@pytest.fixture
def client(started):
    return started.client()


@pytest.fixture
def kernel(workspace):
    with Kernel(program(KERNEL), workspace.state_dir) as own:
        yield own


def python(client, code, **options):
    return client.run("%%python\n" + code, **options)


def value(client, code):
    """What an expression is in Python."""
    reply, outputs = python(client, code)
    assert reply["content"]["status"] == "ok", reply["content"]
    return outputs[-1]["content"]["data"]["text/plain"]


def pid_of(client):
    return int(value(client, "__import__('os').getpid()"))


def alive(pid):
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until_in_cell(client, cell):
    client.until(cell, "stream", "begun")


# ---- outputs

def test_outputs_come_in_order_under_the_cell(client):
    reply, outputs = python(client, "import sys\nfrom IPython.display import display, clear_output, HTML\n"
                                    "print('one'); print('two', file=sys.stderr)\n"
                                    "h = display(HTML('<b>x</b>'), display_id='mine'); h.update(HTML('<i>y</i>'))\n"
                                    "clear_output(wait=True)\n6 * 7")
    count = reply["content"]["execution_count"]
    kinds = [m["msg_type"] for m in outputs]
    assert kinds[0] == "execute_input" and kinds[1:] == [
        "stream", "stream", "display_data", "update_display_data", "clear_output", "execute_result"]
    assert streams(outputs) == "one\n" and streams(outputs, "stderr") == "two\n"
    assert outputs[0]["content"]["code"].startswith("%%python\n")
    assert outputs[3]["content"]["transient"] == {"display_id": "mine"}
    assert outputs[4]["content"]["data"]["text/html"] == "<i>y</i>"
    assert outputs[5]["content"] == {"wait": True}
    assert outputs[6]["content"]["execution_count"] == count
    assert outputs[6]["content"]["data"] == {"text/plain": "42"}


def test_variables_stay_and_sql_runs_between(client):
    before = python(client, "kept = [1, 2]")[0]["content"]["execution_count"]
    client.run("%version")
    reply, outputs = python(client, "kept")
    assert outputs[-1]["content"]["data"]["text/plain"] == "[1, 2]"
    assert reply["content"]["execution_count"] == before + 2


def test_the_number_of_a_cell_is_the_notebooks(client):
    client.run("%version")
    reply, _ = python(client, "def f():\n    raise KeyError('x')\nf()")
    number = reply["content"]["execution_count"]
    text = ANSI.sub("", "\n".join(reply["content"]["traceback"]))
    assert f"In[{number}], line 4" in text and f"In[{number}], line 3, in f()" in text


@pytest.mark.parametrize("cell, line", [
    ("%%python\n1/0", 2), ("%%python\n\n\n1/0", 4), ("%%python --status\n1/0", 2), ("\n%%python\n1/0", 3),
    ("%%python\n    x = 1\n    1/0", 3), ("%%python\n# NBVAL_IGNORE_OUTPUT\n1/0", 3)])
def test_a_traceback_counts_lines_as_the_cell(client, cell, line):
    reply, outputs = client.run(cell)
    content = reply["content"]
    assert (content["status"], content["ename"], content["evalue"]) == ("error", "ZeroDivisionError", "division by zero")
    assert f"line {line}\n" in ANSI.sub("", "\n".join(content["traceback"]))
    shown = [m["content"] for m in outputs if m["msg_type"] == "error"]
    assert shown == [{key: content[key] for key in ("ename", "evalue", "traceback")}]


def test_a_syntax_error_names_its_line(client):
    reply, _ = python(client, "x = 1\ny = (")
    assert reply["content"]["ename"] == "SyntaxError"
    assert "line 3" in reply["content"]["evalue"]


def test_magics_of_ipython_work(client):
    assert "per loop" in streams(python(client, "%%timeit -n 1 -r 1\npass")[1])
    assert streams(python(client, "!echo from a shell")[1]).strip() == "from a shell"
    reply, _ = python(client, "int?")
    assert "integer" in reply["content"]["payload"][0]["data"]["text/plain"]


def test_a_failure_aborts_what_was_sent_with_it(client):
    cells = [client.execute("%%python\n" + code) for code in ("raise ValueError('no')", "1", "2")]
    assert [client.reply(cell)["content"]["status"] for cell in cells] == ["error", "aborted", "aborted"]
    for cell in cells:
        client.outputs(cell)
    assert value(client, "'after'") == "'after'"


def test_an_error_that_code_shows_itself_is_not_the_cells(client):
    reply, outputs = python(client, "try:\n    1/0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()\n'on'")
    assert reply["content"]["status"] == "ok"
    assert [m["msg_type"] for m in outputs] == ["execute_input", "error", "execute_result"]


def test_a_thread_prints_under_its_cell_when_that_has_ended(client, tmp_path):
    os.mkfifo(tmp_path / "go")
    cell = client.execute(f"%%python\nimport threading\ndef late():\n    open({str(tmp_path / 'go')!r}).read(); "
                          "print('late')\nthreading.Thread(target=late).start()")
    client.reply(cell)
    client.outputs(cell)
    (tmp_path / "go").write_text("now")
    client.until(cell, "stream", "late")


def test_silent_cells_show_nothing_and_count_nothing(client):
    before = python(client, "1")[0]["content"]["execution_count"]
    reply, outputs = python(client, "secretly = 5; print('x'); secretly", silent=True, store_history=False)
    assert not outputs and reply["content"]["status"] == "ok"
    reply, outputs = python(client, "secretly")
    assert reply["content"]["execution_count"] == before + 1
    assert outputs[-1]["content"]["data"]["text/plain"] == "5"


def test_user_expressions_are_answered_by_python(client):
    reply, _ = python(client, "a = 3", user_expressions={"twice": "a * 2", "bad": "nothing"})
    told = reply["content"]["user_expressions"]
    assert told["twice"]["data"]["text/plain"] == "6" and told["bad"]["ename"] == "NameError"


def test_results_are_in_the_history(client):
    reply, _ = python(client, "'remember ' + 'me'")
    found = client.request("history_request", {"output": True, "raw": True, "hist_access_type": "tail", "n": 1})["history"]
    assert found[0][1:] == [reply["content"]["execution_count"], ["%%python\n'remember ' + 'me'", "'remember me'"]]


def test_long_output_is_cut_at_64_mib_and_says_so(kernel):
    client = kernel.client()
    reply, outputs = python(client, "for i in range(70):\n    print('x' * (1 << 20), flush=True)\n'end'")
    assert reply["content"]["status"] == "ok" and len(streams(outputs)) <= 64 << 20
    assert "more than 64 MiB" in streams(outputs, "stderr") and outputs[-1]["msg_type"] == "execute_result"


def test_a_message_that_is_too_large_is_dropped_and_the_cell_ends(kernel):
    client = kernel.client()
    reply, outputs = python(client, "from IPython.display import display\n"
                                    "display({'text/plain': 'x' * (65 << 20)}, raw=True)\n'end'")
    assert reply["content"]["status"] == "ok"
    assert "was dropped" in streams(outputs, "stderr") and "end" in str(outputs[-1]["content"])


# ---- input

def answer(client, cell, text, password):
    request = client.receive("stdin")
    assert request["parent_header"]["msg_id"] == cell
    assert request["content"]["password"] is password
    client.send("input_reply", {"value": text}, "stdin", parent=request["header"])
    return request["content"]["prompt"]


def test_input_and_getpass_ask_the_front_end(client):
    cell = client.execute("%%python\nimport getpass\nname = input('Who? '); word = getpass.getpass('Word? ')\n"
                          "(name, len(word))", allow_stdin=True)
    assert answer(client, cell, "Ada", False) == "Who? "
    assert answer(client, cell, "geheim", True) == "Word? "
    assert client.reply(cell)["content"]["status"] == "ok"
    outputs = client.outputs(cell)
    assert outputs[-2]["content"]["data"]["text/plain"] == "('Ada', 6)"
    assert "geheim" not in json.dumps(outputs)


def test_a_closed_prompt_is_the_end_of_input(client):
    cell = client.execute("%%python\ninput()", allow_stdin=True)
    answer(client, cell, "\x04", False)
    assert client.reply(cell)["content"]["ename"] == "EOFError"
    client.outputs(cell)


def test_input_fails_where_nobody_can_be_asked(client):
    assert python(client, "input()")[0]["content"]["ename"] == "StdinNotImplementedError"


def test_a_prompt_can_be_interrupted(client):
    cell = client.execute("%%python\ninput('? ')", allow_stdin=True)
    client.receive("stdin")
    client.send("interrupt_request", channel="control")
    assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
    client.outputs(cell)
    assert value(client, "1") == "1"


# ---- interrupts

@pytest.mark.parametrize("how", ["message", "signal"])
def test_an_interrupt_is_a_keyboard_interrupt(started, client, how):
    cell = client.execute("%%python\nimport time\nmark = 7\nprint('begun', flush=True)\ntime.sleep(1000)")
    until_in_cell(client, cell)
    if how == "message":
        client.send("interrupt_request", channel="control")
    else:
        os.kill(started.process.pid, signal.SIGINT)
    assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
    client.outputs(cell, BUSY)
    assert value(client, "mark") == "7"


def test_an_interrupt_that_comes_at_once_is_not_lost(client):
    python(client, "import time")
    for _ in range(100):
        cell = client.execute("%%python\ntime.sleep(1000)")
        client.until(cell, "execute_input")
        client.send("interrupt_request", channel="control")
        assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
        client.outputs(cell, BUSY)
    assert value(client, "'alive'") == "'alive'"


def test_code_may_catch_the_interrupt(client):
    cell = client.execute("%%python\nimport time\ntry:\n    print('begun', flush=True); time.sleep(1000)\n"
                          "except KeyboardInterrupt:\n    caught = True\ncaught")
    until_in_cell(client, cell)
    client.send("interrupt_request", channel="control")
    assert client.reply(cell)["content"]["status"] == "ok"
    assert client.until(cell, "execute_result")["content"]["data"]["text/plain"] == "True"


def test_a_program_of_the_cell_is_interrupted_too(client):
    cell = client.execute("%%python\n!echo begun; sleep 1000")
    until_in_cell(client, cell)
    client.send("interrupt_request", channel="control")
    client.reply(cell)
    client.outputs(cell, BUSY)
    assert value(client, "'free'") == "'free'"


def test_a_start_can_be_interrupted_and_goes_on(kernel, tmp_path):
    client = kernel.client()
    cell = client.execute("%%python\n1")
    client.until(cell, "execute_input")
    client.send("interrupt_request", channel="control")
    assert client.reply(cell)["content"]["ename"] == "KeyboardInterrupt"
    client.outputs(cell, BUSY)
    assert value(client, "40 + 2") == "42"


# ---- completion, inspection

def ask(client, kind, code, at=None, **more):
    return client.request(kind, {"code": code, "cursor_pos": len(code) if at is None else at, **more})


def ask_until(client, kind, code, answered, **more):
    """The first answer takes Python long (it loads its analysis), and who types is not kept waiting: they ask again."""
    for _ in range(20):
        found = ask(client, kind, code, **more)
        if answered(found):
            break
    return found


def test_completion_knows_the_variables(client):
    python(client, "a_long_name = 1")
    code = "%%python\nä = '€'; a_long_na"
    found = ask_until(client, "complete_request", code, lambda found: found["matches"])
    assert found["matches"] == ["a_long_name"]
    assert code[found["cursor_start"]:found["cursor_end"]] == "a_long_na"
    types = found["metadata"]["_jupyter_types_experimental"]
    assert [code[t["start"]:t["end"]] for t in types] == ["a_long_na"]


def test_inspection_knows_the_variables(client):
    python(client, "def teach():\n    'what it teaches'")
    found = ask_until(client, "inspect_request", "%%python\nteach", lambda found: found["found"], detail_level=0)
    assert found["found"] and "what it teaches" in found["data"]["text/plain"]
    assert not ask(client, "inspect_request", "%%python\nnothing_here", detail_level=0)["found"]


def test_the_first_line_is_the_magics_own(client):
    python(client, "1")
    assert "--restart" in ask(client, "complete_request", "%%python --re\n1", at=13)["matches"]
    assert "Python" in ask(client, "inspect_request", "%%python\n1", at=4, detail_level=0)["data"]["text/plain"]


def test_is_complete_asks_python(client):
    python(client, "1")
    assert client.request("is_complete_request", {"code": "%%python\nfor i in x:"}) == {
        "status": "incomplete", "indent": "    "}
    assert client.request("is_complete_request", {"code": "%%python\nx = 1"})["status"] == "complete"
    assert client.request("is_complete_request", {"code": "%%python\nx = )"})["status"] == "invalid"


def test_completion_works_while_a_cell_runs(client):
    ask(client, "complete_request", "%%python\na_long_na")
    cell = client.execute("%%python\nimport time\nanother_name = 1\nprint('begun', flush=True)\ntime.sleep(1000)")
    until_in_cell(client, cell)
    assert ask(client, "complete_request", "%%python\nanother_na")["matches"] == ["another_name"]
    client.send("interrupt_request", channel="control")
    client.reply(cell)
    client.outputs(cell, BUSY)


def test_nothing_is_started_for_completion(kernel):
    client = kernel.client()
    assert ask(client, "complete_request", "%%python\nprin")["matches"] == []
    assert streams(client.run("%%python --status")[1]) == "Python does not run.\n"


# ---- life and death

def test_a_crash_is_told_and_the_next_cell_starts_anew(kernel):
    client = kernel.client()
    first = pid_of(client)
    reply, outputs = python(client, "x = 1\nimport os; os._exit(3)")
    assert reply["content"]["ename"] == "ProcessEnded"
    assert reply["content"]["evalue"] == "Python ended with exit status 3 while it ran this cell"
    reply, outputs = python(client, "'x' in globals()")
    assert reply["content"]["status"] == "ok" and outputs[-1]["content"]["data"]["text/plain"] == "False"
    assert "the one before ended with exit status 3. Its variables" in streams(outputs, "stderr")
    assert pid_of(client) != first
    assert not streams(python(client, "1")[1], "stderr")


def test_an_end_between_cells_is_told(kernel):
    client = kernel.client()
    first = pid_of(client)
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: not Path(f"/proc/{first}").exists())
    assert "was ended by signal 9" in streams(python(client, "1")[1], "stderr")


def test_restart_and_status(kernel):
    client = kernel.client()
    first = pid_of(client)
    python(client, "x = 1")
    reply, outputs = client.run("%%python --restart\n'x' in globals()")
    assert outputs[-1]["content"]["data"]["text/plain"] == "False" and not streams(outputs, "stderr")
    assert wait_until(lambda: not alive(first))
    said = streams(client.run("%%python --status")[1])
    assert re.match(rf"Python 3\.\d+\.\d+ runs as process {pid_of(client)}: .*python", said), said


def folder_of(client):
    return Path(value(client, "__import__('lakebase').__file__").strip("'")).parent


@pytest.mark.parametrize("end", ["shutdown", "restart", "sigterm", "sigkill"])
@pytest.mark.parametrize("doing", ["nothing", "sleeping", "deaf"])
def test_python_ends_with_the_kernel(kernel, end, doing):
    client = kernel.client()
    pid, folder = pid_of(client), folder_of(client)
    if doing != "nothing":
        deaf = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])\n"
        cell = client.execute("%%python\n" + (deaf if doing == "deaf" else "") +
                              "import time, subprocess\nsubprocess.Popen(['sleep', '1000'])\n"
                              "print('begun', flush=True)\nwhile True:\n    time.sleep(1000)")
        until_in_cell(client, cell)
    if end in ("shutdown", "restart"):
        client.send("shutdown_request", {"restart": end == "restart"}, channel="control")
    else:
        os.kill(kernel.process.pid, signal.SIGTERM if end == "sigterm" else signal.SIGKILL)
    status = kernel.ended()
    assert status == (-9 if end == "sigkill" else 0)
    assert wait_until(lambda: not alive(pid), PATIENCE)
    assert end == "sigkill" or not folder.exists()


def test_the_folder_of_a_killed_kernel_goes_with_the_next_python(workspace, kernel, started):
    client, other = kernel.client(), started.client()
    left, used = folder_of(client), folder_of(other)
    kernel.process.kill()
    kernel.ended()
    assert left.exists() and left != used
    with Kernel(program(KERNEL), workspace.state_dir) as again:
        python(again.client(), "1")
        assert not left.exists() and used.exists()
    assert value(other, "1") == "1"


def test_atexit_functions_run_at_the_end(kernel, tmp_path):
    client = kernel.client()
    python(client, f"import atexit; atexit.register(lambda: open({str(tmp_path / 'said')!r}, 'w').write('bye'))")
    client.send("shutdown_request", {"restart": False}, channel="control")
    assert kernel.ended() == 0 and (tmp_path / "said").read_text() == "bye"


@pytest.mark.parametrize("name, content, why", [
    ("nowhere", None, "cannot run /"),
    ("bare", "#!/bin/sh\nexec {python} -S \"$@\"\n", "pip install ipykernel"),
    ("broken", "#!/bin/sh\necho it is broken >&2\nexit 7\n", "ended with exit status 7 before it was ready: it is broken")])
def test_a_python_that_cannot_be_used_is_told(workspace, tmp_path, name, content, why):
    path = tmp_path / name
    if content:
        real = os.popen("python3 -c 'import sys; print(sys._base_executable)'").read().strip()
        path.write_text(content.format(python=real))
        path.chmod(0o755)
    with Kernel(program(KERNEL), workspace.state_dir, environ={"LAKEBASE_PYTHON": str(path)}) as kernel:
        client = kernel.client()
        for _ in range(2):  # not only once
            reply, _ = python(client, "1")
            assert reply["content"]["status"] == "error"
            assert why in "\n".join(reply["content"]["traceback"])
        assert client.run("%version")[0]["content"]["status"] == "ok"


def test_what_cannot_be_run_is_refused(client):
    reply, _ = python(client, "'a\0b'")
    assert reply["content"]["ename"] == "SyntaxError" and "NUL" in reply["content"]["evalue"]
    assert python(client, "")[0]["content"]["status"] == "ok"
    assert client.run("%%python --sttus\n1")[0]["content"]["ename"] == "UsageError"
