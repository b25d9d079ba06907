"""history_request: tail, range, search; sessions, outputs, the file, and several kernels at once."""
import os
import stat

import pytest
from tiny_kernel import client, kernel, launch, tiny  # noqa: F401 (fixtures)


def ask(client, kind, output=False, **fields):
    reply = client.request("history_request", {"hist_access_type": kind, "output": output, "raw": True, **fields})
    assert reply["status"] == "ok"
    return reply["history"]


def inputs(entries):
    return [entry[2] for entry in entries]


def run_all(client, *codes):
    for code in codes:
        client.run(code)


def test_tail(client):
    run_all(client, "echo 1", "echo 2", "fail 3", "echo 4")
    assert ask(client, "tail", n=2) == [[1, 3, "fail 3"], [1, 4, "echo 4"]]
    assert inputs(ask(client, "tail", n=100)) == ["echo 1", "echo 2", "fail 3", "echo 4"]
    assert ask(client, "tail", n=0) == []


def test_what_is_not_stored_is_not_there(client):
    run_all(client, "echo kept")
    client.run("echo silent", silent=True)
    client.run("echo unstored", store_history=False)
    assert inputs(ask(client, "tail", n=10)) == ["echo kept"]


def test_range(client):
    run_all(client, *[f"echo {n}" for n in range(1, 6)])
    assert ask(client, "range", session=0, start=2, stop=4) == [[1, 2, "echo 2"], [1, 3, "echo 3"]]
    assert inputs(ask(client, "range", session=1, start=4)) == ["echo 4", "echo 5"]
    assert inputs(ask(client, "range", session=1, start=4, stop=None)) == ["echo 4", "echo 5"]
    assert ask(client, "range", session=9, start=1, stop=9) == []


def test_search(client):
    run_all(client, "echo a", "fail b", "echo a", "echo c", "echo a")
    assert [e[1] for e in ask(client, "search", pattern="echo a")] == [1, 3, 5]
    assert [e[1] for e in ask(client, "search", pattern="echo a", unique=True)] == [5]
    assert [e[1] for e in ask(client, "search", pattern="echo*", n=2)] == [4, 5]
    assert [e[1] for e in ask(client, "search", pattern="*", unique=True)] == [2, 4, 5]
    assert [e[1] for e in ask(client, "search", pattern="fai? b")] == [2]
    assert ask(client, "search", pattern="nothing like it") == []
    assert ask(client, "search", pattern="'; DROP TABLE entries; --") == []
    assert len(ask(client, "search")) == 5


def test_outputs_of_this_session(client):
    run_all(client, "result 42", "echo none")
    client.run("result late")
    assert ask(client, "tail", n=3, output=True) == [
        [1, 1, ["result 42", "42"]], [1, 2, ["echo none", None]], [1, 3, ["result late", "late"]]]


def test_sessions_are_kept_and_numbered(launch, state_dir):
    for n in range(1, 4):
        kernel = launch()
        client = kernel.client()
        run_all(client, f"result {n}")
        client.send("shutdown_request", {"restart": False}, channel="control")
        assert kernel.ended() == 0
    client = launch().client()
    run_all(client, "echo now")
    assert ask(client, "tail", n=4, output=True) == [
        [1, 1, ["result 1", None]], [2, 1, ["result 2", None]], [3, 1, ["result 3", None]], [4, 1, ["echo now", None]]]
    assert inputs(ask(client, "range", session=-1, start=0)) == ["result 3"]
    files = sorted(p.name for p in state_dir.iterdir() if p.name.startswith("history"))
    assert files[0] == "history.sqlite"
    for name in files:
        assert stat.S_IMODE((state_dir / name).stat().st_mode) == 0o600


def test_a_killed_kernel_loses_no_earlier_cell(launch):
    kernel = launch()
    client = kernel.client()
    run_all(client, "echo before")
    ask(client, "tail", n=1)  # asking writes what is pending
    kernel.process.kill()
    kernel.process.wait()
    assert inputs(ask(launch().client(), "tail", n=1)) == ["echo before"]


def test_many_kernels_share_the_file(launch):
    clients = [launch().client() for _ in range(4)]
    for round in range(5):
        for n, client in enumerate(clients):
            client.run(f"echo {n} {round}")
    for n, client in enumerate(clients):
        assert inputs(ask(client, "range", session=0, start=0)) == [f"echo {n} {round}" for round in range(5)]
    assert len({ask(client, "range", session=0, start=1)[0][0] for client in clients}) == 4


def test_secrets_are_taken_out_first(client, state_dir):
    run_all(client, "echo password hunter2")
    assert inputs(ask(client, "tail", n=1)) == ["echo password ****"]
    for path in state_dir.glob("history*"):
        assert b"hunter2" not in path.read_bytes()


@pytest.mark.parametrize("content", ["garbage " * 1000, ""])
def test_a_file_that_is_no_database(launch, state_dir, content):
    (state_dir / "history.sqlite").write_text(content)
    kernel = launch()
    client = kernel.client()
    run_all(client, "echo x")
    assert inputs(ask(client, "tail", n=1)) == ["echo x"]
    assert ("in memory only" in kernel.text()) == bool(content)


def test_a_link_is_not_followed(launch, state_dir):
    (state_dir / "target").write_text("keep me")
    os.symlink(state_dir / "target", state_dir / "history.sqlite")
    kernel = launch()
    client = kernel.client()
    run_all(client, "echo x")
    assert inputs(ask(client, "tail", n=1)) == ["echo x"]
    assert (state_dir / "target").read_text() == "keep me"


def test_a_cell_at_the_cap_and_over_it(client):
    cap = 1 << 20
    fits, big = "echo " + "x" * (cap - 5), "echo " + "y" * (cap - 4)
    run_all(client, fits, big, "echo z")
    assert inputs(ask(client, "tail", n=3)) == [fits, "echo z"]
