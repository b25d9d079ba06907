/* %load: a CSV file of this machine as a new table, with the types that its values have. The server reads the CSV. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"
#include "cell/sqlscope.h"
#include "magics/connect.h"
#include "magics/statement.h"
#include "pg/exec.h"
#include "pg/infer.h"

enum { PIECE = 256 << 10, HEADER_MAX = 1 << 20, COLUMNS_MAX = 1600, NAME_MAX_BYTES = 63 };

struct loading {
    struct magic_ctx *ctx;
    const char *file, *shown, *table; /* of the table: as SQL folds it, and quoted */
    bool replace;
    int fd;
    char delimiter;
    char *piece;
    const char **names, **types;
    size_t n;
    char rows[32];
};

/* ---- the header ---- */

static bool add_name(struct loading *l, struct buf *name, struct err *e)
{
    const char *text = buf_str(name);
    while (*text == ' ')
        text++;
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    if (l->n == COLUMNS_MAX)
        return err_set(e, ERR_TOO_BIG, "'%.200s' has more than %d columns", l->file, COLUMNS_MAX);
    if (len > NAME_MAX_BYTES)
        return err_set(e, ERR_TOO_BIG, "a column's name in '%.200s' is longer than %d bytes; is its first line a header?", l->file,
                       NAME_MAX_BYTES);
    const char *kept = len ? arena_strndup(l->ctx->arena, text, len) : arena_printf(l->ctx->arena, "column_%zu", l->n + 1);
    for (size_t i = 0; i < l->n; i++) {
        if (strcmp(l->names[i], kept) == 0)
            return err_set(e, ERR_USAGE, "'%.200s' has two columns with the name '%s'", l->file, kept);
    }
    l->names[l->n++] = kept;
    buf_clear(name);
    return true;
}

/* Of comma, semicolon and tab the one that is there most often, outside quotes. */
static char find_delimiter(const char *text, size_t len)
{
    static const char candidates[] = ",;\t|";
    size_t counts[sizeof candidates] = {0}, best = 0;
    bool quoted = false;
    for (size_t i = 0; i < len && (quoted || text[i] != '\n'); i++) {
        const char *c = text[i] ? strchr(candidates, text[i]) : NULL;
        quoted ^= text[i] == '"';
        if (c && !quoted)
            counts[c - candidates]++;
    }
    for (size_t i = 1; candidates[i]; i++)
        best = counts[i] > counts[best] ? i : best;
    return candidates[best];
}

static bool parse_header(struct loading *l, const char *text, size_t len, struct err *e)
{
    struct buf name;
    bool quoted = false, ok = true;
    size_t i = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a byte-order mark */
    l->delimiter = find_delimiter(text, len);
    buf_init(&name, HEADER_MAX);
    for (; ok && i < len && (quoted || (text[i] != '\n' && text[i] != '\r')); i++) {
        if (text[i] == '"' && quoted && i + 1 < len && text[i + 1] == '"')
            buf_putc(&name, text[i++]);
        else if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == l->delimiter && !quoted)
            ok = add_name(l, &name, e);
        else
            buf_putc(&name, text[i]);
    }
    if (ok && i == len && len == HEADER_MAX)
        ok = err_set(e, ERR_TOO_BIG, "the first line of '%.200s' is longer than %d bytes", l->file, HEADER_MAX);
    ok = ok && add_name(l, &name, e);
    buf_release(&name);
    return ok;
}

static bool read_header(struct loading *l, struct err *e)
{
    char *text = arena_alloc(l->ctx->arena, HEADER_MAX);
    size_t len = 0;
    ssize_t n = 1;
    while (len < HEADER_MAX && n > 0) {
        n = read(l->fd, text + len, HEADER_MAX - len);
        if (n < 0)
            return err_errno(e, errno, "cannot read '%.300s'", l->file);
        len += (size_t)n;
    }
    if (len == 0)
        return err_set(e, ERR_USAGE, "'%.300s' is empty", l->file);
    if (lseek(l->fd, 0, SEEK_SET) != 0)
        return err_errno(e, errno, "cannot read '%.300s' twice", l->file);
    l->names = arena_alloc(l->ctx->arena, COLUMNS_MAX * sizeof *l->names);
    l->types = arena_alloc(l->ctx->arena, COLUMNS_MAX * sizeof *l->types);
    return parse_header(l, text, len, e);
}

