/* Types and schemas of Delta tables: both spellings, both ways, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "delta_tables.h"
#include "lakehouse/delta_type.h"

static void test_types(void **state)
{
    (void)state;
    static const struct { const char *sql, *log, *spelled, *name; enum delta_type type; } rows[] = {
        {"boolean", "\"boolean\"", "BOOLEAN", "BOOLEAN", DELTA_BOOLEAN},
        {"TINYINT", "\"byte\"", "TINYINT", "BYTE", DELTA_BYTE},
        {"byte", "\"byte\"", "TINYINT", "BYTE", DELTA_BYTE},
        {"SMALLINT", "\"short\"", "SMALLINT", "SHORT", DELTA_SHORT},
        {"int", "\"integer\"", "INT", "INT", DELTA_INTEGER},
        {"INTEGER", "\"integer\"", "INT", "INT", DELTA_INTEGER},
        {" BIGINT ", "\"long\"", "BIGINT", "LONG", DELTA_LONG},
        {"long", "\"long\"", "BIGINT", "LONG", DELTA_LONG},
        {"REAL", "\"float\"", "FLOAT", "FLOAT", DELTA_FLOAT},
        {"DOUBLE", "\"double\"", "DOUBLE", "DOUBLE", DELTA_DOUBLE},
        {"DECIMAL", "\"decimal(10,0)\"", "DECIMAL(10,0)", "DECIMAL", DELTA_DECIMAL},
        {"numeric ( 38 , 38 )", "\"decimal(38,38)\"", "DECIMAL(38,38)", "DECIMAL", DELTA_DECIMAL},
        {"DEC(5)", "\"decimal(5,0)\"", "DECIMAL(5,0)", "DECIMAL", DELTA_DECIMAL},
        {"STRING", "\"string\"", "STRING", "STRING", DELTA_STRING},
        {"BINARY", "\"binary\"", "BINARY", "BINARY", DELTA_BINARY},
        {"DATE", "\"date\"", "DATE", "DATE", DELTA_DATE},
        {"TIMESTAMP", "\"timestamp\"", "TIMESTAMP", "TIMESTAMP", DELTA_TIMESTAMP},
        {"TIMESTAMP_NTZ", "\"timestamp_ntz\"", "TIMESTAMP_NTZ", "TIMESTAMP_NTZ", DELTA_TIMESTAMP_NTZ},
        {"VOID", "\"void\"", "VOID", "NULL", DELTA_VOID},
        {"ARRAY< string >", "{\"type\":\"array\",\"elementType\":\"string\",\"containsNull\":true}", "ARRAY<STRING>", "ARRAY",
         DELTA_NESTED},
        {"map<STRING,ARRAY<DECIMAL(3,1)>>",
         "{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":{\"type\":\"array\",\"elementType\":\"decimal(3,1)\","
         "\"containsNull\":true},\"valueContainsNull\":true}",
         "MAP<STRING, ARRAY<DECIMAL(3,1)>>", "MAP", DELTA_NESTED},
        {"STRUCT<a: INT NOT NULL COMMENT 'the a', `b ``c` STRING>",
         "{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"integer\",\"nullable\":false,\"metadata\":{\"comment\":\"the a\"}},"
         "{\"name\":\"b `c\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}}]}",
         "STRUCT<a: INT NOT NULL, `b ``c`: STRING>", "STRUCT", DELTA_NESTED},
        {"STRUCT<>", "{\"type\":\"struct\",\"fields\":[]}", "STRUCT<>", "STRUCT", DELTA_NESTED},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct delta_schema s = {0}, again;
        struct err e;
        err_init(&e);
        if (!delta_schema_add(&s, "c", rows[i].sql, true, NULL, &e))
            fail_msg("%s: %s", rows[i].sql, e.text);
        char *log = json_dumps(s.columns[0].type_json, JSON_COMPACT | JSON_ENCODE_ANY), *text = delta_type_text(&s.columns[0]);
        char *whole = delta_schema_format(&s);
        assert_string_equal(log, rows[i].log);
        assert_string_equal(text, rows[i].spelled);
        assert_string_equal(delta_column_type_name(&s.columns[0]), rows[i].name);
        assert_true(delta_schema_parse(whole, &again, &e));
        assert_int_equal(again.columns[0].type, rows[i].type);
        assert_int_equal(again.columns[0].precision, s.columns[0].precision);
        assert_int_equal(again.columns[0].scale, s.columns[0].scale);
        assert_true(json_equal(again.columns[0].type_json, s.columns[0].type_json));
        delta_schema_release(&again);
        delta_schema_release(&s);
        free(log);
        free(text);
        free(whole);
    }
}

static void test_refused_types(void **state)
{
    (void)state;
    static const struct { const char *sql; enum err_code code; const char *text; } rows[] = {
        {"VARIANT", ERR_NOT_IMPLEMENTED, "column 'c': has the type 'VARIANT'"},
        {"VARCHAR(10)", ERR_NOT_IMPLEMENTED, "VARCHAR"},
        {"", ERR_INVALID_PARAMETER, "no type"},
        {"INT INT", ERR_INVALID_PARAMETER, "goes on"},
        {"DECIMAL(39,0)", ERR_INVALID_PARAMETER, "1 to 38"},
        {"DECIMAL(0)", ERR_INVALID_PARAMETER, "1 to 38"},
        {"DECIMAL(2,3)", ERR_INVALID_PARAMETER, "1 to 38"},
        {"DECIMAL(2", ERR_INVALID_PARAMETER, "no ')'"},
        {"DECIMAL(x)", ERR_INVALID_PARAMETER, "no number"},
        {"ARRAY", ERR_INVALID_PARAMETER, "no '<'"},
        {"ARRAY<INT", ERR_INVALID_PARAMETER, "no '>'"},
        {"MAP<INT>", ERR_INVALID_PARAMETER, "no ','"},
        {"STRUCT<INT", ERR_INVALID_PARAMETER, "no type"},
        {"STRUCT<a INT NOT>", ERR_INVALID_PARAMETER, "NULL"},
        {"STRUCT<a INT COMMENT x>", ERR_INVALID_PARAMETER, "COMMENT"},
        {"STRUCT<`` INT>", ERR_INVALID_PARAMETER, "empty name"},
        {"STRUCT<`a INT>", ERR_INVALID_PARAMETER, "no '`'"},
        {"STRUCT<a INT,", ERR_INVALID_PARAMETER, "no name"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct delta_schema s = {0};
        struct err e;
        err_init(&e);
        assert_false(delta_schema_add(&s, "c", rows[i].sql, true, NULL, &e));
        if (e.code != rows[i].code || !strstr(e.text, rows[i].text))
            fail_msg("%s: %s", rows[i].sql, e.text);
        assert_int_equal(s.count, 0);
        delta_schema_release(&s);
    }
}

/* depth times ARRAY< around INT. */
static char *nested(int depth, const char *open, const char *close, const char *inner)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    for (int i = 0; i < depth; i++)
        buf_puts(&b, open);
    buf_puts(&b, inner);
    for (int i = 0; i < depth; i++)
        buf_puts(&b, close);
    return buf_detach(&b);
}

