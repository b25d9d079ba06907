/* What stands for the tables of a statement: Unity Catalog says where they are, the Delta log which files, at which version. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "lakehouse/front_files.h"

/* ---- Unity Catalog's errors in SQL's terms ---- */
static const struct error_class {
    enum err_code code;
    const char *class, *sqlstate;
} error_classes[] = {
    {ERR_CATALOG_NOT_FOUND, "NO_SUCH_CATALOG_EXCEPTION", "42704"}, {ERR_SCHEMA_NOT_FOUND, "SCHEMA_NOT_FOUND", "42704"},
    {ERR_TABLE_NOT_FOUND, "TABLE_OR_VIEW_NOT_FOUND", "42P01"},     {ERR_NOT_FOUND, "TABLE_OR_VIEW_NOT_FOUND", "42P01"},
    {ERR_RESOURCE_NOT_FOUND, "TABLE_OR_VIEW_NOT_FOUND", "42P01"},  {ERR_PERMISSION, "INSUFFICIENT_PERMISSIONS", "42501"},
    {ERR_VOLUME_NOT_FOUND, "UC_VOLUME_NOT_FOUND", "42704"},        {ERR_VOLUME_EXISTS, "VOLUME_ALREADY_EXISTS", "42000"},
    {ERR_ALREADY_EXISTS, "TABLE_OR_VIEW_ALREADY_EXISTS", "42P07"}, {ERR_CATALOG_EXISTS, "CATALOG_ALREADY_EXISTS", "42710"},
    {ERR_CATALOG_NOT_EMPTY, "CATALOG_NOT_EMPTY", "2BP01"},         {ERR_INVALID_PARAMETER, "INVALID_PARAMETER_VALUE", "22023"},
    {ERR_BAD_REQUEST, "INVALID_PARAMETER_VALUE", "22023"},         {ERR_NOT_IMPLEMENTED, "UNSUPPORTED_FEATURE", "0A000"},
    {ERR_INVALID_STATE, "INVALID_STATE", "55000"},
};

/* ERR_SQL with the class, unless it has one already or is none of SQL's (cancelled, unavailable). */
static bool in_sql_terms(struct front *f, const struct token *at, struct err *e)
{
    if (e->code == ERR_SQL && !e->position && at)
        e->position = (int)utf8_count(f->s->sql, at->start) + 1;
    for (size_t i = 0; i < ARRAY_LEN(error_classes); i++) {
        if (error_classes[i].code != e->code)
            continue;
        char text[sizeof e->text];
        memcpy(text, e->text, sizeof text);
        e->code = ERR_NONE;
        if (text[0] == '[') /* the server chose a class */
            err_set(e, ERR_SQL, "%s", text);
        else
            err_set(e, ERR_SQL, "[%s] %s", error_classes[i].class, text);
        if (!e->sqlstate[0])
            memcpy(e->sqlstate, error_classes[i].sqlstate, sizeof e->sqlstate);
        if (at && !e->position)
            e->position = (int)utf8_count(f->s->sql, at->start) + 1;
        break;
    }
    return false;
}

json_t *front_call(struct front *f, const struct token *at, const char *method, json_t *args, struct err *e)
{
    json_t *answer = NULL;
    bool ok = f->catalog->call ? f->catalog->call(f->catalog->self, method, args, &answer, e)
                               : err_set(e, ERR_NOT_IMPLEMENTED, "there is no Unity Catalog to ask for %s", method);
    json_decref(args);
    if (ok && !answer)
        answer = json_object();
    if (!ok)
        in_sql_terms(f, at, e);
    return ok ? answer : NULL;
}

