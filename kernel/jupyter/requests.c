/*
 * The requests that need no session: they are answered at once, also while a cell runs. Source:
 * Jupyter messaging protocol, one section for each type. Socket thread only.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/jx.h"
#include "base/utf8.h"
#include "base/xalloc.h"
#include "cell/split.h"
#include "jupyter/state.h"
#include "magics/interp.h"

/* Tab waits so long for the names of a workspace that has to be asked; then it offers what is known. */
enum { NAMES_MS = 150 };

static json_t *link_to(const char *text, const char *url)
{
    return json_pack("{ssss}", "text", text, "url", url);
}

void handle_kernel_info(struct kernel *k, const struct msg *m)
{
    json_t *language = json_pack("{ssssssssssss}", "name", "sql", "version", LAKEBASE_VERSION,
                                 "mimetype", "text/x-pgsql", "file_extension", ".sql",
                                 "pygments_lexer", "postgresql", "codemirror_mode", "text/x-pgsql");
    json_t *links = json_pack(
        "[ooo]", link_to("Lakebase", "https://docs.databricks.com/aws/en/oltp/"),
        link_to("PostgreSQL", "https://www.postgresql.org/docs/current/"),
        link_to("Databricks REST API", "https://docs.databricks.com/api/workspace/database"));
    kernel_reply(k, m,
                 json_pack("{sssssssosssoso}", "protocol_version", MSG_PROTOCOL, "implementation",
                           "lakebase-kernel", "implementation_version", LAKEBASE_VERSION,
                           "language_info", language, "banner",
                           "Lakebase kernel " LAKEBASE_VERSION
                           "\nA cell is SQL, or begins with % or %%. Try %help.",
                           "help_links", links, "supported_features", json_array()),
                 NULL);
}

/* The code of a request and its cursor as a byte offset (the protocol counts code points). */
static bool code_and_cursor(const struct msg *m, const char **code, size_t *len, size_t *cursor,
                            struct err *e)
{
    const json_t *v = json_object_get(m->content, "code");
    const json_t *pos = json_object_get(m->content, "cursor_pos");
    if (!json_is_string(v))
        return err_set(e, ERR_INVALID_PARAMETER, "%s needs code, a string", m->type);
    *code = json_string_value(v);
    *len = json_string_length(v);
    if (json_is_null(pos) || !pos)
        *cursor = *len;
    else if (json_is_integer(pos) && json_integer_value(pos) >= 0)
        *cursor = utf8_offset(*code, *len, (size_t)json_integer_value(pos));
    else
        return err_set(e, ERR_INVALID_PARAMETER, "%s: cursor_pos must be a count of characters",
                       m->type);
    return true;
}

void handle_complete(struct kernel *k, const struct msg *m)
{
    struct err e;
    err_init(&e);
    const char *code;
    size_t len, cursor;
    if (!code_and_cursor(m, &code, &len, &cursor, &e)) {
        kernel_reply_err(k, m, &e);
        return;
    }
    if (!k->cell.request && interp_wants_names(code, len, cursor))
        runner_refresh(&k->runner, NAMES_MS);
    struct completions found;
    interp_complete(code, len, cursor, &found);
    json_t *matches = json_array(), *types = json_array();
    for (size_t i = 0; i < found.count; i++) {
        const struct completion *c = &found.items[i];
        json_array_append_new(matches, jx_str(c->text));
        json_array_append_new(types, json_pack("{soss}", "text", jx_str(c->text), "type",
                                               c->type ? c->type : "text"));
    }
    kernel_reply(k, m,
                 json_pack("{sosIsIs{so}}", "matches", matches, "cursor_start",
                           (json_int_t)utf8_count(code, found.start), "cursor_end",
                           (json_int_t)utf8_count(code, found.end), "metadata",
                           "_jupyter_types_experimental", types),
                 NULL);
    completions_release(&found);
}

void handle_inspect(struct kernel *k, const struct msg *m)
{
    struct err e;
    err_init(&e);
    const char *code;
    size_t len, cursor;
    if (!code_and_cursor(m, &code, &len, &cursor, &e)) {
        kernel_reply_err(k, m, &e);
        return;
    }
    json_t *data =
        interp_inspect(code, len, cursor, (int)jx_get_int(m->content, "detail_level", 0));
    kernel_reply(k, m,
                 json_pack("{sbsoso}", "found", data != NULL, "data", data ? data : json_object(),
                           "metadata", json_object()),
                 NULL);
}

void handle_is_complete(struct kernel *k, const struct msg *m)
{
    struct err e;
    err_init(&e);
    const char *code;
    size_t len, cursor;
    if (!code_and_cursor(m, &code, &len, &cursor, &e)) {
        kernel_reply_err(k, m, &e);
        return;
    }
    const char *status = NULL;
    switch (cell_is_complete(code, len)) {
    case CELL_COMPLETE:
        status = "complete";
        break;
    case CELL_INCOMPLETE:
        status = "incomplete";
        break;
    case CELL_INVALID:
        status = "invalid";
        break;
    }
    json_t *content = json_pack("{ss}", "status", status);
    if (status[0] == 'i' && status[2] == 'c')
        json_object_set_new(content, "indent", json_string(""));
    kernel_reply(k, m, content, NULL);
}

void handle_history(struct kernel *k, const struct msg *m)
{
    struct err e;
    err_init(&e);
    json_t *entries = history_answer(k->history, m->content, &e);
    if (entries)
        kernel_reply(k, m, json_pack("{so}", "history", entries), NULL);
    else
        kernel_reply_err(k, m, &e);
}

void handle_comm_info(struct kernel *k, const struct msg *m)
{
    kernel_reply(k, m, json_pack("{s{}}", "comms"), NULL);
}

/* There are no comm targets here; the specification wants a comm of an unknown target closed at
 * once. */
void handle_comm_open(struct kernel *k, const struct msg *m)
{
    json_t *id = json_object_get(m->content, "comm_id");
    if (json_is_string(id))
        kernel_publish(k, "comm_close", m, json_pack("{sOs{}}", "comm_id", id, "data"));
}

void handle_ignored(struct kernel *k, const struct msg *m)
{
    (void)k;
    (void)m;
}

void handle_connect(struct kernel *k, const struct msg *m)
{
    json_t *ports = json_object();
    for (int ch = 0; ch < CH_COUNT; ch++)
        json_object_set_new(ports, channel_port_key((enum channel)ch),
                            json_integer(k->conn.port[ch]));
    kernel_reply(k, m, ports, NULL);
}

void handle_interrupt(struct kernel *k, const struct msg *m)
{
    execute_interrupt(k);
    kernel_reply(k, m, json_object(), NULL);
}

/* The reply leaves first; then the cell is stopped and the loop ends (kernel.c). */
void handle_shutdown(struct kernel *k, const struct msg *m)
{
    bool restart = jx_get_bool(m->content, "restart", false);
    kernel_reply(k, m, json_pack("{sb}", "restart", restart), NULL);
    kernel_publish(k, "shutdown_reply", m, json_pack("{sssb}", "status", "ok", "restart", restart));
    kernel_stop(k);
}
