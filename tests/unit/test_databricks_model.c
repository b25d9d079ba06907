/* The codec of the API's objects: what is read, ignored and refused, on which side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "databricks/routes.h"

static json_t *parse(const char *text)
{
    struct err e = {0};
    json_t *v = jx_parse(text, strlen(text), 1 << 20, &e);
    assert_string_equal(e.text, "");
    return v;
}

static void decode(const struct model *m, enum model_side side, const char *text, void *out)
{
    struct err e = {0};
    json_t *v = parse(text);
    bool ok = model_decode(m, side, v, out, &e);
    json_decref(v);
    assert_string_equal(e.text, "");
    assert_true(ok);
}

static void refused(const struct model *m, const char *text, const char *why)
{
    struct err e = {0};
    json_t *v = parse(text);
    void *out = xcalloc(1, m->size);
    assert_false(model_decode(m, MODEL_SERVER, v, out, &e));
    assert_int_equal(e.code, ERR_INVALID_PARAMETER);
    assert_string_equal(e.text, why);
    for (size_t i = 0; i < m->size; i++) /* released: nothing of it stays */
        assert_int_equal(((char *)out)[i], 0);
    free(out);
    json_decref(v);
}

static char *encode(const struct model *m, enum model_side side, const void *in)
{
    json_t *v = model_encode(m, side, in);
    char *text = jx_dump(v);
    json_decref(v);
    return text;
}

#define INSTANCE &model_database_instance

static void absent_and_null_are_the_same(void **state)
{
    (void)state;
    struct database_instance a, b;
    decode(INSTANCE, MODEL_SERVER, "{\"name\":\"x\",\"stopped\":null,\"node_count\":null,\"custom_tags\":null,"
                                   "\"parent_instance_ref\":null}", &a);
    decode(INSTANCE, MODEL_SERVER, "{\"name\":\"x\"}", &b);
    assert_int_equal(a.stopped, TRI_ABSENT);
    char *ta = encode(INSTANCE, MODEL_CLIENT, &a), *tb = encode(INSTANCE, MODEL_CLIENT, &b);
    assert_string_equal(ta, "{\"name\":\"x\"}");
    assert_string_equal(ta, tb);
    free(ta);
    free(tb);
    model_release(INSTANCE, &a);
    model_release(INSTANCE, &b);
}

static void false_is_not_absent(void **state)
{
    (void)state;
    struct database_instance a;
    decode(INSTANCE, MODEL_SERVER, "{\"name\":\"x\",\"stopped\":false,\"node_count\":0}", &a);
    assert_int_equal(a.stopped, TRI_FALSE);
    char *t = encode(INSTANCE, MODEL_CLIENT, &a);
    assert_string_equal(t, "{\"name\":\"x\",\"node_count\":0,\"stopped\":false}");
    free(t);
    model_release(INSTANCE, &a);
}

static void directions(void **state)
{
    (void)state;
    struct database_instance a;
    static const char text[] = "{\"name\":\"x\",\"state\":\"AVAILABLE\",\"uid\":\"u\",\"stopped\":true,\"node_count\":2,"
                               "\"effective_stopped\":false}";
    decode(INSTANCE, MODEL_SERVER, text, &a); /* a client cannot set what only servers say */
    assert_null(a.state);
    assert_null(a.uid);
    assert_int_equal(a.effective_stopped, TRI_ABSENT);
    assert_int_equal(a.stopped, TRI_TRUE);
    char *t = encode(INSTANCE, MODEL_SERVER, &a); /* and a server never repeats what only clients send */
    assert_string_equal(t, "{\"name\":\"x\"}");
    free(t);
    model_release(INSTANCE, &a);
    decode(INSTANCE, MODEL_CLIENT, text, &a);
    assert_string_equal(a.state, "AVAILABLE");
    assert_int_equal(a.effective_stopped, TRI_FALSE);
    t = encode(INSTANCE, MODEL_SERVER, &a);
    assert_string_equal(t, "{\"name\":\"x\",\"effective_stopped\":false,\"state\":\"AVAILABLE\",\"uid\":\"u\"}");
    free(t);
    model_release(INSTANCE, &a);
}

static void unknown_fields_are_ignored(void **state)
{
    (void)state;
    struct database_catalog c;
    decode(&model_database_catalog, MODEL_CLIENT, "{\"name\":\"c\",\"new\":{\"deep\":[1,2]},\"x\":1.5}", &c);
    assert_string_equal(c.name, "c");
    model_release(&model_database_catalog, &c);
}

static void integers_come_in_three_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = {{"7", 7}, {"\"7\"", 7}, {"7.0", 7}, {"-1", -1}, {"9223372036854775807", INT64_MAX},
                 {"\"9223372036854775807\"", INT64_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[80];
        struct metastore_assignment a;
        snprintf(text, sizeof text, "{\"workspace_id\":%s}", cases[i].text);
        decode(&model_metastore_assignment, MODEL_CLIENT, text, &a);
        assert_true(a.workspace_id.has);
        assert_int_equal(a.workspace_id.value, cases[i].want);
        model_release(&model_metastore_assignment, &a);
    }
    refused(&model_metastore_assignment, "{\"workspace_id\":7.5}",
            "Field 'workspace_id' of MetastoreAssignment must be of type integer, not number");
    refused(&model_metastore_assignment, "{\"workspace_id\":1e300}",
            "Field 'workspace_id' of MetastoreAssignment must be of type integer, not number");
    refused(&model_metastore_assignment, "{\"workspace_id\":\"7x\"}",
            "Field 'workspace_id' of MetastoreAssignment must be of type integer, not string");
    refused(&model_metastore_assignment, "{\"workspace_id\":\"99999999999999999999\"}",
            "Field 'workspace_id' of MetastoreAssignment must be of type integer, not string");
}