/* ---- tables ---- */
static bool resolve(struct front *f, const char *const parts[3], const struct token *at, bool write,
                    struct lake_object *out, struct err *e)
{
    *out = (struct lake_object){0};
    bool ok = f->catalog->resolve ? f->catalog->resolve(f->catalog->self, parts, write, out, e)
                                  : err_set(e, ERR_NOT_IMPLEMENTED, "there is no Unity Catalog to look the table up in");
    if (ok)
        return true;
    if (e->code == ERR_TABLE_NOT_FOUND || e->code == ERR_NOT_FOUND || e->code == ERR_RESOURCE_NOT_FOUND) {
        e->code = ERR_NONE;
        front_error(f, at, "TABLE_OR_VIEW_NOT_FOUND", "42P01", e, "the table or view %s cannot be found",
                    front_quoted_name(f, parts, 3));
        err_hint(e, "SHOW TABLES lists the tables of a schema; names without catalog and schema are looked up in the "
                    "current ones");
        return false;
    }
    return in_sql_terms(f, at, e);
}

static void add_lineage(struct front *f, const char *full_name)
{
    size_t i;
    json_t *known;
    json_array_foreach(f->outcome->sources, i, known)
        if (!strcmp(json_string_value(known), full_name))
            return;
    json_array_append_new(f->outcome->sources, jx_str(full_name));
}

static struct front_source *add_source(struct front *f, struct lake_object *object, int64_t version, bool write)
{
    struct front_source *s = xcalloc(1, sizeof *s);
    s->object = *object;
    s->version = version;
    s->write = write;
    s->next = f->sources;
    f->sources = s;
    return s;
}

static bool open_snapshot(struct front *f, struct front_source *s, const struct token *at, struct err *e)
{
    s->snapshot = delta_open(s->object.location, s->version, e);
    if (s->snapshot)
        return true;
    if (e->code == ERR_NOT_FOUND && s->version >= 0) {
        struct err ignored;
        err_init(&ignored);
        int64_t newest = delta_newest(s->object.location, &ignored);
        e->code = ERR_NONE;
        return front_error(f, at, "DELTA_VERSION_NOT_FOUND", "22003", e,
                           "%s has no version %lld: the newest is %lld", s->object.full_name, (long long)s->version,
                           (long long)newest);
    }
    return in_sql_terms(f, at, e);
}

struct front_source *front_open(struct front *f, const struct front_name *name, bool write, struct err *e)
{
    struct lake_object object;
    if (!resolve(f, name->parts, name->token, write, &object, e))
        return NULL;
    if (object.kind != LAKE_DELTA) {
        front_error(f, name->token, "UNSUPPORTED_FEATURE.TABLE_OPERATION", "0A000", e,
                    object.kind == LAKE_FOREIGN ? "%s is a table of PostgreSQL: from here it can only be queried"
                                                : "%s is a view of the system: it can only be queried", object.full_name);
        lake_object_release(&object);
        return NULL;
    }
    struct front_source *s = add_source(f, &object, -1, write);
    return open_snapshot(f, s, name->token, e) ? s : NULL;
}

void front_close_sources(struct front *f)
{
    while (f->sources) {
        struct front_source *s = f->sources;
        f->sources = s->next;
        delta_close(s->snapshot);
        lake_object_release(&s->object);
        free(s);
    }
}

