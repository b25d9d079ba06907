"""A kernel driven as JupyterLab drives it, for tests of labs: run cells, run a lab up to one of them, ask a check."""
from jupyter_client.manager import start_new_kernel

import notebook_tools as tools


class Kernel:
    def __init__(self, environ):
        self.manager, self.client = start_new_kernel(kernel_name="lakebase", env=environ, startup_timeout=30)

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)

    def run(self, code):
        """(error content or None, all text shown)"""
        asked, shown = self.client.execute(code, allow_stdin=False), []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != asked:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "status" and content["execution_state"] == "idle":
                break
            if kind == "stream":
                shown.append(content["text"])
            elif kind in ("display_data", "execute_result"):
                shown.append(content["data"]["text/plain"])
        reply = self.client.get_shell_msg(timeout=10)["content"]
        return (reply if reply["status"] == "error" else None), "".join(shown)

    def must(self, code):
        error, text = self.run(code)
        assert not error, f"{code}\n{error['ename']}: {error['evalue']}"
        return text

    def check(self, name):
        """None when green, else what the check says."""
        error, text = self.run(f"%lab check {name}")
        if error:
            assert error["ename"] == "CheckFailed", error
            return error["evalue"] + "\n" + "\n".join(error["traceback"])
        assert text, "a green check says so"
        return None


class Walk:
    """A lab in a kernel, run from its first cell as far as it was asked for."""

    def __init__(self, kernel, path):
        self.kernel, self.cells, self.done = kernel, tools.code_cells(tools.read(path)), 0

    def to(self, cell_id):
        """Run up to this cell, and not the cell itself."""
        stop = [cell["id"] for cell in self.cells].index(cell_id)
        while self.done < stop:
            cell = self.cells[self.done]
            error, _ = self.kernel.run(cell.source)
            assert bool(error) == ("raises-exception" in tools.tags(cell)), (cell["id"], error)
            self.done += 1

    def to_check(self, name):
        """Up to the check cell of an exercise, its solution included."""
        self.to(next(cell["id"] for cell in self.cells if cell.source.split()[-1:] == [name] and "check" in tools.tags(cell)))


def goes_red(kernel, name, harm, words, repair):
    """The check is red after `harm`, with these words in its first line, and green after `repair`."""
    assert kernel.check(name) is None, f"{name} is red before anything was harmed"
    kernel.run(harm)
    said = kernel.check(name)
    assert said, f"{name} is green although: {harm}"
    assert words in said.splitlines()[0], said
    assert "None" not in said and "{" not in said.splitlines()[0], said
    kernel.must(repair)
    assert kernel.check(name) is None, f"{name} is red after: {repair}"
