/*
 * The protocol gate: which features of a table we read, which we keep to when writing, and what our own tables need.
 * Source: PROTOCOL.md, "Table Features", "Requirements for Readers/Writers".
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

enum { LEGACY_WRITER_MAX = 6, FEATURES_WRITER = 7, FEATURES_READER = 3 };

/* How a feature stands with us. */
enum stance {
    KEPT = 1,   /* we do what it asks */
    IDLE,       /* fine as long as no property or column uses it (in_use below) */
};
static const struct feature {
    const char *name;
    bool read;           /* readers have to know it, and we do */
    enum stance write;   /* 0: we do not write such tables */
    int legacy_writer;   /* the writer version that implied it before there were features; 0: none */
} features[] = {
    {"appendOnly", true, KEPT, 2},
    {"invariants", true, IDLE, 2},
    {"checkConstraints", true, IDLE, 3},
    {"changeDataFeed", true, KEPT, 4},
    {"generatedColumns", true, IDLE, 4},
    {"columnMapping", true, IDLE, 5},
    {"identityColumns", true, IDLE, 6},
    {"allowColumnDefaults", true, IDLE, 0},
    {"inCommitTimestamp", true, KEPT, 0},
    {"timestampNtz", true, KEPT, 0},
    {"timestampWithoutTimezone", true, KEPT, 0},
    {"deletionVectors", true, KEPT, 0},  /* we write none, and carry those that are there into removes */
    {"v2Checkpoint", true, KEPT, 0},
    {"vacuumProtocolCheck", true, KEPT, 0}, /* we never vacuum */
    {"checkpointProtection", true, KEPT, 0}, /* we never clean a log */
};

static const struct feature *find_feature(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(features); i++)
        if (!strcmp(features[i].name, name))
            return &features[i];
    return NULL;
}

bool delta_flag(const json_t *configuration, const char *name)
{
    return !strcasecmp(jx_get_str(configuration, name, "false"), "true");
}

static void add_name(struct buf *list, const char *name) { buf_printf(list, "%s%.100s", list->len ? ", " : "", name); }

/* ---- reading ---- */
static bool has_nested(const char *schema)
{
    struct err ignored;
    err_init(&ignored);
    json_t *all = jx_parse(schema, strlen(schema), DELTA_SCHEMA_MAX, &ignored);
    const json_t *fields = json_object_get(all, "fields");
    bool nested = !all;
    for (size_t i = 0; i < json_array_size(fields); i++)
        nested = nested || !json_is_string(json_object_get(json_array_get(fields, i), "type"));
    json_decref(all);
    return nested;
}

/* Files of a mapped table have other column names inside. The engine finds columns by those, at the top level only. */
static void check_mapping(const json_t *metadata, struct buf *refused)
{
    const char *mode = jx_get_str(json_object_get(metadata, "configuration"), "delta.columnMapping.mode", "none");
    if (!strcasecmp(mode, "none"))
        return;
    if (strcasecmp(mode, "name") != 0)
        buf_printf(refused, "%scolumnMapping (mode %.20s)", refused->len ? ", " : "", mode);
    else if (has_nested(jx_get_str(metadata, "schemaString", "")))
        add_name(refused, "columnMapping (with nested columns)");
}

bool delta_may_read(const json_t *protocol, const json_t *metadata, struct err *e)
{
    int64_t reader = jx_get_int(protocol, "minReaderVersion", -1);
    const json_t *list = json_object_get(protocol, "readerFeatures");
    struct buf refused;
    if (reader < 1)
        return err_set(e, ERR_MALFORMED, "the table's protocol action has no minReaderVersion");
    if (reader > FEATURES_READER)
        return err_set(e, ERR_NOT_IMPLEMENTED, "the table needs reader version %lld; this workspace reads versions 1 to %d",
                       (long long)reader, FEATURES_READER);
    if (reader == FEATURES_READER && !json_is_array(list))
        return err_set(e, ERR_MALFORMED, "the table's protocol action has reader version 3 and no readerFeatures");
    buf_init(&refused, 1 << 16);
    for (size_t i = 0; reader == FEATURES_READER && i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        const struct feature *f = find_feature(name ? name : "");
        if (!f || !f->read)
            add_name(&refused, name ? name : "(no text)");
    }
    if (reader >= 2)
        check_mapping(metadata, &refused);
    bool ok = refused.len == 0 && !refused.failed;
    if (!ok) {
        err_set(e, ERR_NOT_IMPLEMENTED, "the table uses features that this workspace does not read: %s", buf_str(&refused));
        err_detail(e, "read without them, its rows would be wrong");
        err_hint(e, "drop the feature where the table is written, or write a copy without it (CREATE TABLE … AS SELECT)");
    }
    buf_release(&refused);
    return ok;
}

/* ---- writing ---- */
static bool any_metadata(const struct delta_snapshot *s, const char *prefix)
{
    const char *key;
    json_t *value;
    for (size_t i = 0; i < s->schema.count; i++)
        json_object_foreach(s->schema.columns[i].metadata, key, value)
            if (!strncmp(key, prefix, strlen(prefix)))
                return true;
    return false;
}

static bool any_property(const struct delta_snapshot *s, const char *prefix)
{
    const char *key;
    json_t *value;
    json_object_foreach(s->configuration, key, value)
        if (!strncmp(key, prefix, strlen(prefix)))
            return true;
    return false;
}

