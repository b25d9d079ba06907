/*
 * The inside of the SQL front: one statement on its way from Databricks SQL to the engine. Steps: tokens (front_lex),
 * which of them name tables (front_tables), what stands for those (front_source), the same text in DuckDB's SQL
 * (front_rewrite), and one handler a kind of statement (front_*.c, dml_*.c), found in the table of front.c.
 */
#ifndef LAKEHOUSE_FRONT_H
#define LAKEHOUSE_FRONT_H

#include "base/arena.h"
#include "lakehouse/front_lex.h"
#include "lakehouse/lake_parts.h"

enum { FRONT_TABLES_MAX = 256, FRONT_DEPTH_MAX = 500 };

/* A table in the statement's text. */
struct front_table {
    size_t first, last;         /* tokens of its name, or of the whole call of table_changes */
    size_t travel, travel_end;  /* tokens of VERSION|TIMESTAMP AS OF …, [travel, travel_end) */
    size_t n_parts;             /* as written: 1 to 3 */
    const char *parts[3];       /* the full name */
    bool aliased;               /* the text gives it an alias */
    bool changes;               /* table_changes(…): the arguments are tokens [travel, travel_end) */
    struct front_files *files;  /* read_files(…), or the path in COPY INTO: no table at all; else NULL */
    const char *sql;            /* a SELECT that stands for it; set by front_source */
};

/* A Delta table that the statement reads or writes, opened once. */
struct front_source {
    struct front_source *next;
    struct lake_object object;
    int64_t version;            /* as asked; -1: the newest */
    struct delta_snapshot *snapshot;
    bool write;
    const char *sql;
};

struct front {
    struct lake *lake;
    const struct lake_catalog *catalog;
    const struct lake_statement *s;
    struct lake_outcome *outcome;
    struct cancel *cancel;
    struct arena arena;
    struct tokens t;
    size_t at;                  /* the token in work, for handlers */
    struct duck_conn *conn;
    struct front_table *tables; /* FRONT_TABLES_MAX */
    size_t n_tables;
    unsigned short *table_at;   /* by token: number of the table that begins there, from 1; 0: none */
    const char **ctes;
    size_t n_ctes;
    struct front_source *sources;
    struct front_files *copied;   /* COPY INTO: what a path after FROM means; else paths are refused */
    struct lake_aliases *aliases; /* folders that errors must not show; NULL: none */
    bool second_try;              /* after a conflict: writers queue from then on (dml_commit.c) */
    int queue_fd;                 /* our place in the queue, or -1 */
    struct lake_handles *handles; /* foreign tables in use; go with the stream */
};

