/* %lineage: where the rows of a table come from and where they go, as recorded by Unity Catalog. */
#include <string.h>

#include "magics/remote.h"

enum { NODES_MAX = 200, DEPTH_DEFAULT = 3, DEPTH_MAX = 10 };

struct walk {
    struct magic_ctx *ctx;
    bool upstream;
    int depth;
    const char *seen[NODES_MAX];
    size_t n_seen;
    bool cut;
    struct buf *tree, *graph;
};

static const char *full_name(struct magic_ctx *ctx, const struct lineage_neighbour *n)
{
    const struct lineage_table *t = n->table_info;
    return t ? arena_printf(ctx->arena, "%s.%s.%s", text_or_empty(t->catalog_name), text_or_empty(t->schema_name),
                            text_or_empty(t->name)) : NULL;
}

static bool first_time(struct walk *w, const char *name)
{
    for (size_t i = 0; i < w->n_seen; i++) {
        if (strcmp(w->seen[i], name) == 0)
            return false;
    }
    if (w->n_seen == NODES_MAX)
        return !(w->cut = true);
    w->seen[w->n_seen++] = name;
    return true;
}

static void put_edge(struct walk *w, const char *table, const char *other)
{
    buf_printf(w->graph, "    %s[\"%s\"] --> %s[\"%s\"]\n", w->upstream ? other : table, w->upstream ? other : table,
               w->upstream ? table : other, w->upstream ? table : other);
}

/* The neighbours on one side, and theirs. A table that was shown before is named, not opened again. */
static bool descend(struct walk *w, const char *table, const char *indent, int level, struct err *e)
{
    struct dbx_param params[] = {{"table_name", table}, {"include_entity_lineage", "false"}, {NULL, NULL}};
    struct table_lineage found = {0};
    if (!remote_call(w->ctx, DBX_table_lineage, params, NULL, &found, e)) {
        if (level == 1 || e->http != 404)
            return false;
        err_init(e); /* a neighbour that was dropped: it is named, and has no more to tell */
        return true;
    }
    const struct model_list *list = w->upstream ? &found.upstreams : &found.downstreams;
    const struct lineage_neighbour *all = list->items;
    bool ok = true;
    for (size_t i = 0; ok && i < list->count; i++) {
        const char *other = full_name(w->ctx, &all[i]);
        bool last = i + 1 == list->count;
        if (!other)
            continue; /* a notebook, a job, a file */
        buf_printf(w->tree, "%s%s %s\n", indent, last ? "└──" : "├──", other);
        put_edge(w, table, other);
        if (level < w->depth && first_time(w, other))
            ok = descend(w, other, arena_printf(w->ctx->arena, "%s%s   ", indent, last ? " " : "│"), level + 1, e);
    }
    model_release(&model_table_lineage, &found);
    return ok;
}

static bool side(struct magic_ctx *ctx, const char *table, bool upstream, int depth, struct buf *tree, struct buf *graph,
                 struct err *e)
{
    struct walk w = {.ctx = ctx, .upstream = upstream, .depth = depth, .tree = tree, .graph = graph};
    first_time(&w, table);
    buf_printf(tree, "%s\n", upstream ? "written from" : "read by");
    size_t before = tree->len;
    bool ok = descend(&w, table, "", 1, e);
    if (ok && tree->len == before)
        buf_puts(tree, "└── nothing that is recorded\n");
    if (w.cut)
        buf_printf(tree, "… more than %d tables\n", NODES_MAX);
    return ok;
}

static bool run(struct magic_ctx *ctx, const struct args *args, struct err *e)
{
    const char *table = args_get(args, "table");
    int depth = (int)args_int(args, "depth", DEPTH_DEFAULT);
    struct buf tree, graph, markdown;
    buf_init(&tree, 1 << 20);
    buf_init(&graph, 1 << 20);
    buf_init(&markdown, 2 << 20);
    buf_printf(&tree, "%s\n", table);
    bool ok = side(ctx, table, true, depth, &tree, &graph, e) && side(ctx, table, false, depth, &tree, &graph, e) &&
              buf_ok(&tree, "the lineage", e) && buf_ok(&graph, "the lineage", e);
    if (ok && graph.len == 0) {
        sink_printf(ctx->out, "%s", buf_str(&tree));
    } else if (ok) {
        buf_printf(&markdown, "```mermaid\ngraph LR\n%s```\n", buf_str(&graph));
        sink_markdown(ctx->out, buf_str(&markdown), buf_str(&tree));
    }
    buf_release(&tree);
    buf_release(&graph);
    buf_release(&markdown);
    return ok;
}

static const struct arg_row rows[] = {
    {.name = "depth", .type = ARG_INT, .min = 1, .max = DEPTH_MAX, .placeholder = "N",
     .help = "how many steps are followed; 3 when not given"},
    {.name = "table", .positional = true, .type = ARG_WORD, .flags = ARG_REQUIRED, .help = "full name: main.shop.orders"},
    {.name = NULL}};

const struct magic magic_lineage = {
    .name = "lineage",
    .kinds = MAGIC_LINE,
    .group = "catalog",
    .summary = "show where a table's rows come from and where they go",
    .help = "Recorded from what really ran: statements in a warehouse, and synced tables. Tables that you may not see are left out.",
    .examples = "%lineage main.shop.orders\n%lineage --depth 1 main.shop.orders",
    .args = rows,
    .run = run,
};
