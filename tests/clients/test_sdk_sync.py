"""The unmodified Databricks SDK for Python on synced tables and pipelines, in each mode: create, poll to online, update, delete."""
import time
import uuid

import psycopg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, ResourceConflict
from databricks.sdk.service.database import (DatabaseCatalog, DatabaseInstance, NewPipelineSpec, SyncedDatabaseTable,
                                             SyncedTableSchedulingPolicy, SyncedTableSpec, SyncedTableState)
from databricks.sdk.service.pipelines import PipelineState, UpdateInfoState
from databricks.sdk.service.sql import StatementState

ONLINE = {"SNAPSHOT": SyncedTableState.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE,
          "TRIGGERED": SyncedTableState.SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE,
          "CONTINUOUS": SyncedTableState.SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE}
ORDER = ["SYNCED_TABLE_PROVISIONING", "SYNCED_TABLE_PROVISIONING_PIPELINE_RESOURCES", "SYNCED_TABLE_PROVISIONING_INITIAL_SNAPSHOT",
         "SYNCED_TABLE_ONLINE_NO_PENDING_UPDATE", "SYNCED_TABLE_ONLINE_CONTINUOUS_UPDATE"]


@pytest.fixture(scope="module")
def w(workspace):
    env = workspace.env
    w = WorkspaceClient(host=env["DATABRICKS_HOST"], token=env["DATABRICKS_TOKEN"])
    w.database.create_database_instance_and_wait(DatabaseInstance(name="workshop", capacity="CU_1"))
    w.database.create_database_catalog(DatabaseCatalog(name="shop", database_instance_name="workshop", database_name="databricks_postgres"))
    run(w, "CREATE SCHEMA main.lab")
    run(w, "CREATE TABLE main.lab.events (id BIGINT, v STRING) TBLPROPERTIES (delta.enableChangeDataFeed = true)")
    run(w, "INSERT INTO main.lab.events VALUES (1, 'one'), (2, 'two')")
    return w


def run(w, statement):
    warehouse = next(iter(w.warehouses.list()))
    done = w.statement_execution.execute_statement(statement, warehouse.id, wait_timeout="50s")
    assert done.status.state == StatementState.SUCCEEDED, done.status


def rows(w, table):
    instance = w.database.get_database_instance("workshop")
    token = w.database.generate_database_credential(instance_names=["workshop"], request_id=str(uuid.uuid4())).token
    with psycopg.connect(host=instance.read_write_dns, user=w.current_user.me().user_name, password=token,
                         dbname="databricks_postgres", sslmode="require") as pg:
        return dict(pg.execute(f"SELECT id, v FROM lab.{table}").fetchall())


def poll(look, done, seconds=60):
    """As a program would: look until it is so; all that was seen."""
    seen, deadline = [look()], time.monotonic() + seconds
    while not done(seen[-1]):
        assert time.monotonic() < deadline, seen[-1]
        seen.append(look())
    return seen


@pytest.mark.parametrize("mode", ["SNAPSHOT", "TRIGGERED", "CONTINUOUS"])
def test_life(w, mode):
    table = f"events_{mode.lower()}"
    name = f"shop.lab.{table}"
    spec = SyncedTableSpec(source_table_full_name="main.lab.events", primary_key_columns=["id"], create_database_objects_if_missing=True,
                           scheduling_policy=SyncedTableSchedulingPolicy(mode),
                           new_pipeline_spec=NewPipelineSpec(storage_catalog="main", storage_schema="lab"))
    made = w.database.create_synced_database_table(SyncedDatabaseTable(name=name, spec=spec))
    seen = [made] + poll(lambda: w.database.get_synced_database_table(name),
                         lambda t: t.data_synchronization_status.detailed_state == ONLINE[mode])
    places = [ORDER.index(t.data_synchronization_status.detailed_state.value) for t in seen]
    assert places == sorted(places), [ORDER[p] for p in places]
    last = seen[-1]
    assert (last.effective_database_instance_name, last.effective_logical_database_name) == ("workshop", "databricks_postgres")
    assert (last.spec.scheduling_policy.value, last.spec.primary_key_columns) == (mode, ["id"])
    before = rows(w, table)
    run(w, f"MERGE INTO main.lab.events t USING (SELECT 2 AS id, '{mode}' AS v UNION ALL SELECT {len(before) + 10}, 'new') s "
           "ON t.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *")
    pipeline = last.data_synchronization_status.pipeline_id
    if mode == "CONTINUOUS":
        assert w.pipelines.get(pipeline).state == PipelineState.RUNNING
        with pytest.raises(ResourceConflict):
            w.pipelines.start_update(pipeline)
    else:
        update = w.pipelines.start_update(pipeline).update_id
        ends = (UpdateInfoState.COMPLETED, UpdateInfoState.FAILED, UpdateInfoState.CANCELED)
        assert poll(lambda: w.pipelines.get_update(pipeline, update).update.state, lambda s: s in ends)[-1] == UpdateInfoState.COMPLETED
        assert w.pipelines.get(pipeline).latest_updates[0].update_id == update
        assert any("COMPLETED" in event.message for event in w.pipelines.list_pipeline_events(pipeline))
    poll(lambda: rows(w, table), lambda found: found.get(2) == mode)
    version = poll(lambda: w.database.get_synced_database_table(name).data_synchronization_status.last_sync,
                   lambda sync: sync.delta_table_sync_info.delta_commit_version >= 2)[-1]
    assert version.delta_table_sync_info.delta_commit_timestamp and version.sync_end_timestamp
    assert name in [t.name for t in w.database.list_synced_database_tables("workshop")]
    w.database.delete_synced_database_table(name, purge_data=True)
    with pytest.raises(NotFound):
        w.database.get_synced_database_table(name)
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows(w, table)