/* ---- the table ---- */

static bool read_piece(void *self, const char **data, size_t *len, struct err *e)
{
    struct loading *l = self;
    ssize_t n = read(l->fd, l->piece, PIECE);
    if (n < 0)
        return err_errno(e, errno, "cannot read '%.300s'", l->file);
    *data = l->piece;
    *len = (size_t)n;
    return true;
}

static void keep_rows(void *self, const char *tag, bool has_rows)
{
    struct loading *l = self;
    (void)has_rows;
    const char *number = strrchr(tag, ' ');
    err_copy(l->rows, sizeof l->rows, number ? number + 1 : "", number ? strlen(number + 1) : 0);
}

static bool run_sql(struct loading *l, struct connection *c, struct buf *sql, struct err *e)
{
    bool ok = buf_ok(sql, "a statement of %load", e) && pg_run(c->pg, buf_str(sql), l->ctx->cancel, e);
    e->position = 0; /* in a text that the user did not write */
    buf_clear(sql);
    return ok;
}

static bool copy_file(struct loading *l, struct connection *c, struct buf *sql, struct err *e)
{
    struct pg_rows rows = {.self = l, .done = keep_rows, .copy_in = read_piece};
    buf_puts(sql, "CREATE TEMP TABLE lakebase_load (");
    for (size_t i = 0; i < l->n; i++) {
        buf_puts(sql, i ? ", " : "");
        pg_quote_ident(sql, l->names[i]);
        buf_puts(sql, " text");
    }
    buf_puts(sql, ")");
    if (!run_sql(l, c, sql, e))
        return false;
    l->piece = arena_alloc(l->ctx->arena, PIECE);
    const char *copy = arena_printf(l->ctx->arena, "COPY pg_temp.lakebase_load FROM STDIN (FORMAT csv, HEADER, DELIMITER E'%s')",
                                    l->delimiter == '\t' ? "\\t" : (char[]){l->delimiter, '\0'});
    bool ok = pg_exec(c->pg, copy, NULL, 0, &rows, l->ctx->cancel, e);
    e->position = 0;
    return ok;
}

static bool make_table(struct loading *l, struct connection *c, struct buf *sql, struct err *e)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!pg_infer_type(c->pg, l->ctx->arena, l->names[i], &l->types[i], l->ctx->cancel, e))
            return false;
    }
    if (l->replace) {
        char *there = NULL;
        if (!pg_scalar(c->pg, "SELECT pg_catalog.to_regclass($1)", &l->table, 1, &there, l->ctx->cancel, e))
            return false;
        if (there)
            buf_printf(sql, "DROP TABLE %s; ", l->table);
        free(there);
    }
    buf_printf(sql, "CREATE TABLE %s (", l->table);
    for (size_t i = 0; i < l->n; i++) {
        buf_puts(sql, i ? ", " : "");
        pg_quote_ident(sql, l->names[i]);
        buf_printf(sql, " %s", l->types[i]);
    }
    buf_printf(sql, "); INSERT INTO %s SELECT ", l->table);
    for (size_t i = 0; i < l->n; i++) {
        bool text = strcmp(l->types[i], "text") == 0;
        buf_puts(sql, i ? ", " : "");
        buf_puts(sql, text ? "" : "NULLIF(");
        pg_quote_ident(sql, l->names[i]);
        buf_printf(sql, text ? "" : ", '')::%s", l->types[i]);
    }
    buf_puts(sql, " FROM pg_temp.lakebase_load; DROP TABLE pg_temp.lakebase_load");
    return run_sql(l, c, sql, e);
}