static void test_caps(void **state)
{
    (void)state;
    struct err e;
    for (int over = 0; over < 2; over++) {
        struct delta_schema s = {0};
        int depth = DELTA_TYPE_DEPTH_MAX + over;
        char *sql = nested(depth, "ARRAY<", ">", "INT");
        char *type = nested(depth, "{\"type\":\"array\",\"elementType\":", ",\"containsNull\":true}", "\"integer\"");
        char *json = xasprintf("{\"type\":\"struct\",\"fields\":[{\"name\":\"c\",\"type\":%s,\"nullable\":true}]}", type);
        err_init(&e);
        assert_int_equal(delta_schema_add(&s, "c", sql, true, NULL, &e), !over);
        assert_int_equal(e.code, over ? ERR_TOO_BIG : ERR_NONE);
        delta_schema_release(&s);
        err_init(&e);
        assert_int_equal(delta_schema_parse(json, &s, &e), !over);
        assert_int_equal(e.code, over ? ERR_TOO_BIG : ERR_NONE);
        delta_schema_release(&s);
        free(sql);
        free(type);
        free(json);
    }
    struct buf b;
    buf_init(&b, DELTA_SCHEMA_MAX);
    buf_puts(&b, "{\"fields\":[");
    for (int i = 0; i <= DELTA_COLUMNS_MAX; i++)
        buf_printf(&b, "%s{\"name\":\"c%d\",\"type\":\"long\"}", i ? "," : "", i);
    buf_puts(&b, "]}");
    struct delta_schema s;
    err_init(&e);
    assert_false(delta_schema_parse(buf_str(&b), &s, &e));
    assert_int_equal(e.code, ERR_TOO_BIG);
    buf_release(&b);
}

