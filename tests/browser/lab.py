"""JupyterLab on a free port, and one notebook of it in headless Chromium. It knows nothing of our kernel.

Every wait is for a condition in the page or the server; what a condition means is said where it is asked.
"""
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from playwright.sync_api import TimeoutError

TOKEN = "browser-test"
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
                 "--disable-background-networking", "--disable-component-update"]
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
# No news, no saving behind the test's back, all cells in the page, and what is typed is what stands there.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none"},
    "docmanager-extension/plugin": {"autosave": False},
    "codemirror-extension/plugin": {"defaultConfig": {"autoClosingBrackets": False}},
}
PAGE_JS = (Path(__file__).parent / "page.js").read_text()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Lab:
    """A JupyterLab server of the project folder `root`, or of a copy of it, started as `make lab` does; its settings
    and its log live in the folder `home`."""

    def __init__(self, home, root, environ):
        self.home, self.root = Path(home), Path(root)
        self.log = self.home / "jupyter.log"
        for name, values in SETTINGS.items():
            path = self.home / f"settings/@jupyterlab/{name}.jupyterlab-settings"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(values))
        self.environ = {**environ, "JUPYTERLAB_SETTINGS_DIR": str(self.home / "settings"),
                        "JUPYTERLAB_WORKSPACES_DIR": str(self.home / "workspaces")}
        self.process = None

    def start(self):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        argv = ["sh", "docker/lab.sh", "--no-browser", "--ip=127.0.0.1", "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={TOKEN}", "--LabApp.extension_manager=readonly",
                "--LabApp.expose_app_in_browser=True", "--ServerApp.terminals_enabled=False"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, env={**self.environ, "LAB_PORT": str(port)}, cwd=self.root,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            start_new_session=True)
        deadline = time.monotonic() + 60
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                return self.get("/api") and self
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)  # the server is not listening yet; there is nothing else to wait on
        self.stop()
        raise AssertionError(f"JupyterLab did not start:\n{self.log.read_text(errors='replace')[-3000:]}")

    def get(self, path):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {TOKEN}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def stop(self):
        """Ends the server and, through it, its kernels."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def url_of(self, notebook):
        return f"{self.url}/lab/tree/{urllib.parse.quote(notebook)}?reset&token={TOKEN}"


class Notebook:
    """A notebook open in a page of its own."""

    def __init__(self, browser, lab, name, width=1400, height=1000):
        self.lab, self.name, self.path = lab, name, lab.root / name
        self.page = browser.new_page(viewport={"width": width, "height": height})
        self.page.set_default_timeout(20_000)
        self.page.emulate_media(reduced_motion="reduce")
        self.problems = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.add_init_script(PAGE_JS)
        self.page.goto(lab.url_of(name), wait_until="domcontentloaded")
        self.page.wait_for_selector(".jp-NotebookPanel:visible .jp-CodeCell", timeout=60_000)
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")
        self.wait_for_kernel()
        if self.page.locator("#jp-left-stack:visible").count():
            self.command("application:toggle-left-area")

    # ---- kernel ------------------------------------------------------------------------------------
    def wait_for_kernel(self):
        """The indicator alone says idle already while there is no kernel yet, and a run then is dropped."""
        self.page.wait_for_function("""() => {
            const name = document.querySelector('.jp-NotebookPanel .jp-Toolbar-kernelName');
            return name && name.textContent.trim() !== 'No Kernel' && labTest.kernelReady(); }""", timeout=60_000)
        self.page.evaluate("labTest.watch()")
        self.wait_idle()

    def wait_idle(self, seconds=20):
        """The kernel is idle, and whatever was sent to it has its last message."""
        self.page.wait_for_function("() => labTest.idle()", timeout=seconds * 1000)

    @property
    def kernel_status(self):
        return self.page.evaluate("labTest.kernelStatus()")

    # ---- cells -------------------------------------------------------------------------------------
    def cells(self):
        """The notebook's model: nbformat cells with their outputs."""
        return self.page.evaluate("labTest.cells()")

    def command(self, name, **args):
        self.page.evaluate("([name, args]) => labTest.command(name, args)", [name, args])

    def menu(self, menu, item):
        """Chooses an item of the menu bar as a user does."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text=menu).first.click()
        self.page.locator(f'.lm-Menu-item[data-command="{item}"]:visible').first.click()

    def run_all(self, seconds=120):
        """Run > Run All Cells, until all that this has sent is answered; outputs of an earlier run are cleared first."""
        self.menu("Edit", "editmenu:clear-all")
        self.page.wait_for_function("() => labTest.cells().every(c => !c.execution_count && !c.outputs?.length)")
        ended = self.page.evaluate("labTest.ended()")
        self.menu("Run", "runmenu:run-all")
        self.page.wait_for_function("ended => labTest.ended() > ended && labTest.idle()", arg=ended,
                                    timeout=seconds * 1000)

    def editor(self, index):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".cm-content")

    def type(self, index, text):
        """Replaces the text of the cell by typing; the cursor is at its end."""
        self.editor(index).click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(text)

    def start_cell(self, index, text):
        """Runs the cell and returns while it is queued or running: the kernel says busy after this press."""
        self.type(index, text)
        before = self.page.evaluate("i => labTest.count(i)", index)
        self.page.keyboard.press("Control+Enter")
        return before

    def wait_cell(self, index, before, seconds=30):
        self.page.wait_for_function("([i, before]) => labTest.count(i) && labTest.count(i) !== before",
                                    arg=[index, before], timeout=seconds * 1000)
        self.wait_idle(seconds)
        return self.cells()[index]

    def run_cell(self, index, text, seconds=30):
        """Runs the text in the cell; the cell with its outputs."""
        return self.wait_cell(index, self.start_cell(index, text), seconds)

    # ---- Tab and Shift-Tab ---------------------------------------------------------------------------
    def complete(self, index, text):
        """What Tab offers after the text."""
        self.type(index, text)
        return self.complete_here(index)

    def complete_here(self, index):
        """What Tab offers at the cursor. A single match is put in at once: then that word. The first Tab of a
        page may come before the completer listens, so it is pressed again when nothing came of it."""
        before = self.editor(index).inner_text()
        for _ in range(5):
            self.page.keyboard.press("Tab")
            try:
                answer = self.page.wait_for_function(
                    "([index, before]) => labTest.completed(index, before)", arg=[index, before], timeout=3000)
            except TimeoutError:
                continue
            self.page.keyboard.press("Escape")
            return answer.json_value()
        raise AssertionError(f"Tab offers nothing after {before!r}")

    def tooltip(self):
        """What Shift-Tab shows for the word at the cursor."""
        self.page.keyboard.press("Shift+Tab")
        shown = self.page.wait_for_function("() => document.querySelector('.jp-Tooltip')?.innerText.trim()")
        self.page.keyboard.press("Escape")
        return shown.json_value()

    def save(self):
        """Ctrl+S, until the server has written the file; what the file says."""
        written = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        self.page.wait_for_function("() => !labTest.dirty()")
        assert self.path.stat().st_mtime_ns > written, "Ctrl+S did not write the file"
        return json.loads(self.path.read_text())

    # ---- looks -------------------------------------------------------------------------------------
    def theme(self, name):
        self.command("apputils:change-theme", theme=THEMES[name])
        self.page.wait_for_function("want => labTest.themeIs(want)", arg=THEMES[name])

    def resize(self, width, height=1000):
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.wait_for_function("width => labTest.laidOut(width)", arg=width)

    def shots(self, folder, prefix, height=1600, limit=14):
        """The whole notebook as tiles of one window each: prefix-01.png and on."""
        size = self.page.viewport_size
        self.resize(size["width"], height)
        self.page.evaluate("labTest.blur()")
        tiles = min(self.page.evaluate("labTest.windows()"), limit)
        for number in range(tiles):
            self.page.evaluate("n => labTest.scrollTo(n)", number)
            self.page.screenshot(path=folder / f"{prefix}-{number + 1:02}.png", animations="disabled")
        self.page.evaluate("labTest.scrollTo(0)")
        self.resize(size["width"], size["height"])

    def measure(self, what, *args):
        """One of the measurements of page.js."""
        return self.page.evaluate(f"args => labTest.{what}(...args)", list(args))

    def close(self):
        self.page.close()
