"""jupyter_kernel_test against the kernel as it is shipped, with SQL on an instance of a workspace: every attribute is
set, so nothing in there is skipped. Once over tcp and once over ipc. What only Python has (a pager, clear_output) is asked
of the Python beside the kernel.
"""
import os

import jupyter_kernel_test
import pytest
from jupyter_client.manager import KernelManager


@pytest.fixture(scope="module", autouse=True)
def environment(kernelspec, workspace):
    before = os.environ["LAKEBASE_STATE_DIR"]
    os.environ["LAKEBASE_STATE_DIR"] = str(workspace.state_dir)
    yield
    os.environ["LAKEBASE_STATE_DIR"] = before


class TestTcp(jupyter_kernel_test.KernelTests):
    transport = "tcp"
    kernel_name = "lakebase"
    language_name = "sql"
    file_extension = ".sql"
    code_hello_world = "%%bash\necho hello, world"
    code_stderr = "%%bash\necho oops >&2"
    completion_samples = [
        {"text": "%ver", "matches": {"%version"}},
        {"text": "%instance crea", "matches": {"create"}},
        {"text": "%%bas", "matches": {"%%bash"}},
        {"text": "zzqqxx", "matches": set()},
    ]
    complete_code_samples = ["SELECT 1;", "%version", "%%bash\necho x", "SELECT $$;$$;", "\\dt"]
    incomplete_code_samples = ["SELECT 1", "SELECT 'x", "SELECT (1", "/* not closed", "SELECT $$ x;"]
    code_generate_error = "SELECT no_such_column;"
    code_execute_result = [
        {"code": "SELECT 41 + 1 AS answer;", "result": " answer \n--------\n     42\n(1 row)"},
        {"code": "SELECT 41 + 1 AS answer;", "mime": "text/html"},
        {"code": "VALUES ('ä', NULL);", "mime": "text/plain"},
    ]
    code_display_data = [{"code": "SELECT 1; SELECT 2;", "mime": "text/plain"},
                         {"code": "SELECT 1; SELECT 2;", "mime": "text/html"}]
    code_inspect_sample = "%instance"
    code_page_something = "%%python\nlen?"
    code_clear_output = "%%python\nfrom IPython.display import clear_output\nclear_output()"
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "*answer*"

    @classmethod
    def setUpClass(cls):
        cls.km = KernelManager(kernel_name=cls.kernel_name, transport=cls.transport)
        cls.km.start_kernel()
        assert cls.km.get_connection_info()["transport"] == cls.transport
        cls.addClassCleanup(cls.km.shutdown_kernel, now=True)
        cls.kc = cls.km.blocking_client()
        cls.kc.start_channels()
        cls.kc.wait_for_ready(timeout=60)
        for code in (f"%instance create jkt-{cls.transport}", f"%connect jkt-{cls.transport}", "%%python\n1"):
            reply = cls.kc.execute_interactive(code, timeout=60, store_history=False, output_hook=lambda m: None)
            assert reply["content"]["status"] == "ok", reply["content"]


class TestIpc(TestTcp):
    transport = "ipc"


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "lakebase"
    support_iopub_welcome = True