static void show(struct loading *l)
{
    struct table t;
    table_init(&t);
    t.row_cap = COLUMNS_MAX;
    table_add_column(&t, "column", NULL, TABLE_LEFT);
    table_add_column(&t, "type", NULL, TABLE_LEFT);
    for (size_t i = 0; i < l->n; i++)
        table_add_texts(&t, (const char *const[]){l->names[i], l->types[i]});
    table_set_footer(&t, arena_printf(l->ctx->arena, "(%s row%s loaded into %s)", l->rows, strcmp(l->rows, "1") == 0 ? "" : "s",
                                        l->shown));
    statement_show(l->ctx, &t);
    table_release(&t);
}

/* All or nothing: a transaction of its own, or a savepoint of the open one. */
static bool load(struct loading *l, struct connection *c, struct err *e)
{
    struct buf sql;
    struct err undo = {0};
    bool inside = pg_tx_state(c->pg) == PG_TX_IN_BLOCK;
    buf_init(&sql, 4 << 20);
    bool ok = pg_run(c->pg, inside ? "SAVEPOINT lakebase_load" : "BEGIN", l->ctx->cancel, e);
    if (ok) {
        ok = copy_file(l, c, &sql, e) && make_table(l, c, &sql, e) &&
             pg_run(c->pg, inside ? "RELEASE SAVEPOINT lakebase_load" : "COMMIT", l->ctx->cancel, e);
        if (!ok && pg_alive(c->pg) && pg_tx_state(c->pg) != PG_TX_IDLE)
            pg_run(c->pg, inside ? "ROLLBACK TO SAVEPOINT lakebase_load; RELEASE SAVEPOINT lakebase_load" : "ROLLBACK", NULL, &undo);
    }
    buf_release(&sql);
    connect_used(c, ok, e);
    return ok;
}

/* shop.orders as "shop"."orders". */
static const char *quote_name(struct arena *a, const char *name)
{
    struct buf out;
    buf_init(&out, 64 << 10);
    for (const char *at = name;; at++) {
        size_t n = strcspn(at, ".");
        pg_quote_ident(&out, arena_strndup(a, at, n));
        at += n;
        if (*at != '.')
            break;
        buf_putc(&out, '.');
    }
    const char *text = arena_strdup(a, buf_str(&out));
    buf_release(&out);
    return text;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    struct loading l = {.ctx = ctx, .file = args_get(args, "file"), .table = args_get(args, "table"),
                        .replace = args_flag(args, "replace")};
    struct connection *c = session_connection(ctx->session, args_get(args, "on"), e);
    if (!c || !connect_ensure(ctx, c, e))
        return false;
    l.fd = open(l.file, O_RDONLY | O_CLOEXEC);
    if (l.fd < 0)
        return err_errno(e, errno, "cannot open '%.300s'", l.file);
    l.shown = sql_fold(ctx->arena, l.table, strlen(l.table));
    l.table = quote_name(ctx->arena, l.shown);
    bool ok = read_header(&l, e) && load(&l, c, e);
    close(l.fd);
    if (ok)
        show(&l);
    else if (strcmp(e->sqlstate, "42P07") == 0)
        ctx->advice = "%load makes a new table: --replace drops the old one first; \\copy adds the rows of a file to it";
    return ok;
}

static const struct arg_row rows[] = {
    {.name = "on", .type = ARG_WORD, .placeholder = "ALIAS", .complete = "connection",
     .help = "the connection to use; else the current one"},
    {.name = "replace", .type = ARG_FLAG, .help = "drop a table of that name first, with its rows; when the file does not load, it stays"},
    {.name = "file", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "CSV with a header; relative to the notebook's folder"},
    {.name = "table", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "[SCHEMA.]TABLE, which it makes; in lower case"},
    {.name = NULL}};

const struct magic magic_load = {
    .name = "load",
    .kinds = MAGIC_LINE,
    .group = "SQL",
    .summary = "make a table of a CSV file",
    .help = "Each column gets the narrowest type that all its values fit: integer, bigint, numeric, double precision, boolean, date, "
            "timestamp, timestamptz, uuid, else text; an empty value is NULL, but in a text column. Comma, semicolon, tab or | between "
            "values is found by itself. All or nothing.",
    .examples = "%load orders.csv shop.orders",
    .args = rows,
    .run = run,
};
