"""Delta rows into PostgreSQL by other people's programs, for bench_sync.py; run by the Python of build/bench-venv. Prints seconds
and peak MiB. Usage: sync_peers.py pgpq|adbc ROOT CONNINFO       the table of `target` in a schema `peer`, with its key
                     sync_peers.py cdf ROOT CONNINFO FROM        the changes since FROM into it, by a staging table and MERGE
"""
import resource
import sys
import time

import psycopg
import pyarrow as pa
from deltalake import DeltaTable

DDL = """DROP SCHEMA IF EXISTS peer CASCADE; CREATE SCHEMA peer;
CREATE TABLE peer.rows (id bigint, a integer, name text, email text, amount numeric(12,2), at timestamptz, day date, flag boolean)"""
COLUMNS = ("id", "a", "name", "email", "amount", "at", "day", "flag")
KEY = "ALTER TABLE peer.rows ADD PRIMARY KEY (id)"


def pgpq(root, conninfo):
    from pgpq import ArrowToPostgresBinaryEncoder

    with psycopg.connect(conninfo) as conn:
        conn.execute(DDL)
        batches = DeltaTable(root).to_pyarrow_dataset().scanner(batch_size=65536).to_reader()
        # pgpq has no decimals
        schema = pa.schema([field.with_type(pa.float64()) if pa.types.is_decimal(field.type) else field for field in batches.schema])
        conn.execute("ALTER TABLE peer.rows ALTER amount TYPE double precision")
        encoder = ArrowToPostgresBinaryEncoder(schema)
        with conn.cursor().copy("COPY peer.rows FROM STDIN (FORMAT binary, FREEZE)") as copy:
            copy.write(encoder.write_header())
            for batch in batches:
                copy.write(encoder.write_batch(batch.cast(schema)))
            copy.write(encoder.finish())
        conn.execute(KEY)


def adbc(root, conninfo):
    from adbc_driver_postgresql import dbapi

    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute(DDL)
        with dbapi.connect(conninfo) as other:
            with other.cursor() as cursor:
                cursor.adbc_ingest("rows", DeltaTable(root).to_pyarrow_table(), mode="append", db_schema_name="peer")
            other.commit()
        conn.execute(KEY)


def cdf(root, conninfo, since):
    from adbc_driver_postgresql import dbapi

    changes = pa.RecordBatchReader.from_stream(DeltaTable(root).load_cdf(starting_version=int(since)))
    schema = pa.schema([field.with_type(pa.string()) if pa.types.is_string_view(field.type) else field for field in changes.schema])
    table = pa.Table.from_batches([batch.cast(schema) for batch in changes], schema)
    with dbapi.connect(conninfo) as other:
        with other.cursor() as cursor:
            cursor.adbc_ingest("changes", table, mode="create", temporary=True)
            names = ", ".join(COLUMNS)
            cursor.execute(f"""MERGE INTO peer.rows t USING (SELECT DISTINCT ON (id) * FROM changes WHERE _change_type <> 'update_preimage'
                ORDER BY id, _commit_version DESC) c ON t.id = c.id
                WHEN MATCHED AND c._change_type = 'delete' THEN DELETE
                WHEN MATCHED THEN UPDATE SET {", ".join(f"{name} = c.{name}" for name in COLUMNS[1:])}
                WHEN NOT MATCHED AND c._change_type <> 'delete' THEN INSERT ({names}) VALUES ({", ".join("c." + name for name in COLUMNS)})""")
        other.commit()


start = time.perf_counter()
{"pgpq": pgpq, "adbc": adbc, "cdf": cdf}[sys.argv[1]](*sys.argv[2:])
print(f"{time.perf_counter() - start:.3f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