/* ---- errors (front.c) ---- */
bool front_error(struct front *f, const struct token *at, const char *class, const char *sqlstate, struct err *e,
                 const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* [PARSE_SYNTAX_ERROR] at the token in work: "expected …". */
bool front_expected(struct front *f, const char *what, struct err *e);

/* Errors of this statement, also those of its stream, say `shown` where the engine says `folder`. */
void front_hide(struct front *f, const char *folder, const char *shown);

/* What the statement wrote is there for everybody: from now on it cannot be cancelled. */
static inline void front_committed(struct front *f)
{
    f->outcome->committed = true;
    f->cancel = NULL;
}

/* ---- walking the tokens (front.c) ---- */
static inline const struct token *front_token(const struct front *f, size_t at)
{
    return &f->t.list[at < f->t.count ? at : f->t.count];
}
static inline const struct token *front_now(const struct front *f)
{
    return front_token(f, f->at);
}
/* Take the word (or all words of "IF NOT EXISTS") if it stands here. */
bool front_take(struct front *f, const char *words);
bool front_take_symbol(struct front *f, const char *symbol);
bool front_need(struct front *f, const char *words, struct err *e);
bool front_need_symbol(struct front *f, const char *symbol, struct err *e);
bool front_need_end(struct front *f, struct err *e);
/* A name of 1 to 3 parts as a full one; `want` parts. */
struct front_name {
    const char *parts[3];
    size_t n, written;      /* parts in all; as written */
    const struct token *token;
};
bool front_take_name(struct front *f, size_t want, struct front_name *out, struct err *e);
const char *front_full_name(struct front *f, const struct front_name *name); /* "a.b.c" in the arena */
json_t *front_name_json(const struct front_name *name); /* ["a", "b", "c"] */
/* The name as SQL quotes it in messages: `a`.`b`.`c`. */
const char *front_quoted_name(struct front *f, const char *const *parts, size_t n);
bool front_take_string(struct front *f, const char **out, struct err *e);
/* The token after the closing bracket of the one at `open`; 0: *e is set. */
size_t front_after_bracket(struct front *f, size_t open, struct err *e);

/* ---- tables in a statement (front_tables.c) ---- */
/* Find the tables that tokens [from, to) read. in_from: the range begins where a table is expected. */
bool front_find_tables(struct front *f, size_t from, size_t to, bool in_from, struct err *e);
bool front_ends_table(const struct token *t); /* a keyword that cannot be an alias */

/* ---- what stands for them (front_source.c) ---- */
bool front_resolve_tables(struct front *f, struct err *e);
/* The table at its newest version, for writing or DESCRIBE. */
struct front_source *front_open(struct front *f, const struct front_name *name, bool write, struct err *e);
/* The version that tokens [from, to) ask for: VERSION AS OF a number, TIMESTAMP AS OF a moment. */
bool front_version(struct front *f, const char *location, size_t from, size_t to, int64_t *version, struct err *e);
void front_close_sources(struct front *f);
/* Ask Unity Catalog. args is taken over. NULL: *e is set, in SQL's terms. */
json_t *front_call(struct front *f, const struct token *at, const char *method, json_t *args, struct err *e);

/* ---- rewriting (front_rewrite.c) ---- */
/* Where pieces of the user's text went, to bring error positions back. */
struct front_map {
    size_t count, cap;
    struct front_place { size_t out, in; } *places;
};
/* Append tokens [from, to) in DuckDB's SQL. */
bool front_rewrite(struct front *f, size_t from, size_t to, struct buf *out, struct front_map *map, struct err *e);
/* Append the type at token *at in DuckDB's SQL and step over it. spark: its spelling in Databricks SQL, may be NULL (front_type.c). */
bool front_rewrite_type(struct front *f, size_t *at, struct buf *out, struct buf *spark, struct err *e);
/* After a failure of the engine: e->position from a byte of the rewritten text to a code point of the user's. */
void front_map_error(const struct front *f, const struct front_map *map, struct err *e);

/* ---- running (front_run.c) ---- */
/* Refuses SQL that reads anything but what we put there. */
bool front_check(struct front *f, const char *sql, struct err *e);
/* The stream of a statement's SELECT: takes f->conn over on success. */
struct lake_stream *front_stream(struct front *f, const char *sql, const struct front_map *map, struct err *e);
/* Small results of our own: rows of texts as a stream. types: "STRING", "BIGINT" (DuckDB's names). */
struct front_column {
    const char *name, *type;
};
struct lake_stream *front_rows(struct front *f, const struct front_column *columns, size_t n, const json_t *rows, struct err *e);
/* A stream without columns and rows. */
struct lake_stream *front_nothing(struct front *f, struct err *e);

/* [CATALOG|SCHEMA|TABLE] name, or METASTORE, as GRANT and SHOW GRANTS name it (front_use.c). */
struct front_securable {
    const char *type; /* "TABLE" */
    struct front_name name;
};
bool front_take_securable(struct front *f, struct front_securable *out, struct err *e);

/* ---- volumes (front_volume.c): f->at stands behind the words ---- */
struct lake_stream *front_create_volume(struct front *f, struct err *e);
struct lake_stream *front_drop_volume(struct front *f, struct err *e);
struct lake_stream *front_describe_volume(struct front *f, struct err *e);
struct lake_stream *front_show_volumes(struct front *f, const struct front_name *in, const char *like, struct err *e);

/* ---- handlers ---- */
typedef struct lake_stream *front_handler(struct front *f, struct err *e);
front_handler front_select, front_create, front_drop, front_alter, front_insert, front_update, front_delete, front_truncate, front_merge,
    front_describe, front_show, front_use, front_grant, front_optimize, front_restore, front_vacuum, front_explain, front_copy, front_list;

#endif
