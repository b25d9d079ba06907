"""Values of every built-in type: the text is psql's, byte for byte; and whatever a value holds, its HTML has no tag of it."""
import html.parser
import os
import random
import subprocess

import pytest
from regress import OPTIONS, bindir
from test_regress import bench  # noqa: F401 (a fixture)

# Without zero-width characters (U+200B, U+FEFF, joiners): psql counts them as one column before version 16.
VALUES = [
    "true::bool, false, NULL::bool", "'a'::\"char\", 'ab '::char(5), 'x'::varchar(3), 'name'::name",
    "1::int2, (-32768)::int2, 2147483647::int4, (-9223372036854775808)::int8, 4294967295::oid",
    "1.5::float4, 'NaN'::float4, 'Infinity'::float8, '-Infinity'::float8, 1e300::float8, 1e-300::float8, -0.0::float8",
    "'NaN'::numeric, 'Infinity'::numeric, 1.10::numeric, 12345678901234567890.0123456789, -0.00001::numeric(10,5), 1e40::numeric",
    "12.34::money, (-1)::money", "'\\x00ff'::bytea, ''::bytea, decode(repeat('00', 40), 'hex')",
    "date '2026-02-28', 'infinity'::date, '-infinity'::date, date '4713-01-01 BC', date '0044-03-15 BC'",
    "time '23:59:59.999999', timetz '12:00+05:30', timestamp '2026-01-01 00:00:00.1', timestamptz '1969-12-31 23:59:59.999999+00'",
    "'infinity'::timestamptz, interval '1 year 2 mons -3 days 04:05:06.789', interval '-00:00:01', interval '0'",
    "B'1010', B'1'::varbit, X'1F'::bit(8)", "'a => 1'::text, E'tab\\there', E'two\\nlines', E'cr\\rhere', ''",
    "E'\\x01\\x1f\\x7f', U&'\\0080\\009f', 'ä€😀', '日本語', U&'e\\0301', U&'\\05e9\\05dc'",
    "'{\"a\": [1, null, \"x\"], \"b\": {\"c\": 1.50}}'::json, '{\"b\":1,\"a\":[true]}'::jsonb, 'null'::jsonb, '\"<b>\"'::jsonb",
    "'$.a[*] ? (@ > 1)'::jsonpath, '<a b=\"c\">x &amp; y</a>'::xml",
    "gen_random_uuid() IS NOT NULL, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
    "'192.168.0.1/24'::inet, '::1'::inet, '10.0.0.0/8'::cidr, '08:00:2b:01:02:03'::macaddr, '08:00:2b:01:02:03:04:05'::macaddr8",
    "'(1,2)'::point, '{1,2,3}'::line, '[(0,0),(1,1)]'::lseg, '(1,1),(0,0)'::box, '((0,0),(1,1))'::path, '((0,0),(1,0),(0,1))'::polygon, '<(0,0),2>'::circle",
    "ARRAY[1,2,NULL], '{}'::int[], '{{1,2},{3,4}}'::int[], ARRAY['a,b','c\"d','e\\f',NULL,'NULL','']::text[], '[2:3]={1,2}'::int[]",
    "int4range(1,5), 'empty'::int4range, numrange(NULL, 2.5), tstzrange('2026-01-01', NULL), daterange('2026-01-01', '2026-02-01', '[]')",
    "'{[1,3),[5,7)}'::int4multirange, '{}'::nummultirange", "ROW(1, 'a,b', NULL, ROW(2))", "'a fat cat'::tsvector, 'fat & (cat | !rat)'::tsquery",
    "'16/B374D848'::pg_lsn, '10:20:10,14,15'::pg_snapshot, 'pg_class'::regclass, 'int4'::regtype, '+(int4,int4)'::regoperator",
    "'(0,1)'::tid, '5'::xid, '5'::xid8, '1 2 3'::oidvector", "repeat('x', 499), 1", "repeat('ä', 400), repeat(E'a\\n', 5)",
    "1 AS \"a b\", 2 AS \"A\", 3 AS \"ü<b>\", 4 AS \"two\nlines\"",
]
STATEMENTS = [f"SELECT {v};" for v in VALUES] + [
    f"SELECT * FROM (SELECT {v}) t CROSS JOIN generate_series(1, 3) g WHERE g > 5;" for v in VALUES[:3]] + [
    "SELECT FROM generate_series(1, 2);", "SELECT 1 WHERE false;", "VALUES (1, 'a'), (NULL, NULL), (333, 'a\nb');",
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid < 1300 ORDER BY 2;"]


@pytest.mark.parametrize("expanded", [False, True])
def test_text_is_psqls(bench, expanded):  # noqa: F811
    _, clusters, kernel = bench
    client = kernel.client()
    reply, _ = client.run(f"%connect host={clusters.folder} port=6001 user=regress dbname=regression as types\n%set rows 10000\n"
                          f"\\x {'on' if expanded else 'off'}")
    assert reply["content"]["status"] == "ok", reply["content"]
    environ = {**os.environ, "PGOPTIONS": OPTIONS, "PGTZ": "UTC", "PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8"}
    for statement in STATEMENTS:
        theirs = subprocess.run([str(bindir() / "psql"), "-X", "-h", str(clusters.folder), "-p", "6001", "-U", "regress", "-d",
                                 "regression", "-P", "null=NULL", "-P", f"expanded={'on' if expanded else 'off'}", "-c", statement],
                                capture_output=True, text=True, env=environ, check=True).stdout
        reply, outputs = client.run(statement)
        assert reply["content"]["status"] == "ok", (statement, reply["content"])
        ours = next(m["content"]["data"]["text/plain"] for m in outputs if "data" in m["content"])
        assert ours.rstrip("\n") == theirs.rstrip("\n"), statement
    client.run("\\x off")


LARGE = ["repeat('ä😀|x', 2500000)", "repeat(E'line\\n', 2000000)", "decode(repeat('00ff', 2500000), 'hex')",
         "(SELECT jsonb_agg(i) FROM generate_series(1, 1200000) i)", "repeat(E'\\t\\\\\"', 3500000)"]


def test_values_of_10_mb(bench, tmp_path):  # noqa: F811
    """A table cuts them and says so; COPY, \\copy and %export have every byte, as psql's COPY."""
    _, clusters, kernel = bench
    client = kernel.client()
    client.run(f"%connect host={clusters.folder} port=6001 user=regress dbname=regression as large\n\\x off")
    environ = {**os.environ, "PGOPTIONS": OPTIONS, "PGTZ": "UTC", "PGCLIENTENCODING": "UTF8", "LC_ALL": "C.UTF-8"}
    psql = [str(bindir() / "psql"), "-X", "-h", str(clusters.folder), "-p", "6001", "-U", "regress", "-d", "regression", "-c"]
    for n, value in enumerate(LARGE):
        query = f"SELECT {value} AS v, 1 AS after"
        for format in ("text", "csv, HEADER"):
            copy = f"COPY ({query}) TO STDOUT (FORMAT {format})"
            theirs = subprocess.run([*psql, copy], capture_output=True, env=environ, check=True).stdout
            assert len(theirs) > 9_000_000
            reply, outputs = client.run(copy + ";")
            assert reply["content"]["status"] == "ok", (value, reply["content"])
            ours = "".join(m["content"]["text"] for m in outputs if m["msg_type"] == "stream")
            assert ours.encode() == theirs, value
        file = tmp_path / f"{n}.csv"
        for command in (f"\\copy ({query}) TO '{file}' (FORMAT csv, HEADER)", f"%export {file} {query}"):
            reply, _ = client.run(command)
            assert reply["content"]["status"] == "ok", (command, reply["content"])
            assert file.read_bytes() == theirs, (command, value)
        reply, outputs = client.run(query + ";")
        text = next(m["content"]["data"]["text/plain"] for m in outputs if "data" in m["content"])
        assert len(text) < 2_000_000 and "more" in text, "cut, and said"


class Cells(html.parser.HTMLParser):
    """Tags and the texts of the cells of the body."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.cells, self.inside = set(), [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add((tag, *sorted(name for name, _ in attrs)))
        if tag == "tbody":
            self.inside = True
        if tag == "td" and self.inside:
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "tbody"

    def handle_data(self, data):
        if self.inside and self.cells and data != "\n":
            self.cells[-1] += data


ALLOWED = {("table",), ("thead",), ("tbody",), ("tfoot",), ("tr",), ("th", "scope", "style"), ("th", "scope", "style", "title"),
           ("td", "style"), ("td", "colspan", "style")}


def test_no_value_makes_a_tag(bench):  # noqa: F811
    _, clusters, kernel = bench
    client = kernel.client()
    client.run(f"%connect host={clusters.folder} port=6001 user=regress dbname=regression as html\n%set rows 10000\n\\x off")
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    pieces = ["<", ">", "&", '"', "'", "</td>", "<script>", "<img src=x onerror=alert(1)>", "&lt;", "&#60;", "<!--", "-->", "]]>",
              "<style", "\u2028", "é", "😀", "\x01", "\x7f", " ", "a", "/", "=", "`", "\\", "javascript:", "\ufeff", "<svg/onload="]
    values = ["".join(rng.choice(pieces) for _ in range(rng.randrange(1, 40))) for _ in range(2000)]
    literals = ", ".join("($v$" + v + "$v$)" for v in values)
    reply, outputs = client.run(f'SELECT column1 AS "<b>{pieces[7]}" FROM (VALUES {literals}) t')
    assert reply["content"]["status"] == "ok", reply["content"]
    bundle = next(m["content"]["data"] for m in outputs if "data" in m["content"])
    read = Cells(bundle["text/html"])
    assert read.tags <= ALLOWED, (seed, read.tags - ALLOWED)
    assert read.cells == values, seed
