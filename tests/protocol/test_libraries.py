"""Libraries of first use that are gone since the installation: an error of the cell, and the kernel lives on."""
import pytest
from jupyter_wire import Kernel, streams

from conftest import KERNEL, program


@pytest.mark.parametrize("soname, cell", [("libcurl.so.4", "%instance list"),
                                          ("libpq.so.5", "%connect host=127.0.0.1 port=1 dbname=none")])
def test_a_library_that_does_not_load_is_an_error_of_the_cell(workspace, tmp_path, soname, cell):
    (tmp_path / soname).write_text("this is no library")
    with Kernel(program(KERNEL), workspace.state_dir, environ={"LD_LIBRARY_PATH": str(tmp_path)}) as kernel:
        client = kernel.client()
        refused = client.run(cell)[0]["content"]
        assert refused["ename"] == "ConfigError" and f"cannot load {soname}" in refused["evalue"], refused
        assert client.run(cell)[0]["content"]["evalue"] == refused["evalue"], "once more, without the loader"
        reply, outputs = client.run("%%bash\necho still here")
        assert reply["content"]["status"] == "ok" and streams(outputs) == "still here\n"