static void test_hostile_schemas(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "x", "[]", "{}", "{\"fields\":{}}", "{\"fields\":[1]}", "{\"fields\":[{}]}", "{\"fields\":[{\"name\":\"\"}]}",
        "{\"fields\":[{\"name\":\"a\"}]}", "{\"fields\":[{\"name\":\"a\",\"type\":null}]}", "{\"fields\":[{\"name\":\"a\",\"type\":\"variant\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":\"decimal(99,1)\"}]}", "{\"fields\":[{\"name\":\"a\",\"type\":\"decimal(9,1)x\"}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"array\"}}]}", "{\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"struct\"}}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"map\",\"keyType\":\"long\"}}]}",
        "{\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"udt\"}}]}",
        "{\"fields\":[{\"name\":\"ok\",\"type\":\"long\"},{\"name\":\"a\",\"type\":{\"type\":\"struct\",\"fields\":[{\"type\":\"long\"}]}}]}",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct delta_schema s;
        struct err e;
        err_init(&e);
        if (delta_schema_parse(texts[i], &s, &e) || e.code == ERR_NONE || s.columns)
            fail_msg("taken: %s", texts[i]);
    }
}

static void test_columns(void **state)
{
    (void)state;
    struct delta_schema s = {0}, copy;
    struct err e;
    err_init(&e);
    assert_true(delta_schema_add(&s, "Id", "BIGINT", false, "the key", &e));
    assert_true(delta_schema_add(&s, "name", "STRING", true, NULL, &e));
    assert_false(delta_schema_add(&s, "iD", "INT", true, NULL, &e));
    assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    delta_schema_copy(&copy, &s);
    delta_schema_release(&s);
    assert_ptr_equal(delta_schema_find(&copy, "ID"), &copy.columns[0]);
    assert_null(delta_schema_find(&copy, "other"));
    assert_string_equal(jx_get_str(copy.columns[0].metadata, "comment", ""), "the key");
    assert_false(copy.columns[0].nullable);
    delta_schema_release(&copy);
}

static void check_rules(const char *name, char *const *parts, size_t n, const char *configuration, const char *text)
{
    struct delta_schema s = {0};
    struct err e;
    err_init(&e);
    json_t *conf = json_loads(configuration, 0, NULL);
    assert_true(delta_schema_add(&s, "id", "BIGINT", true, NULL, &e) && delta_schema_add(&s, name, "ARRAY<INT>", true, NULL, &e));
    bool ok = delta_schema_check(&s, parts, n, conf, &e);
    if (ok != !text || (text && (e.code != ERR_INVALID_PARAMETER || !strstr(e.text, text))))
        fail_msg("%s: %s", name, e.text);
    delta_schema_release(&s);
    json_decref(conf);
}

static void test_rules(void **state)
{
    (void)state;
    char *id[] = {(char *)(uintptr_t)"id", (char *)(uintptr_t)"a"}, *none[] = {(char *)(uintptr_t)"x"}, *list[] = {id[1]};
    check_rules("a", id, 1, "{}", NULL);
    check_rules("_change_type", NULL, 0, "{}", NULL);
    check_rules("_Change_Type", NULL, 0, "{" FEED "}", "change data feed's own");
    check_rules("a b", NULL, 0, "{}", "blank");
    check_rules("a=b", NULL, 0, "{}", "column mapping");
    check_rules("a", none, 1, "{}", "no column");
    check_rules("a", list, 1, "{}", "cannot partition");
    check_rules("a", id, 2, "{}", "a");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types), cmocka_unit_test(test_refused_types), cmocka_unit_test(test_caps),
        cmocka_unit_test(test_hostile_schemas), cmocka_unit_test(test_columns), cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests_name("lakehouse_delta_schema", tests, delta_set_up, delta_tear_down);
}
