"""jupyter_kernel_test against the kernel as it is shipped, with SQL on an instance of a workspace.

Skipped in there: test_pager (nothing here is shown by a pager) and test_clear_output (outputs are updated in place, never
cleared); the kernel does not offer these.
"""
import os

import jupyter_kernel_test
import pytest
from jupyter_client.manager import start_new_kernel


@pytest.fixture(scope="module", autouse=True)
def environment(kernelspec, workspace):
    before = os.environ["LAKEBASE_STATE_DIR"]
    os.environ["LAKEBASE_STATE_DIR"] = str(workspace.state_dir)
    yield
    os.environ["LAKEBASE_STATE_DIR"] = before


class TestLakebaseKernel(jupyter_kernel_test.KernelTests):
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
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "*answer*"

    @classmethod
    def setUpClass(cls):
        cls.km, cls.kc = start_new_kernel(kernel_name=cls.kernel_name)
        cls.addClassCleanup(cls.km.shutdown_kernel, now=True)
        for code in ("%instance create jkt", "%connect jkt"):
            reply = cls.kc.execute_interactive(code, timeout=60, store_history=False, output_hook=lambda m: None)
            assert reply["content"]["status"] == "ok", reply["content"]


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "lakebase"
    support_iopub_welcome = True
