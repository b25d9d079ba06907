/* %catalog: register a database in Unity Catalog, and read what is there. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "magics/catalog_error.h"
#include "magics/catalog_managed.h"
#include "magics/remote.h"
#include "magics/statement.h"

enum { LIST_CAP = 10000 };

/* ---- register ---- */

static void say_registered(struct magic_ctx *ctx, const struct database_catalog *c)
{
    sink_printf(ctx->out, "Catalog %s shows database %s of instance %s.\n", text_or_empty(c->name),
                text_or_empty(c->database_name), text_or_empty(c->database_instance_name));
}

static bool same(const char *a, const char *b) { return strcmp(text_or_empty(a), text_or_empty(b)) == 0; }

/* The name is taken: fine when it shows the same database. */
static bool keep_existing(struct magic_ctx *ctx, const struct database_catalog *wanted, struct err *e)
{
    struct dbx_param params[] = {{"name", wanted->name}, {NULL, NULL}};
    struct database_catalog seen = {0};
    if (!remote_call(ctx, DBX_get_database_catalog, params, NULL, &seen, e))
        return err_wrap(e, "catalog '%s' exists, but shows no database of an instance", wanted->name);
    bool ok = same(seen.database_instance_name, wanted->database_instance_name) &&
              same(seen.database_name, wanted->database_name);
    if (ok)
        say_registered(ctx, &seen);
    else
        err_set(e, ERR_CATALOG_EXISTS, "catalog '%s' exists and shows another database", wanted->name);
    if (!ok)
        catalog_error_register(ctx, wanted, e);
    model_release(&model_database_catalog, &seen);
    return ok;
}

static bool create(struct magic_ctx *ctx, const struct database_catalog *request, bool idempotent, struct err *e)
{
    struct database_catalog made = {0};
    if (remote_call(ctx, DBX_create_database_catalog, NULL, request, &made, e)) {
        say_registered(ctx, made.name ? &made : request);
        model_release(&model_database_catalog, &made);
        return true;
    }
    if (e->code == ERR_CATALOG_EXISTS && idempotent) {
        err_init(e);
        return keep_existing(ctx, request, e);
    }
    catalog_error_register(ctx, request, e);
    return err_wrap(e, "cannot register catalog '%s'", request->name);
}

static bool run_register(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "catalog"), *target = args_get(args, "target"), *slash = strchr(target, '/');
    if (slash == target)
        return err_set(e, ERR_USAGE, "the name of an instance is missing before '/'");
    const char *what = arena_printf(ctx->arena, "Create catalog '%s'", name);
    if (!remote_consent(ctx, what, false, args_flag(args, "yes"), e))
        return false;
    struct database_catalog request = {
        .name = xstrdup(name),
        .database_instance_name = xstrndup(target, slash ? (size_t)(slash - target) : strlen(target)),
        .database_name = xstrdup(slash && slash[1] ? slash + 1 : "databricks_postgres"),
        .create_database_if_not_exists = args_flag(args, "create-database") ? TRI_TRUE : TRI_ABSENT};
    bool ok = create(ctx, &request, args_flag(args, "if-not-exists"), e);
    model_release(&model_database_catalog, &request);
    return ok;
}

/* ---- list and show ---- */

static bool add_catalogs(void *self, const void *page, const char **next_token)
{
    struct table *t = self;
    const struct catalog_info_list *list = page;
    const struct catalog_info *items = list->catalogs.items;
    for (size_t i = 0; i < list->catalogs.count; i++)
        table_add_texts(t, (const char *const[]){items[i].name, items[i].catalog_type, items[i].owner,
                                                 items[i].comment});
    *next_token = list->next_page_token;
    return true;
}

static bool run_list(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    static const char *const names[] = {"name", "type", "owner", "comment"};
    struct table t;
    (void)args;
    table_init(&t);
    t.row_cap = LIST_CAP;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        table_add_column(&t, names[i], NULL, TABLE_LEFT);
    bool ok = remote_pages(ctx, DBX_list_catalogs, NULL, add_catalogs, &t, e);
    if (ok)
        statement_show(ctx, &t);
    table_release(&t);
    return ok;
}

