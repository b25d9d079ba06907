"""Volumes: made, shown and dropped by SQL and API alike; their files by the Files API, as the official SDK calls it; grants enforced; and
no path leads out of a volume."""
import io
import os
import threading

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import NotFound, PermissionDenied

from api import Api
from lake import LEARNER, UC, Warehouse, app_of

FILES, FOLDERS = "/api/2.0/fs/files", "/api/2.0/fs/directories"
AT = "/Volumes/sales/shop/in"


@pytest.fixture(scope="module")
def api(workspace):
    return Api.of(workspace)


@pytest.fixture(scope="module")
def app(workspace):
    return app_of(workspace)


@pytest.fixture(scope="module")
def sdk(api):
    return WorkspaceClient(host=f"http://{api.address}", token=api.token)


@pytest.fixture
def sales(api):
    api.ok("POST", f"{UC}/catalogs", {"name": "sales"})
    api.ok("POST", f"{UC}/schemas", {"name": "shop", "catalog_name": "sales"})
    api.ok("POST", f"{UC}/volumes", {"name": "in", "catalog_name": "sales", "schema_name": "shop", "volume_type": "MANAGED"})
    yield "sales"
    api.ok("DELETE", f"{UC}/catalogs/sales?force=true")


def send(api, method, path, body=None):
    """(status, headers, bytes)"""
    return api.raw(method, path, body, {"Authorization": f"Bearer {api.token}"})


def put(api, path, data=b"x"):
    status, _, body = send(api, "PUT", FILES + path, data)
    assert (status, body) == (204, b""), body


def allow(api, kind, name, principal, *privileges):
    api.ok("PATCH", f"{UC}/permissions/{kind}/{name}", {"changes": [{"principal": principal, "add": list(privileges)}]})


# ---- volumes ----
def test_sdk_makes_reads_changes_and_drops_volumes(sdk, sales):
    from databricks.sdk.service.catalog import VolumeType
    made = sdk.volumes.create("sales", "shop", "More", VolumeType.MANAGED, comment="what comes in")
    assert (made.full_name, made.owner, made.volume_type) == ("sales.shop.more", LEARNER, VolumeType.MANAGED)
    assert [v.name for v in sdk.volumes.list("sales", "shop")] == ["in", "more"]
    assert sdk.volumes.update("sales.shop.more", comment="changed").comment == "changed"
    assert sdk.volumes.read("SALES.shop.more") == sdk.volumes.read("sales.shop.more")
    sdk.volumes.delete("sales.shop.more")
    with pytest.raises(NotFound):
        sdk.volumes.read("sales.shop.more")


def test_sql_says_the_same(api, sales):
    sql = Warehouse(api)
    sql.run("CREATE VOLUME sales.shop.sqlmade COMMENT 'by SQL'")
    assert sql.rows("SHOW VOLUMES IN sales.shop LIKE 's*'") == [["shop", "sqlmade"]]
    row = sql.rows("DESCRIBE VOLUME sales.shop.sqlmade")[0]
    assert row[:4] == ["sqlmade", "sales", "shop", LEARNER] and row[5:] == ["MANAGED", "by SQL"]
    assert os.path.isdir(row[4].removeprefix("file://"))
    assert sql.run("CREATE VOLUME IF NOT EXISTS sales.shop.sqlmade")["status"]["state"] == "SUCCEEDED"
    assert sql.refused("CREATE VOLUME sales.shop.sqlmade")[0].startswith("[VOLUME_ALREADY_EXISTS]")
    sql.run("DROP VOLUME sales.shop.sqlmade")
    assert not os.path.exists(row[4].removeprefix("file://"))
    assert sql.refused("DROP VOLUME sales.shop.sqlmade")[0].startswith("[UC_VOLUME_NOT_FOUND]")
    assert sql.run("DROP VOLUME IF EXISTS sales.shop.sqlmade")["status"]["state"] == "SUCCEEDED"
    assert "EXTERNAL" in sql.refused("CREATE EXTERNAL VOLUME sales.shop.x LOCATION '/tmp'")[0]


