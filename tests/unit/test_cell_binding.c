/* References to variables: what is one, and what only looks like one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "cell/binding.h"

struct sample {
    const char *text;
    const char *want; /* the references, a blank between them */
};

static const struct sample samples[] = {
    {"", ""},
    {"select :a", ":a"},
    {"select :a,:b_2,:c;", ":a :b_2 :c"},
    {"select :'a', :\"b\"", ":'a' :\"b\""},
    {"select f(:a)+:a*-:b", ":a :a :b"},
    {"where x=:a and y<:b or z>=:c", ":a :b :c"},
    {"select :größe", ":größe"},
    {":a", ":a"},
    /* casts */
    {"select x::int, :a::date, :a :: text, '1'::int::text", ":a :a"},
    {"select x::\"Type\", x::'a'", ""},
    {"select 1::numeric(10,2):: text", ""},
    /* assignments and named arguments */
    {"f(a := 1, b:=:x, c => :y)", ":x :y"},
    /* quotes and comments */
    {"select ':a', \":b\", E'\\':c', $$:d$$, $t$ :e $t$", ""},
    {"-- :a\n/* :b /* :c */ :d */ select :e -- :f", ":e"},
    {"select U&':a', b'01', x':b', 'it''s :c'", ""},
    {"select '{\"a\":b}'::jsonb -> 'k', jsonb_path_query(x, '$.a ? (@ > :v)')", ""},
    {"select time '12:30:00', '2026-01-01 10:00:00'::timestamp, '00:00:59'", ""},
    {"$1 :a $tag$", ":a"},
    /* slices */
    {"select a[1:2], a[1:n], a[:n], a[n:], a[:], a[lo:hi], a[ lo : hi ]", ""},
    {"select a[i+1:n], (f(x))[1:n], a[1][2:n], a[b[1]:n], $1[1:n]", ""},
    {"select a[1:(:n)], a[(:i)], a[1: :n], a[f(:x):y]", ":n :i :n :x"},
    {"select a[1 + :n], \"A\"[1:n]", ":n"},
    {"select array[:a, :b], array[[:a],[:b]], ARRAY [:c]", ":a :b :a :b :c"},
    {"select x = any(array[1,:b])", ":b"},
    /* JSON_OBJECT's colon */
    {"select json_object('a':b, c : d, 'k' : :v)", ":v"},
    {"select json_object(:k : :v, key :k value :v)", ":k :v :k :v"},
    {"select JSON_OBJECTAGG(k:v)", ""},
    {"select json_object(f(:x):y)", ":x"},
    {"select distinct on (a) :x from t", ":x"},
    /* not names */
    {"select :1, :, : a, :'', :'a b', :\"\", :\"a;b\", :'a", ""},
    {"select ((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((:a))))))))))))))))))))))))"
     "))))))))))))))))))))))))))))))))))))))))))))))))", ":a"},
    {"select ]])):a[", ":a"},
};

static void check_sample(const struct sample *s)
{
    /* exactly sized, so that a sanitizer sees a byte too far */
    size_t len = strlen(s->text);
    char *text = xmalloc(len + 1);
    memcpy(text, s->text, len);
    struct sql_refs state = {0};
    struct sql_ref ref;
    struct buf got;
    buf_init(&got, 10000);
    while (sql_next_ref(text, len, &state, &ref)) {
        buf_puts(&got, got.len ? " " : "");
        buf_add(&got, text + ref.at, ref.len);
        assert_true(ref.name_at > ref.at && ref.name_at + ref.name_len <= ref.at + ref.len);
    }
    if (strcmp(buf_str(&got), s->want) != 0)
        fail_msg("%s\ngot  '%s'\nwant '%s'", s->text, buf_str(&got), s->want);
    buf_release(&got);
    free(text);
}

static void finds_references(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        check_sample(&samples[i]);
}

static void every_prefix_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        for (size_t len = 0; len <= strlen(samples[i].text); len++) {
            char *text = xmalloc(len + 1);
            struct sql_refs at = {0};
            struct sql_ref ref;
            memcpy(text, samples[i].text, len);
            while (sql_next_ref(text, len, &at, &ref))
                assert_true(ref.at + ref.len <= len);
            free(text);
        }
    }
}

static void knows_what_takes_parameters(void **state)
{
    (void)state;
    static const char *const yes[] = {"select 1", "(select 1)", "/* x */ with a as (select 1) delete from b", "values (1)",
                                      "Insert into t", "explain select 1", "call p(1)", "declare c cursor for select 1",
                                      "create temp table x as select 1", "merge into t"};
    static const char *const no[] = {"", "create index i on t (a)", "alter table t add c int", "set a = 1", "copy t to stdout",
                                     "grant select on t to u", "do $$ $$", "execute p(1)", "vacuum", "notify a",
                                     "create view v as select 1", "prepare p as select 1"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(sql_takes_parameters(yes[i], strlen(yes[i])));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(sql_takes_parameters(no[i], strlen(no[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_references), cmocka_unit_test(every_prefix_is_read),
                                       cmocka_unit_test(knows_what_takes_parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
