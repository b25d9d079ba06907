"""Deletion vectors written by hand, from the format's description alone: a table of deltalake gets them, which it reads itself."""
import json
import struct
import uuid
import zlib
from pathlib import Path

Z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"


def z85(data):
    out = ""
    for i in range(0, len(data), 4):
        n = int.from_bytes(data[i:i + 4].ljust(4, b"\0"), "big")
        out += "".join(Z85[n // 85 ** k % 85] for k in (4, 3, 2, 1, 0))
    return out


def bitmap(rows):
    """The rows as arrays of 65,536 rows each, without runs."""
    keys = sorted({row >> 16 for row in rows})
    heads = arrays = b""
    for key in keys:
        low = sorted(row & 0xFFFF for row in rows if row >> 16 == key)
        assert len(low) <= 4096
        heads += struct.pack("<HH", key, len(low) - 1)
        arrays += struct.pack(f"<{len(low)}H", *low)
    offsets = b"\0\0\0\0" * len(keys)
    position = 8 + len(heads) + len(offsets)
    offsets = b""
    for key in keys:
        offsets += struct.pack("<I", position)
        position += 2 * sum(1 for row in rows if row >> 16 == key)
    return struct.pack("<IQI", 1681511377, 1, 0) + struct.pack("<II", 12346, len(keys)) + heads + offsets + arrays


def stored(root, rows, name=None, folder=""):
    """A descriptor of a new file with the vector; its name, if given, is a UUID."""
    data, name = bitmap(rows), name or uuid.uuid4()
    Path(root, folder).mkdir(exist_ok=True)
    Path(root, folder, f"deletion_vector_{name}.bin").write_bytes(
        b"\x01" + struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data)))
    return {"storageType": "u", "pathOrInlineDv": folder + z85(name.bytes), "offset": 1, "sizeInBytes": len(data), "cardinality": len(rows)}


def in_line(rows):
    data = bitmap(rows)
    return {"storageType": "i", "pathOrInlineDv": z85(data), "sizeInBytes": len(data), "cardinality": len(rows)}


def actions(root, version):
    lines = Path(root, f"_delta_log/{version:020}.json").read_text().splitlines()
    return [json.loads(line) for line in lines]


def put_commit(root, version, *lines):
    Path(root, f"_delta_log/{version:020}.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


def allow(root):
    """Give a fresh table of one commit the feature."""
    lines = actions(root, 0)
    for line in lines:
        if "protocol" in line:
            features = set(line["protocol"].get("writerFeatures", [])) | {"deletionVectors", "changeDataFeed"}
            line["protocol"] = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"],
                                "writerFeatures": sorted(features)}
    put_commit(root, 0, *lines)
    return next(line["add"] for line in lines if "add" in line)


def mask(root, version, add, vector):
    """The commit that gives the file this vector (None: none), as DELETE does it on Databricks; the file's new add action."""
    new = {k: v for k, v in add.items() if k != "deletionVector"} | ({"deletionVector": vector} if vector else {})
    remove = {k: add[k] for k in ("path", "partitionValues", "size", "deletionVector") if k in add}
    put_commit(root, version, {"commitInfo": {"operation": "DELETE", "timestamp": 1}},
               {"remove": remove | {"dataChange": True, "deletionTimestamp": 1, "extendedFileMetadata": True}}, {"add": new})
    return new
