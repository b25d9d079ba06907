/* USE and GRANT: what a session looks at, and who may. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/front.h"

/* ---- USE ---- */
/* An object that can be listed into is there. */
static bool check(struct front *f, const struct front_name *name, const char *inside, struct err *e)
{
    json_t *args = json_pack("{s:s, s:o, s:s}", "what", inside, "in", front_name_json(name), "like", "");
    json_t *answer = front_call(f, name->token, "list", args, e);
    json_decref(answer);
    return answer != NULL;
}

struct lake_stream *front_use(struct front *f, struct err *e)
{
    struct front_name name;
    f->at = 1;
    bool catalog = front_take(f, "catalog");
    if (!catalog && !front_take(f, "schema"))
        front_take(f, "database");
    if (!front_take_name(f, catalog ? 1 : 2, &name, e) || !front_need_end(f, e) ||
        !check(f, &name, catalog ? "schemas" : "tables", e))
        return NULL;
    struct lake_stream *s = front_nothing(f, e);
    if (!s)
        return NULL;
    f->outcome->catalog = xstrdup(name.parts[0]);
    f->outcome->schema = xstrdup(catalog ? "default" : name.parts[1]);
    return s;
}

/* ---- GRANT ---- */
bool front_take_securable(struct front *f, struct front_securable *out, struct err *e)
{
    static const struct {
        const char *word, *type;
        size_t parts;
    } kinds[] = {{"catalog", "CATALOG", 1}, {"schema", "SCHEMA", 2}, {"database", "SCHEMA", 2}, {"table", "TABLE", 3}, {"volume", "VOLUME", 3}};
    const struct token *next = &front_now(f)[1];
    *out = (struct front_securable){.type = "TABLE"};
    if (token_is(front_now(f), "metastore")) {
        out->type = "METASTORE";
        out->name.token = front_now(f);
        f->at++;
        return true;
    }
    size_t parts = 3;
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (token_is(front_now(f), kinds[i].word) && token_names(next)) {
            out->type = kinds[i].type;
            parts = kinds[i].parts;
            f->at++;
            break;
        }
    return front_take_name(f, parts, &out->name, e);
}

/* SELECT, USE CATALOG, ALL PRIVILEGES … as the API spells them: USE_CATALOG. */
static bool take_privileges(struct front *f, json_t *list, struct err *e)
{
    do {
        char text[64] = "";
        while (front_now(f)->kind == TOKEN_WORD && !token_is(front_now(f), "on")) {
            size_t used = strlen(text);
            const char *word = front_now(f)->text;
            if (used + strlen(word) + 2 > sizeof text)
                return front_expected(f, "a privilege", e);
            if (used)
                text[used++] = '_';
            for (; *word; word++)
                text[used++] = (char)(*word >= 'a' && *word <= 'z' ? *word - 32 : *word);
            f->at++;
        }
        if (!*text)
            return front_expected(f, "a privilege", e);
        json_array_append_new(list, jx_str(text));
    } while (front_take_symbol(f, ","));
    return true;
}

struct lake_stream *front_grant(struct front *f, struct err *e)
{
    struct front_securable on;
    bool grant = token_is(front_token(f, 0), "grant");
    json_t *privileges = json_array();
    f->at = 1;
    bool ok = take_privileges(f, privileges, e) && front_need(f, "on", e) && front_take_securable(f, &on, e) &&
              front_need(f, grant ? "to" : "from", e);
    const struct token *principal = front_now(f);
    if (ok && !token_names(principal) && principal->kind != TOKEN_STRING)
        ok = front_expected(f, "a principal", e);
    f->at += ok;
    ok = ok && front_need_end(f, e);
    json_t *answer = NULL;
    if (ok)
        answer = front_call(f, on.name.token, grant ? "grant" : "revoke",
                            json_pack("{s:O, s:s, s:o, s:o}", "privileges", privileges, "securable_type", on.type, "name",
                                      front_name_json(&on.name), "principal", jx_str(principal->text)), e);
    json_decref(privileges);
    json_decref(answer);
    return answer ? front_nothing(f, e) : NULL;
}
