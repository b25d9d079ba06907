"""What the tests of synced tables share: a workspace with an instance and a source, and the comparison of both sides by
two programs that are not ours: deltalake reads the source, psycopg the target.
"""
import json
import sys
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import psycopg
from deltalake import DeltaTable, QueryBuilder

sys.path.append(str(Path(__file__).resolve().parents[1] / "workspace"))
from api import Api  # noqa: E402
from lake import LEARNER, Warehouse  # noqa: E402

SYNCED = "/api/2.0/database/synced_tables"
PASSING = ("PROVISIONING", "TRIGGERED_UPDATE")


def many_commits(root, first, count, row):
    """Commits first.. as another writer makes them, thousands within seconds: each adds a file with the rows that row(version),
    a query, gives."""
    folder = Path(root.removeprefix("file://"))
    with duckdb.connect() as db:
        for version in range(first, first + count):
            name = f"many-{version}.parquet"
            rows = db.execute(f"COPY ({row(version)}) TO '{folder / name}' (FORMAT parquet)").fetchone()[0]
            now = int(time.time() * 1000)
            actions = [{"commitInfo": {"inCommitTimestamp": now, "timestamp": now, "operation": "WRITE", "operationParameters": {}}},
                       {"add": {"path": name, "partitionValues": {}, "size": (folder / name).stat().st_size, "modificationTime": now,
                                "dataChange": True, "stats": json.dumps({"numRecords": rows})}}]
            (folder / "_delta_log" / f"{version:020}.json").write_text("".join(json.dumps(a) + "\n" for a in actions))


EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def delta_rows(root, version):
    """Rows of a Delta table as deltalake reads them, as dicts; instants as microseconds."""
    arrow = QueryBuilder().register("t", DeltaTable(root, version=version)).execute("SELECT * FROM t")
    table = duckdb.from_arrow(arrow)
    picked = ", ".join(f'epoch_us("{c}")' if "TIME ZONE" in str(t) else f'"{c}"' for c, t in zip(table.columns, table.types))
    return [dict(zip(table.columns, row)) for row in table.project(picked).fetchall()]


def plain(value):
    """A value of psycopg as delta_rows has it."""
    if isinstance(value, datetime) and value.tzinfo:
        return (value - EPOCH) // timedelta(microseconds=1)
    return value


class Lab:
    """Instance `workshop`, catalog `ws` over its database, Delta tables in main.lab."""

    def __init__(self, space):
        self.space = space
        self.open()
        self.api.create("workshop", capacity="CU_1")
        self.api.ok("POST", "/api/2.0/database/catalogs", {"name": "ws", "database_instance_name": "workshop",
                                                           "database_name": "databricks_postgres"})
        self.warehouse.rows("CREATE SCHEMA IF NOT EXISTS main.lab")

    def open(self):
        """Again after the workspace was started anew."""
        self.api = Api.of(self.space)
        self.warehouse = Warehouse(self.api)

    def sql(self, statement):
        return self.warehouse.rows(statement)

    def source(self, name, columns="id BIGINT, v STRING", feed=True):
        feed = " TBLPROPERTIES (delta.enableChangeDataFeed = true)" if feed else ""
        self.sql(f"CREATE TABLE main.lab.{name} ({columns}) USING DELTA{feed}")
        return f"main.lab.{name}"

    def body(self, source, name, mode, key=("id",), **spec):
        return {"name": f"ws.lab.{name}", "spec": {
            "source_table_full_name": source, "primary_key_columns": list(key), "scheduling_policy": mode,
            "create_database_objects_if_missing": True, "new_pipeline_spec": {"storage_catalog": "main", "storage_schema": "lab"},
            **spec}}

    def create(self, source, name, mode, **spec):
        self.api.ok("POST", SYNCED, self.body(source, name, mode, **spec))
        return self.settled(name)

    def look(self, name):
        doc = self.api.ok("GET", f"{SYNCED}/ws.lab.{name}")
        return doc, doc["data_synchronization_status"]

    def settled(self, name, seconds=60):
        """(state without its prefix, status) once it does not pass by itself."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.look(name)[1]
            state = status["detailed_state"].removeprefix("SYNCED_TABLE_")
            if not any(word in state for word in PASSING):
                return state, status
            assert time.monotonic() < deadline, status

    def run(self, name, **more):
        """One update to its end; (state of the update, status of the table)."""
        pipeline = self.look(name)[1]["pipeline_id"]
        update = self.api.ok("POST", f"/api/2.0/pipelines/{pipeline}/updates", more)["update_id"]
        while (state := self.api.ok("GET", f"/api/2.0/pipelines/{pipeline}/updates/{update}")["update"]["state"]) not in (
                "COMPLETED", "FAILED", "CANCELED"):
            pass  # the answer is held by the server
        return state, self.look(name)[1]

    def delete(self, name, purge=True):
        return self.api.call("DELETE", f"{SYNCED}/ws.lab.{name}" + ("?purge_data=true" if purge else ""))

    def connect(self, user=LEARNER):
        return psycopg.connect(host=self.api.get("workshop")["read_write_dns"], user=user, dbname="databricks_postgres",
                               sslmode="require", password=self.api.credential("workshop"), autocommit=True)

    def root(self, source):
        return self.api.ok("GET", f"/api/2.1/unity-catalog/tables/{source}")["storage_location"]

    def applied(self, name):
        return self.look(name)[1]["last_sync"]["delta_table_sync_info"]["delta_commit_version"]

    def assert_equal(self, source, name, version=None, key="id"):
        """The target is the source at the version that the status names (or the one given), row by row."""
        version = self.applied(name) if version is None else version
        theirs = delta_rows(self.root(source), version)
        with self.connect() as pg:
            cursor = pg.execute(f"SELECT * FROM lab.{name}")
            names = [c.name for c in cursor.description]
            ours = [dict(zip(names, map(plain, row))) for row in cursor.fetchall()]
        theirs = [row for row in theirs if row[key] is not None]
        order = lambda row: str(row[key])
        assert sorted(ours, key=order) == sorted(theirs, key=order)
        return len(ours)