@pytest.mark.parametrize("body, status, code", [
    ({"name": "in"}, 409, "VOLUME_ALREADY_EXISTS"), ({"name": "a/b"}, 400, "INVALID_PARAMETER_VALUE"), ({"name": ".."}, 400, "INVALID_PARAMETER_VALUE"),
    ({"name": "x", "schema_name": "none"}, 404, "SCHEMA_DOES_NOT_EXIST"), ({"name": "x", "catalog_name": "none"}, 404, "CATALOG_DOES_NOT_EXIST"),
    ({"name": "x", "volume_type": "EXTERNAL", "storage_location": "/etc"}, 501, "NOT_IMPLEMENTED")])
def test_refused_volumes(api, sales, body, status, code):
    assert api.refused("POST", f"{UC}/volumes", {"catalog_name": "sales", "schema_name": "shop", **body})[:2] == (status, code)


def test_a_table_and_a_volume_of_one_name(api, sales):
    """Each goes without the other; a schema with a volume is not empty."""
    sql = Warehouse(api)
    sql.run("CREATE TABLE sales.shop.in (a INT)")
    put(api, f"{AT}/a")
    sql.run("DROP TABLE sales.shop.in")
    assert send(api, "GET", f"{FILES}{AT}/a")[0] == 200
    assert api.refused("DELETE", f"{UC}/schemas/sales.shop")[1] == "SCHEMA_NOT_EMPTY"
    sql.run("CREATE TABLE sales.shop.in AS SELECT 1 AS a")
    api.ok("DELETE", f"{UC}/volumes/sales.shop.in")
    assert sql.rows("SELECT * FROM sales.shop.in") == [["1"]]


# ---- files ----
def test_sdk_uploads_lists_and_downloads(sdk, sales):
    data = os.urandom(3_000_000)
    sdk.files.upload(f"{AT}/2026/ä b+c%.bin", io.BytesIO(data))
    assert sdk.files.download(f"{AT}/2026/ä b+c%.bin").contents.read() == data
    meta = sdk.files.get_metadata(f"{AT}/2026/ä b+c%.bin")
    assert (meta.content_length, meta.content_type) == (len(data), "application/octet-stream") and meta.last_modified.endswith("GMT")
    sdk.files.upload(f"{AT}/2026/ä b+c%.bin", io.BytesIO(b"new"), overwrite=True)
    assert sdk.files.download(f"{AT}/2026/ä b+c%.bin").contents.read() == b"new"
    with pytest.raises(Exception, match="already exists"):
        sdk.files.upload(f"{AT}/2026/ä b+c%.bin", io.BytesIO(b"other"), overwrite=False)
    sdk.files.create_directory(f"{AT}/2026/deep/er")
    entries = {e.name: (e.is_directory, e.file_size, e.path) for e in sdk.files.list_directory_contents(f"{AT}/2026")}
    assert entries == {"deep": (True, None, f"{AT}/2026/deep"), "ä b+c%.bin": (False, 3, f"{AT}/2026/ä b+c%.bin")}
    assert sdk.files.get_directory_metadata(f"{AT}/2026") is None
    with pytest.raises(NotFound):
        sdk.files.get_directory_metadata(f"{AT}/none")
    sdk.files.delete(f"{AT}/2026/ä b+c%.bin")
    sdk.files.delete_directory(f"{AT}/2026/deep/er")
    with pytest.raises(NotFound):
        sdk.files.download(f"{AT}/2026/ä b+c%.bin")


