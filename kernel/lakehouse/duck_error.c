/*
 * DuckDB's errors in the terms of Databricks SQL: error class and SQLSTATE, as docs.databricks.com "error conditions" lists
 * them. A row of the table matches by type, sub-type and a piece of the message; the first match wins.
 */
#include "lakehouse/duck_error.h"

#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"

enum { MESSAGE_MAX = 1 << 20 };

static const struct rule {
    const char *type, *piece; /* piece: of the message; NULL: any */
    const char *class, *sqlstate;
} rules[] = {
    {"Parser", NULL, "PARSE_SYNTAX_ERROR", "42601"},
    {"Syntax", NULL, "PARSE_SYNTAX_ERROR", "42601"},
    {"Catalog", "Function", "UNRESOLVED_ROUTINE", "42883"},
    {"Catalog", "Table", "TABLE_OR_VIEW_NOT_FOUND", "42P01"},
    {"Catalog", "Type", "UNSUPPORTED_DATATYPE", "0A000"},
    {"Binder", "Ambiguous", "AMBIGUOUS_REFERENCE", "42704"},
    {"Binder", "not found in FROM", "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"},
    {"Binder", "does not have a column", "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"},
    {"Binder", "Referenced table", "UNRESOLVED_COLUMN.WITH_SUGGESTION", "42703"},
    {"Binder", "GROUP BY", "MISSING_AGGREGATION", "42803"},
    {"Binder", "aggregate", "MISSING_AGGREGATION", "42803"},
    {"Binder", "No function matches", "DATATYPE_MISMATCH", "42K09"},
    {"Binder", "cast", "DATATYPE_MISMATCH", "42K09"},
    {"Binder", NULL, "INVALID_STATEMENT", "42000"},
    {"Conversion", "CSV Error", "FAILED_READ_FILE.NO_HINT", "KD001"},
    {"Invalid Input", "CSV Error", "FAILED_READ_FILE.NO_HINT", "KD001"},
    {"Invalid Input", "JSON in file", "FAILED_READ_FILE.NO_HINT", "KD001"},
    {"Invalid Input", "JSON transform error", "FAILED_READ_FILE.NO_HINT", "KD001"},
    {"Invalid Input", "arquet", "FAILED_READ_FILE.NO_HINT", "KD001"},
    {"IO", "arquet", "FAILED_READ_FILE.NO_HINT", "KD001"},
    {"Conversion", "out of range", "CAST_OVERFLOW", "22003"},
    {"Conversion", "too large", "CAST_OVERFLOW", "22003"},
    {"Conversion", NULL, "CAST_INVALID_INPUT", "22018"},
    {"Out of Range", NULL, "ARITHMETIC_OVERFLOW", "22003"},
    {"Divide by Zero", NULL, "DIVIDE_BY_ZERO", "22012"},
    {"Mismatch Type", NULL, "DATATYPE_MISMATCH", "42K09"},
    {"Invalid Input", "subquery", "SCALAR_SUBQUERY_TOO_MANY_ROWS", "21000"},
    {"Invalid Input", NULL, "INVALID_PARAMETER_VALUE", "22023"},
    {"Not implemented", NULL, "UNSUPPORTED_FEATURE", "0A000"},
    {"Permission", NULL, "INSUFFICIENT_PERMISSIONS", "42501"},
};

static const struct rule *find_rule(const char *type, const char *message)
{
    static const struct rule otherwise = {"", NULL, "ENGINE_ERROR", "58000"};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (!strcmp(rules[i].type, type) && (!rules[i].piece || strstr(message, rules[i].piece)))
            return &rules[i];
    return &otherwise;
}

/* Names of ours (hidden columns, temporary tables) are nothing to propose: [, ]"__lake_file" is cut out, and a list of
 * candidates that is empty then. */
static void hide_ours(char *text)
{
    static const char list[] = "\nCandidate ";
    for (char *at; (at = strstr(text, "__lake_"));) {
        char *end = at + strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789");
        at -= at > text && at[-1] == '"';
        end += *end == '"';
        if (end[0] == ',' && end[1] == ' ')
            end += 2;
        else if (at - text >= 2 && at[-2] == ',' && at[-1] == ' ')
            at -= 2;
        memmove(at, end, strlen(end) + 1);
    }
    char *candidates = strstr(text, list), *colon = candidates ? strstr(candidates, ": ") : NULL;
    if (colon && colon[2 + strspn(colon + 2, " \n")] == '\0')
        *candidates = '\0';
}

/* "CSV Error on Line: 3\nOriginal Line: …\nwhy\n … file = /a\n …" as "/a, line 3: why (the line is: …)": the rest is the engine's settings.
 * NULL: it is no such text. Caller frees. */
static char *csv_brief(const char *text)
{
    static const char begin[] = "CSV Error on Line: ", line[] = "Original Line: ", file[] = "\n  file = ";
    const char *error = strstr(text, begin), *path = error ? strstr(error, file) : NULL;
    const char *original = error ? strstr(error, line) : NULL, *why = original ? strchr(original, '\n') : NULL;
    if (!path || !why || why > path)
        return NULL;
    path += strlen(file);
    error += strlen(begin);
    original += strlen(line);
    why++;
    size_t shown = (size_t)(why - 1 - original);
    char *out = xasprintf("Error while reading file %.*s: line %.*s: %.*s (the line is: %.*s%s)", (int)strcspn(path, "\n"), path,
                          (int)strspn(error, "0123456789"), error, (int)strcspn(why, "\n"), why, (int)(shown < 120 ? shown : 120),
                          original, shown < 120 ? "" : "…");
    return out;
}

bool duck_error(const char *message, const char *sql, struct err *e)
{
    struct err ignored;
    err_init(&ignored);
    const char *json = message ? strchr(message, '{') : NULL;
    json_t *all = json ? jx_parse(json, strlen(json), MESSAGE_MAX, &ignored) : NULL;
    const char *type = jx_get_str(all, "exception_type", ""), *text = jx_get_str(all, "exception_message", NULL);
    if (!text)
        text = message && *message ? message : "the engine gave no reason";
    if (!strcmp(type, "Out of Memory")) {
        err_set(e, ERR_TOO_BIG, "the statement needs more memory than the lakehouse engine has: %s", text);
    } else if (e->code == ERR_NONE) {
        const struct rule *rule = find_rule(type, text);
        char *brief = csv_brief(text);
        err_set(e, ERR_SQL, "[%s] %s", rule->class, brief ? brief : text);
        free(brief);
        char *advice = strstr(e->text, "\nTry setting 'auto_detect'"); /* settings of the engine's own reader */
        if (advice)
            *advice = '\0';
        hide_ours(e->text);
        err_copy(e->sqlstate, sizeof e->sqlstate, rule->sqlstate, strlen(rule->sqlstate));
        const char *position = jx_get_str(all, "position", NULL);
        if (position && sql)
            e->position = (int)strtol(position, NULL, 10) + 1;
    }
    json_decref(all);
    return false;
}