static bool run_show(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "catalog");
    struct dbx_param params[] = {{"name", name}, {NULL, NULL}};
    struct catalog_info info = {0};
    struct database_catalog database = {0};
    struct err none = {0};
    struct table t;
    if (!remote_call(ctx, DBX_get_catalog, params, NULL, &info, e)) {
        catalog_error_unknown(ctx, name, e);
        return false;
    }
    bool registered = remote_call(ctx, DBX_get_database_catalog, params, NULL, &database, &none);
    table_init(&t);
    table_add_column(&t, "field", NULL, TABLE_LEFT);
    table_add_column(&t, "value", NULL, TABLE_LEFT);
    const char *const rows[][2] = {{"name", info.name},
                                   {"type", info.catalog_type},
                                   {"owner", info.owner},
                                   {"comment", info.comment},
                                   {"instance", registered ? database.database_instance_name : NULL},
                                   {"database", registered ? database.database_name : NULL}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i][1])
            table_add_texts(&t, rows[i]);
    }
    table_set_footer(&t, "");
    statement_show(ctx, &t);
    table_release(&t);
    model_release(&model_catalog_info, &info);
    if (registered)
        model_release(&model_database_catalog, &database);
    return true;
}

/* ---- tree ---- */

struct leaf {
    const char *name, *type;
    size_t columns;
};

struct leaves {
    struct arena *arena;
    struct leaf *items;
    size_t n, cap;
    bool cut;
};

static void add_leaf(struct leaves *l, const char *name, const char *type, size_t columns)
{
    if (l->n == LIST_CAP) {
        l->cut = true;
        return;
    }
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 16;
        struct leaf *items = arena_alloc(l->arena, cap * sizeof *items);
        if (l->n)
            memcpy(items, l->items, l->n * sizeof *items);
        l->items = items;
        l->cap = cap;
    }
    l->items[l->n++] = (struct leaf){arena_strdup(l->arena, text_or_empty(name)),
                                     arena_strdup(l->arena, text_or_empty(type)), columns};
}

static bool add_schemas(void *self, const void *page, const char **next_token)
{
    const struct schema_info_list *list = page;
    const struct schema_info *items = list->schemas.items;
    for (size_t i = 0; i < list->schemas.count; i++)
        add_leaf(self, items[i].name, NULL, 0);
    *next_token = list->next_page_token;
    return true;
}

static bool add_tables(void *self, const void *page, const char **next_token)
{
    const struct table_info_list *list = page;
    const struct table_info *items = list->tables.items;
    for (size_t i = 0; i < list->tables.count; i++)
        add_leaf(self, items[i].name, items[i].table_type, items[i].columns.count);
    *next_token = list->next_page_token;
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void sort_leaves(struct leaves *l)
{
    if (l->n)
        qsort(l->items, l->n, sizeof *l->items, by_name);
}

static bool put_schema(struct magic_ctx *ctx, const char *catalog, const char *schema, bool last, struct buf *out,
                       struct err *e)
{
    struct leaves tables = {.arena = ctx->arena};
    struct dbx_param params[] = {{"catalog_name", catalog}, {"schema_name", schema}, {NULL, NULL}};
    if (!remote_pages(ctx, DBX_list_tables, params, add_tables, &tables, e))
        return false;
    sort_leaves(&tables);
    buf_printf(out, "%s── %s%s\n", last ? "└" : "├", schema, tables.n == 0 ? " (empty)" : "");
    for (size_t i = 0; i < tables.n; i++) {
        const struct leaf *t = &tables.items[i];
        bool view = strstr(t->type, "VIEW") != NULL;
        buf_printf(out, "%s   %s── %s (%s%zu column%s)\n", last ? " " : "│", i + 1 < tables.n ? "├" : "└", t->name,
                   view ? "view, " : "", t->columns, t->columns == 1 ? "" : "s");
    }
    if (tables.cut)
        buf_printf(out, "%s   … more than %d tables\n", last ? " " : "│", LIST_CAP);
    return true;
}

/* Is it shown without --all? Not what PostgreSQL and the syncs keep for themselves. */
static bool is_of_users(const char *schema)
{
    return strcmp(schema, "information_schema") != 0 && strncmp(schema, "pg_", 3) != 0 &&
           strcmp(schema, "databricks_sync") != 0;
}

static bool run_tree(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "name"), *dot = strchr(name, '.'), *wanted = dot ? dot + 1 : NULL;
    const char *catalog = dot ? arena_strndup(ctx->arena, name, (size_t)(dot - name)) : name;
    bool all = args_flag(args, "all");
    struct leaves schemas = {.arena = ctx->arena};
    struct dbx_param params[] = {{"catalog_name", catalog}, {NULL, NULL}};
    if (!remote_pages(ctx, DBX_list_schemas, params, add_schemas, &schemas, e)) {
        catalog_error_unknown(ctx, catalog, e);
        return false;
    }
    sort_leaves(&schemas);
    size_t kept = 0;
    for (size_t i = 0; i < schemas.n; i++) {
        const char *schema = schemas.items[i].name;
        if (wanted ? strcmp(schema, wanted) == 0 : all || is_of_users(schema))
            schemas.items[kept++] = schemas.items[i];
    }
    if (wanted && kept == 0) {
        err_set(e, ERR_NOT_FOUND, "there is no schema '%s' in catalog '%s'", wanted, catalog);
        err_hint(e, "%%catalog tree --all %s shows what there is", catalog);
        return false;
    }
    struct buf out;
    buf_init(&out, 16 << 20);
    buf_printf(&out, "%s\n", catalog);
    bool ok = true;
    for (size_t i = 0; ok && i < kept; i++)
        ok = put_schema(ctx, catalog, schemas.items[i].name, i + 1 == kept, &out, e);
    if (ok && (ok = buf_ok(&out, "the tree", e)))
        sink_printf(ctx->out, "%s", buf_str(&out));
    buf_release(&out);
    return ok;
}