def test_the_learners_way(sdk, api, sales):
    """Upload, COPY INTO, and again with a second file: what the lab does."""
    sql = Warehouse(api)
    sql.run("CREATE TABLE sales.shop.orders (id INT, total DECIMAL(10,2))")
    copy = f"COPY INTO sales.shop.orders FROM '{AT}/orders' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"
    sdk.files.upload(f"{AT}/orders/1.csv", io.BytesIO(b"id,total\n1,9.50\n2,3\n"))
    assert sql.rows(copy) == [["2", "2", "0"]] and sql.rows(copy) == [["0", "0", "0"]]
    sdk.files.upload(f"{AT}/orders/2.csv", io.BytesIO(b"id,total\n3,1\n"))
    assert sql.rows(copy) == [["1", "1", "0"]]
    assert sql.rows("SELECT count(*), sum(total) FROM sales.shop.orders") == [["3", "13.50"]]
    assert sql.rows(f"SELECT sum(total) FROM read_files('{AT}/orders/*.csv', header => true)") == [["13.5"]]
    assert [r[1] for r in sql.rows(f"LIST '{AT}/orders'")] == ["1.csv", "2.csv"]
    message, state = sql.refused("SELECT * FROM read_files('/etc/passwd', format => 'csv')")
    assert "/Volumes/<catalog>" in message and state == "22023"
    # A volume of the same name that is made anew is another one: its files were never loaded.
    api.ok("DELETE", f"{UC}/volumes/sales.shop.in")
    sql.run("CREATE VOLUME sales.shop.in")
    sdk.files.upload(f"{AT}/orders/1.csv", io.BytesIO(b"id,total\n7,1\n"))
    assert sql.rows(copy) == [["1", "1", "0"]]


def test_an_upload_is_there_whole_or_not_at_all(api, sales):
    put(api, f"{AT}/a", b"old")
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(send(api, "GET", f"{FILES}{AT}/a")[2][:1] + b"%d" % len(send(api, "GET", f"{FILES}{AT}/a")[2]))

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(10):
        put(api, f"{AT}/a", b"n" * 2_000_000)
        put(api, f"{AT}/a", b"old")
    stop.set()
    reader.join()
    assert seen <= {b"o3", b"n2000000", b"o2000000", b"n3"}
    assert {e["name"] for e in api.ok("GET", f"{FOLDERS}{AT}")["contents"]} == {"a"}  # nothing half is left


@pytest.mark.parametrize("path", ["/etc/passwd", "/Volumes/sales/shop/in/../../../../etc/passwd", "/Volumes/sales/shop/in/a/%2e%2e/b",
                                  "/Volumes/sales/shop/in/%2Fetc/passwd", "/Volumes/sales/shop/in/./a", "/Volumes/sales/shop/in//a",
                                  "/Volumes/sales/shop/in", "/Volumes/sales/shop", "/Volumes/sales/shop/..%2fin/a", "/Workspace/a",
                                  "/Volumes/sales/shop/in/%00", "/Volumes/sales/shop/in/%ff", "/Volumes/sales/shop/in/" + "x" * 256])
def test_no_path_leads_out(api, sales, path):
    for method in ("PUT", "GET", "DELETE"):
        status, _, body = send(api, method, FILES + path, b"x" if method == "PUT" else None)
        assert status == 400 and b"INVALID_PARAMETER_VALUE" in body, (method, status, body)


def test_links_are_not_followed(api, sales, tmp_path):
    """Somebody with a shell made them; no principal gets through."""
    (tmp_path / "secret").write_text("secret")
    tmp_path.chmod(0o755)
    folder = api.ok("GET", f"{UC}/volumes/sales.shop.in")["storage_location"].removeprefix("file://")
    os.symlink(tmp_path / "secret", f"{folder}/link")
    os.symlink(tmp_path, f"{folder}/out")
    for path in ("/link", "/out/secret"):
        status, _, body = send(api, "GET", FILES + AT + path)
        assert status == 400 and b"secret" not in body.replace(b"/secret", b""), body
        assert "link" in Warehouse(api).refused(f"SELECT * FROM read_files('{AT}{path}', format => 'csv')")[0]
    assert send(api, "PUT", f"{FILES}{AT}/out/new", b"x")[0] == 400 and not (tmp_path / "new").exists()
    put(api, f"{AT}/link", b"mine")  # the link is replaced, not what it points to
    assert (tmp_path / "secret").read_text() == "secret"
    os.remove(f"{folder}/out")