/* Does something of the table use an IDLE feature? */
static bool in_use(const struct delta_snapshot *s, const char *feature)
{
    static const struct { const char *feature, *metadata, *property; } marks[] = {
        {"invariants", "delta.invariants", NULL},
        {"checkConstraints", NULL, "delta.constraints."},
        {"generatedColumns", "delta.generationExpression", NULL},
        {"identityColumns", "delta.identity.", NULL},
        {"allowColumnDefaults", "CURRENT_DEFAULT", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(marks); i++)
        if (!strcmp(marks[i].feature, feature))
            return marks[i].metadata ? any_metadata(s, marks[i].metadata) : any_property(s, marks[i].property);
    const char *mode = delta_property(s, "delta.columnMapping.mode");
    return mode && strcasecmp(mode, "none") != 0;
}

static bool refuses_write(const struct delta_snapshot *s, const char *name)
{
    const struct feature *f = find_feature(name);
    return !f || !f->write || (f->write == IDLE && in_use(s, name));
}

bool delta_may_write(const struct delta_snapshot *s, struct err *e)
{
    struct buf refused;
    buf_init(&refused, 1 << 16);
    if (s->min_writer > FEATURES_WRITER)
        buf_printf(&refused, "writer version %d", s->min_writer);
    for (size_t i = 0; s->min_writer == FEATURES_WRITER && i < json_array_size(s->writer_features); i++) {
        const char *name = json_string_value(json_array_get(s->writer_features, i));
        if (refuses_write(s, name ? name : ""))
            add_name(&refused, name ? name : "(no text)");
    }
    for (size_t i = 0; s->min_writer <= LEGACY_WRITER_MAX && i < ARRAY_LEN(features); i++)
        if (features[i].legacy_writer && features[i].legacy_writer <= s->min_writer && refuses_write(s, features[i].name))
            add_name(&refused, features[i].name);
    if (any_metadata(s, "__CHAR_VARCHAR_TYPE_STRING"))
        add_name(&refused, "columns of type CHAR or VARCHAR");
    bool ok = refused.len == 0 && !refused.failed;
    if (!ok) {
        err_set(e, ERR_NOT_IMPLEMENTED, "the table uses features that this workspace does not write: %s", buf_str(&refused));
        err_hint(e, "it can be read; write to a copy (CREATE TABLE … AS SELECT)");
    }
    buf_release(&refused);
    return ok;
}

/* ---- our own tables ---- */
static bool listed(const json_t *list, const char *name)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!strcmp(json_string_value(json_array_get(list, i)) ? json_string_value(json_array_get(list, i)) : "", name))
            return true;
    return false;
}

/* Add to the list unless it is there. */
static bool need(json_t *list, const char *name)
{
    return !listed(list, name) && json_array_append_new(list, json_string(name)) == 0;
}

static bool has_ntz(const json_t *type)
{
    static const char *const parts[] = {"type", "elementType", "keyType", "valueType", "fields"};
    if (json_is_string(type))
        return !strcmp(json_string_value(type), "timestamp_ntz");
    for (size_t i = 0; i < json_array_size(type); i++)
        if (has_ntz(json_object_get(json_array_get(type, i), "type")))
            return true;
    for (size_t i = 0; json_is_object(type) && i < ARRAY_LEN(parts); i++)
        if (has_ntz(json_object_get(type, parts[i])))
            return true;
    return false;
}

/* The features that a legacy version stands for, once features are listed. */
static void list_legacy(json_t *writer, int version)
{
    for (size_t i = 0; i < ARRAY_LEN(features); i++)
        if (features[i].legacy_writer && features[i].legacy_writer <= version)
            need(writer, features[i].name);
}

json_t *delta_protocol_needed(const struct delta_schema *schema, const json_t *configuration, const struct delta_snapshot *now)
{
    json_t *writer = now && now->writer_features ? json_deep_copy(now->writer_features) : json_array();
    json_t *reader = now && now->reader_features ? json_deep_copy(now->reader_features) : json_array();
    int min_reader = now ? now->min_reader : 1;
    bool ntz = false, more = !now, legacy = now && now->min_writer <= LEGACY_WRITER_MAX;
    for (size_t i = 0; i < schema->count; i++)
        ntz = ntz || has_ntz(schema->columns[i].type_json);
    if (legacy)
        list_legacy(writer, now->min_writer);
    if (!now) {
        need(writer, "appendOnly");
        need(writer, "invariants");
    }
    if (delta_flag(configuration, "delta.enableChangeDataFeed"))
        more |= need(writer, "changeDataFeed");
    if (delta_flag(configuration, "delta.appendOnly"))
        more |= need(writer, "appendOnly");
    if (delta_flag(configuration, "delta.enableInCommitTimestamps"))
        more |= need(writer, "inCommitTimestamp");
    if (ntz && !listed(writer, "timestampWithoutTimezone") && need(writer, "timestampNtz")) {
        if (min_reader == 2)
            need(reader, "columnMapping");
        need(reader, "timestampNtz");
        min_reader = FEATURES_READER;
        more = true;
    }
    json_t *out = NULL;
    if (more)
        out = json_pack("{si si sO}", "minReaderVersion", min_reader, "minWriterVersion", FEATURES_WRITER, "writerFeatures", writer);
    if (out && min_reader == FEATURES_READER)
        json_object_set(out, "readerFeatures", reader);
    json_decref(writer);
    json_decref(reader);
    return out;
}
