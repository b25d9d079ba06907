"""Many clients at once: what test_many_clients.py, the soak and the bench share. Each client is a thread with one connection that stays
open, as a pool of an SDK has it; what it was told to be done is looked for at the end."""
import http.client
import json
import threading
import time
from collections import Counter

from lake import UC

INSTANCE = "/api/2.0/database/instances/storm"


class Client(threading.Thread):
    def __init__(self, api, number, calls, begin):
        super().__init__()
        self.api, self.number, self.calls, self.begin = api, number, calls, begin
        self.conn = http.client.HTTPConnection(api.address, timeout=120)
        self.seen, self.took, self.done, self.failure = Counter(), [], set(), None
        self.name = f"c{number}"

    def call(self, method, path, body=None):
        """(status, document); a connection that the server closed while it was idle is opened again."""
        start = time.perf_counter()
        headers = {"Authorization": f"Bearer {self.api.token}"}
        self.conn.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.conn.getresponse()
        doc = json.loads(answer.read())
        self.took.append(time.perf_counter() - start)
        self.seen[answer.status] += 1
        return answer.status, doc

    def keep(self, fact, status):
        if status == 200:
            self.done.add(fact)

    def mixed(self, i):
        """The kinds of call of an app and of who sets it up, one after the other."""
        schema = f"storm.{self.name}_{i}"
        kind = (self.number + i) % 7
        if kind == 0:
            status, _ = self.call("POST", f"{UC}/schemas", {"name": f"{self.name}_{i}", "catalog_name": "storm"})
            self.keep(("schema", schema, ""), status)
        elif kind == 1:
            if not self.done:
                self.mixed(7000 + (7 - self.number) % 7)  # a number that no other call of it has
            _, mine = max(fact[:2] for fact in self.done)
            status, _ = self.call("PATCH", f"{UC}/schemas/{mine}", {"comment": f"by {self.name}, {i}"})
            if status == 200:
                self.done = {fact for fact in self.done if fact[1] != mine} | {("schema", mine, f"by {self.name}, {i}")}
        elif kind == 2:
            days = 2 + (self.number + i) % 30
            status, doc = self.call("PATCH", f"{INSTANCE}?update_mask=retention_window_in_days", {"name": "storm", "retention_window_in_days": days})
            assert status != 200 or doc["effective_retention_window_in_days"] == days, doc
        elif kind == 3:
            self.call("POST", "/api/2.0/database/credentials", {"instance_names": ["storm"], "request_id": f"{self.name}-{i}"})
        elif kind == 4:
            self.call("GET", "/api/2.0/database/instances?page_size=1")
        elif kind == 5:
            self.call("GET", INSTANCE)
        else:
            self.call("GET", f"{UC}/schemas?catalog_name=storm&max_results=20")

    def run(self):
        try:
            self.begin.wait()
            for i in range(self.calls):
                self.mixed(i)
        except Exception as error:  # noqa: BLE001: told of by the test
            self.failure = error
        finally:
            self.conn.close()


def prepare(api):
    api.create("storm", capacity="CU_1")
    api.ok("POST", f"{UC}/catalogs", {"name": "storm"})


def storm(api, clients, calls):
    """The clients, when all have ended."""
    begin = threading.Event()
    threads = [Client(api, n, calls, begin) for n in range(clients)]
    for thread in threads:
        thread.start()
    begin.set()
    for thread in threads:
        thread.join()
    return threads


def all_of(api, path, key):
    found, token = [], ""
    while True:
        doc = api.ok("GET", path + (f"&page_token={token}" if token else ""))
        found += doc.get(key, [])
        token = doc.get("next_page_token")
        if not token:
            return found


def check(api, threads):
    """No call failed, and all that was said to be done is there."""
    assert not [t.failure for t in threads if t.failure], [t.failure for t in threads if t.failure][:3]
    assert sum((t.seen for t in threads), Counter()).keys() == {200}, sum((t.seen for t in threads), Counter())
    there = {("schema", s["full_name"], s.get("comment", "")) for s in all_of(api, f"{UC}/schemas?catalog_name=storm&max_results=200", "schemas")}
    done = set().union(*(t.done for t in threads))
    assert done and done <= there, list(done - there)[:5]