def test_wrong_kinds(api, sales):
    put(api, f"{AT}/d/file")
    assert send(api, "PUT", f"{FILES}{AT}/d", b"x")[0] == 400
    assert send(api, "PUT", f"{FILES}{AT}/d/file/x", b"x")[0] == 400
    assert send(api, "GET", f"{FILES}{AT}/d")[0] == 400
    assert send(api, "DELETE", f"{FOLDERS}{AT}/d")[0] == 400
    assert send(api, "GET", f"{FOLDERS}{AT}/none")[0] == 404
    assert send(api, "POST", f"{FILES}{AT}/d?action=initiate-upload")[0] == 501
    assert api.raw("GET", f"{FILES}{AT}/d/file")[0] == 401


# ---- grants ----
def test_a_second_principal_needs_the_grants(api, app, sales):
    put(api, f"{AT}/a.csv", b"k\n1\n")
    sql = Warehouse(app)
    reading = f"SELECT k FROM read_files('{AT}/a.csv', header => true)"
    allow(api, "catalog", "sales", app.name, "USE_CATALOG")
    allow(api, "schema", "sales.shop", app.name, "USE_SCHEMA")
    assert send(app, "GET", f"{FILES}{AT}/a.csv")[0] == 403
    message, state = sql.refused(reading)
    assert message.startswith("[INSUFFICIENT_PERMISSIONS]") and "READ VOLUME on Volume 'sales.shop.in'" in message and state == "42501"
    assert "READ VOLUME" in sql.refused(f"LIST '{AT}'")[0] and sql.rows("SHOW VOLUMES IN sales.shop") == []
    with pytest.raises(PermissionDenied):
        WorkspaceClient(host=f"http://{app.address}", token=app.token).files.upload(f"{AT}/b", io.BytesIO(b"x"))
    Warehouse(api).run(f"GRANT READ VOLUME ON VOLUME sales.shop.in TO `{app.name}`")
    assert sql.rows(reading) == [["1"]] and send(app, "GET", f"{FILES}{AT}/a.csv")[2] == b"k\n1\n"
    assert sql.rows("SHOW VOLUMES IN sales.shop") == [["shop", "in"]]
    assert [app.name, "READ VOLUME", "VOLUME", "sales.shop.in"] in Warehouse(api).rows("SHOW GRANTS ON VOLUME sales.shop.in")
    for method, path in [("PUT", f"{FILES}{AT}/b"), ("DELETE", f"{FILES}{AT}/a.csv"), ("PUT", f"{FOLDERS}{AT}/d"), ("DELETE", f"{FOLDERS}{AT}/d")]:
        assert send(app, method, path, b"x")[0] == 403, path
    allow(api, "schema", "sales.shop", app.name, "WRITE_VOLUME")
    put(app, f"{AT}/b")
    assert app.refused("DELETE", f"{UC}/volumes/sales.shop.in")[0] == 403
    assert app.refused("POST", f"{UC}/volumes", {"name": "y", "catalog_name": "sales", "schema_name": "shop"})[0] == 403
    allow(api, "schema", "sales.shop", app.name, "CREATE_VOLUME")
    assert app.ok("POST", f"{UC}/volumes", {"name": "y", "catalog_name": "sales", "schema_name": "shop"})["owner"] == app.name
    Warehouse(api).run(f"REVOKE READ VOLUME ON VOLUME sales.shop.in FROM `{app.name}`")
    assert "READ VOLUME" in sql.refused(reading)[0]


def test_volumes_outlive_a_restart_and_half_uploads_do_not_show(own_workspace):
    api = Api.of(own_workspace)
    api.ok("POST", f"{UC}/volumes", {"name": "v", "catalog_name": "main", "schema_name": "default"})
    put(api, "/Volumes/main/default/v/a", b"kept")
    own_workspace.run("stop")
    own_workspace.run("start")
    api = Api.of(own_workspace)
    assert send(api, "GET", f"{FILES}/Volumes/main/default/v/a")[2] == b"kept"
    assert [e["name"] for e in api.ok("GET", f"{FOLDERS}/Volumes/main/default/v")["contents"]] == ["a"]