/* ---- drop ---- */

static bool run_drop(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *name = args_get(args, "catalog");
    struct dbx_param params[] = {{"name", name}, {NULL, NULL}};
    struct database_catalog seen = {0};
    struct err none = {0};
    if (!remote_call(ctx, DBX_get_database_catalog, params, NULL, &seen, &none)) {
        if (catalog_managed_drop(ctx, name, args_flag(args, "force"), args_flag(args, "yes"), e))
            return true;
        catalog_error_unknown(ctx, name, e);
        return false;
    }
    const char *database = arena_strdup(ctx->arena, text_or_empty(seen.database_name));
    model_release(&model_database_catalog, &seen);
    const char *what = arena_printf(ctx->arena, "Drop catalog '%s'", name);
    if (!remote_consent(ctx, what, false, args_flag(args, "yes"), e))
        return false;
    if (!remote_call(ctx, DBX_delete_database_catalog, params, NULL, NULL, e))
        return err_wrap(e, "cannot drop catalog '%s'", name);
    sink_printf(ctx->out, "Catalog %s is dropped. Database %s and its rows are untouched.\n", name, database);
    return true;
}

/* ---- descriptor ---- */

#define CATALOG_ROW \
    {.name = "catalog", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .complete = "catalog", \
     .help = "name of the catalog"}
#define YES_ROW {.name = "yes", .letter = 'y', .type = ARG_FLAG, .help = "do not ask"}
#define END {.name = NULL}

static const struct arg_row create_rows[] = {
    {.name = "comment", .type = ARG_WORD, .placeholder = "TEXT", .help = "what it is for"},
    {.name = "if-not-exists", .type = ARG_FLAG, .help = "a managed catalog of that name is no error"},
    YES_ROW, CATALOG_ROW, END};
static const struct arg_row register_rows[] = {
    {.name = "create-database", .type = ARG_FLAG, .help = "create the database when it does not exist"},
    {.name = "if-not-exists", .type = ARG_FLAG, .help = "a catalog that shows this database already is no error"},
    YES_ROW, CATALOG_ROW,
    {.name = "target", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED,
     .placeholder = "INSTANCE[/DATABASE]",
     .complete = "instance", .help = "the database; databricks_postgres when only the instance is named"},
    END};
static const struct arg_row no_rows[] = {END};
static const struct arg_row catalog_rows[] = {CATALOG_ROW, END};
static const struct arg_row tree_rows[] = {
    {.name = "all", .letter = 'a', .type = ARG_FLAG, .help = "also the system schemas"},
    {.name = "name", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .placeholder = "CATALOG[.SCHEMA]",
     .complete = "catalog", .help = "the catalog, or one schema of it"}, END};
static const struct arg_row drop_rows[] = {
    {.name = "force", .type = ARG_FLAG, .help = "with its schemas and Delta tables (always asks)"}, YES_ROW, CATALOG_ROW, END};

static const struct magic_sub subs[] = {
    {"create", create_rows, "make a catalog for Delta tables", catalog_managed_create},
    {"register", register_rows, "show a database of an instance as a catalog", run_register},
    {"list", no_rows, "list all catalogs", run_list},
    {"show", catalog_rows, "show one catalog", run_show},
    {"tree", tree_rows, "show its schemas and tables", run_tree},
    {"drop", drop_rows, "remove a catalog; its database stays", run_drop},
    {.name = NULL}};

const struct magic magic_catalog = {
    .name = "catalog",
    .kinds = MAGIC_LINE,
    .group = "catalog",
    .summary = "make catalogs, register databases as catalogs, and read them",
    .help = "A registered catalog is read-only: it shows the schemas and tables that the database has at that moment.",
    .examples = "%catalog register workshop_catalog workshop/databricks_postgres --if-not-exists\n%catalog list\n"
                "%catalog tree workshop_catalog\n%catalog tree workshop_catalog.shop\n%catalog drop workshop_catalog\n"
                "%catalog create sales --comment 'tables of the sales team' --if-not-exists",
    .subs = subs,
};