/* ---- time travel ---- */
/* A moment as milliseconds since 1970, by the engine's own reading of the tokens [from, to). */
static bool moment(struct front *f, size_t from, size_t to, int64_t *ms, struct err *e)
{
    struct buf sql;
    struct front_map map = {0};
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT epoch_ms(CAST((");
    bool ok = front_rewrite(f, from, to, &sql, &map, e);
    buf_puts(&sql, ") AS TIMESTAMPTZ))");
    ok = ok && front_check(f, buf_str(&sql), e);
    struct duck_params params = {f->s->parameters, f->s->n_parameters};
    struct duck_rows *r = ok ? duck_query(f->conn, buf_str(&sql), params, f->cancel, e) : NULL;
    ok = r && duck_next_row(r, f->cancel, e);
    if (ok)
        *ms = duck_int(r, 0);
    duck_rows_free(r);
    if (!ok && e->code == ERR_SQL) {
        front_map_error(f, &map, e);
        if (!e->position)
            e->position = (int)utf8_count(f->s->sql, front_token(f, from)->start) + 1;
    }
    free(map.places);
    buf_release(&sql);
    return ok;
}

/* The text of a literal or parameter; NULL: it is neither. */
static const char *literal(const struct front *f, const struct token *t)
{
    if (t->kind == TOKEN_NUMBER || t->kind == TOKEN_STRING)
        return t->text;
    for (size_t i = 0; t->kind == TOKEN_PARAMETER && i < f->s->n_parameters; i++)
        if (!strcmp(f->s->parameters[i].name, t->text))
            return f->s->parameters[i].value;
    return NULL;
}

static bool parse_version(struct front *f, const char *text, const struct token *at, int64_t *version, struct err *e)
{
    char *end;
    *version = strtoll(text, &end, 10);
    if (*text && !*end && *version >= 0)
        return true;
    return front_error(f, at, "INVALID_TIME_TRAVEL_SPEC", "42K0E", e, "'%s' is no version of a table", text);
}

static bool version_at(struct front *f, const char *location, size_t from, size_t to, int64_t *version, struct err *e)
{
    int64_t ms;
    const struct token *at = front_token(f, from);
    if (!moment(f, from, to, &ms, e))
        return false;
    if (delta_version_at(location, ms, version, e))
        return true;
    if (e->code != ERR_NOT_FOUND)
        return in_sql_terms(f, at, e);
    e->code = ERR_NONE;
    return front_error(f, at, "DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION", "42816", e,
                       "the table has no version that is as old");
}

bool front_version(struct front *f, const char *location, size_t from, size_t to, int64_t *version, struct err *e)
{
    size_t of = from;
    while (of < to && !token_is(front_token(f, of), "of"))
        of++;
    const struct token *at = front_token(f, of + 1);
    if (of + 1 >= to || of < from + 2)
        return front_error(f, front_token(f, from), "INVALID_TIME_TRAVEL_SPEC", "42K0E", e,
                           "VERSION AS OF a number or TIMESTAMP AS OF a moment is expected");
    if (token_is(front_token(f, of - 2), "timestamp"))
        return version_at(f, location, of + 1, to, version, e);
    const char *text = of + 2 == to ? literal(f, at) : NULL;
    if (!text)
        return front_error(f, at, "INVALID_TIME_TRAVEL_SPEC", "42K0E", e, "after VERSION AS OF comes a number");
    return parse_version(f, text, at, version, e);
}

/* -1 without time travel. */
static bool travelled_version(struct front *f, const struct front_table *t, const struct lake_object *object,
                              int64_t *version, struct err *e)
{
    *version = -1;
    return t->changes || t->travel_end <= t->travel || front_version(f, object->location, t->travel, t->travel_end, version, e);
}

/* ---- the SELECT of each ---- */
static bool keep_sql(struct front *f, struct buf *sql, const char **out, struct err *e)
{
    bool ok = buf_ok(sql, "the scan of a table", e);
    if (ok)
        *out = arena_strndup(&f->arena, buf_str(sql), sql->len);
    buf_release(sql);
    return ok;
}

static bool foreign_sql(struct front *f, struct front_table *t, struct lake_object *object, struct err *e)
{
    if (t->changes || t->travel_end > t->travel)
        front_error(f, front_token(f, t->first), "UNSUPPORTED_FEATURE.TIME_TRAVEL", "0A000", e,
                    "%s is a table of PostgreSQL: it has no versions", object->full_name);
    else if (!f->catalog->foreign_scan)
        front_error(f, front_token(f, t->first), "UNSUPPORTED_FEATURE", "0A000", e, "foreign tables cannot be read here");
    if (e->code != ERR_NONE)
        return false;
    if (!f->handles)
        f->handles = lake_handles_new(f->lake, f->catalog);
    struct buf sql;
    int64_t id = lake_handles_next(f->handles);
    buf_init(&sql, LAKE_SQL_MAX);
    buf_puts(&sql, "SELECT ");
    for (size_t i = 0; i < object->n_columns; i++) {
        const struct lake_column *c = &object->columns[i];
        struct delta_schema one = {0};
        buf_puts(&sql, i ? ", " : "");
        if (!delta_schema_add(&one, c->name, c->type == DELTA_NESTED ? "STRING" : c->type_text, true, NULL, e)) {
            buf_release(&sql);
            return false;
        }
        buf_puts(&sql, c->type == DELTA_BINARY ? "from_hex(substr(" : "CAST(");
        buf_printf(&sql, LAKE_FOREIGN_COLUMN, (long long)id, i);
        if (c->type == DELTA_BINARY) {
            buf_puts(&sql, ", 3))");
        } else {
            buf_puts(&sql, " AS ");
            lake_duck_type(&sql, one.columns[0].type_json);
            buf_putc(&sql, ')');
        }
        buf_puts(&sql, " AS ");
        lake_quote_name(&sql, c->name);
        delta_schema_release(&one);
    }
    lake_handles_add(f->handles, object, id);
    buf_printf(&sql, " FROM __lake_foreign(%lld)", (long long)id);
    return keep_sql(f, &sql, &t->sql, e);
}

/* The bounds of table_changes: versions, or moments. */
static bool change_bound(struct front *f, const char *location, size_t token, bool first, int64_t *version, struct err *e)
{
    const struct token *at = front_token(f, token);
    const char *text = literal(f, at);
    if (!text)
        return front_error(f, at, "PARSE_SYNTAX_ERROR", "42601", e, "table_changes wants a version, or a moment as a string");
    if (at->kind == TOKEN_NUMBER || strspn(text, "0123456789") == strlen(text))
        return parse_version(f, text, at, version, e);
    if (!version_at(f, location, token, token + 1, version, e))
        return false;
    *version += first; /* changes after the commit that was the newest at that moment */
    return true;
}

static bool changes_sql(struct front *f, struct front_table *t, const struct lake_object *object, struct err *e)
{
    int64_t from = 0, to = delta_newest(object->location, e);
    size_t at = t->travel; /* ", from [, to]" */
    bool ok = to >= 0;
    const struct token *where = front_token(f, t->first);
    if (!ok)
        return in_sql_terms(f, where, e);
    if (at + 2 > t->travel_end || !token_symbol(front_token(f, at), ","))
        return front_error(f, where, "PARSE_SYNTAX_ERROR", "42601", e, "table_changes wants a first version");
    ok = change_bound(f, object->location, at + 1, true, &from, e);
    at += 2;
    if (ok && at + 2 <= t->travel_end && token_symbol(front_token(f, at), ",")) {
        ok = change_bound(f, object->location, at + 1, false, &to, e);
        at += 2;
    }
    if (ok && at != t->travel_end)
        ok = front_error(f, front_token(f, at), "PARSE_SYNTAX_ERROR", "42601", e,
                         "table_changes takes a table, a first and perhaps a last version");
    if (!ok)
        return false;
    if (from > to)
        return front_error(f, where, "DELTA_INVALID_CDC_RANGE", "22003", e,
                           "the change feed cannot go from version %lld to version %lld", (long long)from, (long long)to);
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    if (lake_changes_sql(f->conn, object->location, from, to, false, NULL, &sql, e))
        return keep_sql(f, &sql, &t->sql, e);
    buf_release(&sql);
    if (e->code == ERR_INVALID_STATE) {
        char text[sizeof e->text];
        memcpy(text, e->text, sizeof text);
        e->code = ERR_NONE;
        return front_error(f, where, "DELTA_MISSING_CHANGE_DATA", "KD002", e, "%s", text);
    }
    return in_sql_terms(f, where, e);
}

static bool snapshot_sql(struct front *f, struct front_table *t, struct lake_object *object, int64_t version, struct err *e)
{
    struct front_source *s = f->sources;
    while (s && (s->version != version || !s->sql || strcmp(s->object.full_name, object->full_name) != 0))
        s = s->next;
    if (s) {
        t->sql = s->sql;
        lake_object_release(object);
        return true;
    }
    s = add_source(f, object, version, false);
    struct lake_files_options o = {0};
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    if (open_snapshot(f, s, front_token(f, t->first), e) && lake_snapshot_sql(f->conn, s->snapshot, &o, NULL, &sql, e))
        keep_sql(f, &sql, &s->sql, e);
    else
        in_sql_terms(f, front_token(f, t->first), e);
    buf_release(&sql);
    t->sql = s->sql;
    return t->sql != NULL;
}

/* A view of the system's: its rows as they came. */
static bool rows_sql(struct front *f, struct front_table *t, const struct lake_object *object, struct err *e)
{
    struct buf sql;
    size_t n = json_array_size(object->fields), row, i;
    json_t *field, *values, *value;
    if (t->changes || t->travel_end > t->travel)
        return front_error(f, front_token(f, t->first), "UNSUPPORTED_FEATURE.TIME_TRAVEL", "0A000", e, "%s is a view: it has no versions", object->full_name);
    buf_init(&sql, LAKE_SQL_MAX);
    json_array_foreach(object->fields, i, field) {
        const char *type = jx_get_str(field, "type_text", "");
        buf_printf(&sql, "%sCAST(c%zu AS %s) AS ", i ? ", " : "SELECT ", i,
                   !strcmp(type, "STRING") ? "VARCHAR" : !strcmp(type, "TIMESTAMP") ? "TIMESTAMPTZ" : type);
        lake_quote_name(&sql, jx_get_str(field, "name", ""));
    }
    buf_puts(&sql, " FROM (VALUES (");
    for (i = 0; i < n; i++)
        buf_puts(&sql, i ? ", CAST(NULL AS VARCHAR)" : "CAST(NULL AS VARCHAR)"); /* a row for the types, left out below */
    buf_puts(&sql, ", true)");
    json_array_foreach(object->rows, row, values) {
        buf_puts(&sql, ", (");
        json_array_foreach(values, i, value) {
            if (json_is_string(value))
                lake_quote_text(&sql, json_string_value(value));
            else
                buf_puts(&sql, "NULL");
            buf_puts(&sql, ", ");
        }
        buf_puts(&sql, "false)");
    }
    buf_puts(&sql, ") AS v(");
    for (i = 0; i < n; i++)
        buf_printf(&sql, "c%zu, ", i);
    buf_puts(&sql, "no) WHERE NOT no");
    return keep_sql(f, &sql, &t->sql, e);
}

static bool files_sql(struct front *f, struct front_table *t, struct err *e)
{
    struct buf sql;
    buf_init(&sql, LAKE_SQL_MAX);
    if (front_files_find(f, t->files, e) && front_reader_sql(f, t->files, NULL, &sql, e))
        return keep_sql(f, &sql, &t->sql, e);
    buf_release(&sql);
    return false;
}

bool front_resolve_tables(struct front *f, struct err *e)
{
    bool ok = true;
    for (size_t i = 0; ok && i < f->n_tables; i++) {
        struct front_table *t = &f->tables[i];
        struct lake_object object;
        int64_t version;
        if (t->sql)
            continue;
        if (t->files) {
            ok = files_sql(f, t, e);
            continue;
        }
        if (!resolve(f, t->parts, front_token(f, t->first), false, &object, e))
            return false;
        if (object.kind != LAKE_ROWS)
            add_lineage(f, object.full_name);
        if (object.kind == LAKE_ROWS) {
            ok = rows_sql(f, t, &object, e);
        } else if (object.kind == LAKE_FOREIGN) {
            ok = foreign_sql(f, t, &object, e);
        } else if (t->changes) {
            ok = changes_sql(f, t, &object, e);
        } else {
            ok = travelled_version(f, t, &object, &version, e);
            if (ok) {
                ok = snapshot_sql(f, t, &object, version, e);
                object = (struct lake_object){0};
            }
        }
        lake_object_release(&object);
    }
    return ok;
}