static void wrong_types_are_named(void **state)
{
    (void)state;
    refused(INSTANCE, "{\"name\":1}", "Field 'name' of DatabaseInstance must be of type string, not integer");
    refused(INSTANCE, "{\"name\":\"x\",\"stopped\":1}",
            "Field 'stopped' of DatabaseInstance must be of type boolean, not integer");
    refused(INSTANCE, "{\"name\":\"x\",\"custom_tags\":{}}",
            "Field 'custom_tags' of DatabaseInstance must be of type list, not object");
    refused(INSTANCE, "{\"name\":\"x\",\"custom_tags\":[{\"key\":\"a\"},7]}", "custom_tags[1]: not an object");
    refused(INSTANCE, "{\"name\":\"x\",\"custom_tags\":[{\"key\":\"a\"},{\"key\":true}]}",
            "custom_tags[1]: Field 'key' of CustomTag must be of type string, not boolean");
    refused(INSTANCE, "{\"name\":\"x\",\"parent_instance_ref\":[]}",
            "Field 'parent_instance_ref' of DatabaseInstance must be of type object, not list");
    refused(INSTANCE, "{\"name\":\"x\",\"parent_instance_ref\":{\"lsn\":{}}}",
            "parent_instance_ref: Field 'lsn' of DatabaseInstanceRef must be of type string, not object");
    refused(&model_credential_request, "{\"instance_names\":[\"a\",2]}",
            "Field 'instance_names' of GenerateDatabaseCredentialRequest must be of type list of strings, not integer");
    refused(INSTANCE, "{}", "Field 'name' is required, expected non-default value (not \"\")!");
    refused(INSTANCE, "{\"name\":\"\"}", "Field 'name' is required, expected non-default value (not \"\")!");
}

/* A client takes what a server sends, even without a field that requests must have. */
static void required_is_for_requests(void **state)
{
    (void)state;
    struct database_instance a;
    decode(INSTANCE, MODEL_CLIENT, "{}", &a);
    model_release(INSTANCE, &a);
}

static void nested_lists_and_copies(void **state)
{
    (void)state;
    struct table_info_list list, copy;
    static const char text[] =
        "{\"tables\":[{\"name\":\"a\",\"columns\":[{\"name\":\"i\",\"nullable\":false,\"position\":0},{\"name\":\"j\"}],"
        "\"table_constraints\":[{\"primary_key_constraint\":{\"name\":\"pk\",\"child_columns\":[\"i\"]}}]},{\"name\":\"b\"},"
        "{\"name\":\"c\"},{\"name\":\"d\"},{\"name\":\"e\"}],\"next_page_token\":\"t\"}";
    decode(&model_table_info_list, MODEL_CLIENT, text, &list);
    assert_int_equal(list.tables.count, 5);
    model_copy(&model_table_info_list, &copy, &list);
    model_release(&model_table_info_list, &list);
    char *t = encode(&model_table_info_list, MODEL_SERVER, &copy);
    json_t *want = parse(text), *got = parse(t);
    assert_true(json_equal(want, got));
    json_decref(want);
    json_decref(got);
    free(t);
    model_release(&model_table_info_list, &copy);
    assert_null(copy.tables.items);
}

static void camel_case_of_scim(void **state)
{
    (void)state;
    struct scim_me me;
    static const char text[] = "{\"id\":\"1\",\"userName\":\"u\",\"displayName\":\"d\",\"active\":true,\"name\":{\"givenName\":"
                               "\"g\",\"familyName\":\"f\"},\"emails\":[{\"value\":\"u\",\"type\":\"work\",\"primary\":true}],"
                               "\"schemas\":[\"s1\",\"s2\"]}";
    decode(&model_scim_me, MODEL_CLIENT, text, &me);
    assert_string_equal(me.name->family_name, "f");
    char *t = encode(&model_scim_me, MODEL_SERVER, &me);
    assert_string_equal(t, text);
    free(t);
    model_release(&model_scim_me, &me);
}

/* Bytes that are no UTF-8 must not spoil a whole answer. */
static void odd_text_stays_valid(void **state)
{
    (void)state;
    struct database_catalog c = {.name = xstrdup("a\xff\"\n")};
    char *t = encode(&model_database_catalog, MODEL_SERVER, &c);
    assert_string_equal(t, "{\"name\":\"a\xef\xbf\xbd\\\"\\n\"}");
    free(t);
    model_release(&model_database_catalog, &c);
}

static void routes_are_whole(void **state)
{
    (void)state;
    for (int i = 0; i < DBX_ROUTE_COUNT; i++) {
        const struct dbx_route_info *r = dbx_route_info((enum dbx_route)i);
        assert_int_equal(r->path[0], '/');
        assert_non_null(r->request);
        assert_non_null(r->response);
        assert_true(strlen(dbx_method_name(r->method)) >= 3);
        for (int k = 0; k < i; k++) {
            const struct dbx_route_info *other = dbx_route_info((enum dbx_route)k);
            assert_false(strcmp(other->path, r->path) == 0 && other->method == r->method);
        }
    }
}

int main(void)
{
    jx_setup();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_and_null_are_the_same), cmocka_unit_test(false_is_not_absent),
        cmocka_unit_test(directions), cmocka_unit_test(unknown_fields_are_ignored),
        cmocka_unit_test(integers_come_in_three_forms), cmocka_unit_test(wrong_types_are_named),
        cmocka_unit_test(required_is_for_requests), cmocka_unit_test(nested_lists_and_copies),
        cmocka_unit_test(camel_case_of_scim), cmocka_unit_test(odd_text_stays_valid), cmocka_unit_test(routes_are_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
