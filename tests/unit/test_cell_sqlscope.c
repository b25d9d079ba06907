/* What Tab may offer at a place: the bar in each sample is the cursor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "cell/sqlscope.h"

struct sample {
    const char *text;
    const char *want; /* what is wanted, "qualifier." of it, and behind a colon what can be seen from there */
};

static const char *const names[] = {
    [SQL_WANT_NOTHING] = "nothing", [SQL_WANT_START] = "start", [SQL_WANT_KEYWORD] = "keyword", [SQL_WANT_EXPR] = "expr",
    [SQL_WANT_JOIN] = "join", [SQL_WANT_COLUMN] = "column", [SQL_WANT_RELATION] = "relation", [SQL_WANT_VIEW] = "view",
    [SQL_WANT_INDEX] = "index", [SQL_WANT_SEQUENCE] = "sequence", [SQL_WANT_FUNCTION] = "function",
    [SQL_WANT_TYPE] = "type", [SQL_WANT_SCHEMA] = "schema", [SQL_WANT_DATABASE] = "database", [SQL_WANT_ROLE] = "role",
    [SQL_WANT_EXTENSION] = "extension", [SQL_WANT_SETTING] = "setting", [SQL_WANT_VALUE] = "value",
    [SQL_WANT_VARIABLE] = "variable"};

static const struct sample samples[] = {
    {"|", "start"},
    {"se|", "start se"},
    {"-- note\nse|", "start se"},
    /* a query */
    {"select |", "expr"},
    {"select | from t", "expr: t"},
    {"select a, n| from s.t as x where true", "expr n: s.t=x"},
    {"select a | from t", "keyword: t"},
    {"select * |", "keyword"},
    {"select * from |", "relation"},
    {"select * from cu|", "relation cu"},
    {"select * from s.cu|", "relation s.cu"},
    {"select * from s.|", "relation s."},
    {"select * from only cu|", "relation cu"},
    {"select * from a, |", "relation: a"},
    {"select * from a |", "keyword: a"},
    {"select * from a x |", "keyword: a=x"},
    {"select * from \"My T\" m where m.|", "expr m.: My T=m"},
    {"select * from \"My|", "relation \"My"},
    {"select c.| from customers c", "expr c.: customers=c"},
    {"select s.t.| from s.t", "expr s.t.: s.t"},
    {"select * from a join |", "relation: a"},
    {"select * from a join b |", "keyword: a b"},
    {"select * from a left join b on |", "join: a b*"},
    {"select * from a join b on a.x = b.|", "join b.: a b*"},
    {"select * from a join b on a.x = b.x |", "keyword: a b*"},
    {"select * from a join b on a.x = b.x and |", "join: a b*"},
    {"select * from a join b on true join c cc on |", "join: a b c=cc*"},
    {"select * from a join b using (|", "column: a b"},
    {"select * from a join b on true, |", "relation: a b*"},
    {"select * from a where |", "expr: a"},
    {"select * from a where x = 1 an|", "keyword an: a"},
    {"select * from a group by |", "expr: a"},
    {"select * from a order by x desc, |", "expr: a"},
    {"select * from a limit |", "keyword: a"},
    {"select count(|) from a", "expr: a"},
    {"select f(a, |) from t", "expr: t"},
    {"select extract(year from |) from t", "expr: t"},
    {"select a is distinct from | from t", "expr: t"},
    {"select case when | then 1 end from t", "expr: t"},
    {"table |", "relation"},
    /* subqueries */
    {"select * from a where x in (select | from b)", "expr: b a"},
    {"select | from a where x in (select y from b)", "expr: a"},
    {"select q.| from (select a, b as c, count(*), d::int from t) q", "expr q.: (a,c,count,d)=q"},
    {"select q.| from (select * from t x) q", "expr q.: ()=q t=q"},
    {"select * from (a join b on true) where |", "expr: a b*"},
    {"select * from (|", "relation"},
    {"select * from f(|", "expr"},
    {"select * from f(1) g where |", "expr"},
    {"select * from a, lateral (select | from b) q", "expr: b a"},
    {"with w as (select a, b from t) select | from w", "expr: (a,b)=w & w"},
    {"with w as (select a from t), v as (select | from w)", "expr: (a)=w & w"},
    {"with w as (select a from t) select * from |", "relation & w"},
    {"with w(z) as (select 1 one) select * from w x where x.|", "expr x.: (one)=x & w"},
    {"create view v as with w as (select 1 a) select * from |", "relation & w"},
    /* writes */
    {"insert into |", "relation"},
    {"insert into t |", "keyword: t"},
    {"insert into t (|", "column: t"},
    {"insert into t (a, b|", "column b: t"},
    {"insert into t (a) values (|", "expr: t"},
    {"insert into t (a) select | from s", "expr: t s"},
    {"insert into t values (1) on conflict (|", "column: t"},
    {"insert into t values (1) on conflict (a) do update set |", "column: t"},
    {"insert into t values (1) returning |", "expr: t"},
    {"update |", "relation"},
    {"update t set |", "column: t"},
    {"update t set a = |", "expr: t"},
    {"update t set a = 1, |", "column: t"},
    {"update t set a = 1 where |", "expr: t"},
    {"select * from t for update |", "keyword: t"},
    {"select * from t for share of |", "keyword: t"},
    {"delete from |", "relation"},
    {"delete from t where |", "expr: t"},
    {"delete from t using |", "relation: t"},
    {"merge into t using s on |", "join: t s*"},
    {"truncate |", "relation"},
    {"copy t (|", "column: t"},
    /* definitions */
    {"create table |", "keyword"},
    {"create table if not exists |", "keyword"},
    {"create table t (|", "keyword: t"},
    {"create table t (a |", "type: t"},
    {"create table t (a int, b |", "type: t"},
    {"create table t (a int not |", "keyword: t"},
    {"create table t (a int references |", "relation: t"},
    {"create table t (a int references o (|", "column: o t"},
    {"create table t (a int references o (x), b |", "type: o t"},
    {"create table t (a int default |", "expr: t"},
    {"create index i on |", "relation"},
    {"create index i on t (|", "column: t"},
    {"alter table |", "relation"},
    {"alter table if exists |", "relation"},
    {"alter table t |", "keyword: t"},
    {"alter table t drop column |", "column: t"},
    {"alter table t alter |", "column: t"},
    {"alter table t add column |", "keyword: t"},
    {"alter table t add column c |", "type: t"},
    {"alter table t alter column c type |", "type: t"},
    {"alter table t owner to |", "role: t"},
    {"drop table |", "relation"},
    {"drop table if exists a, |", "relation: a"},
    {"drop view |", "view"},
    {"drop index |", "index"},
    {"drop schema if exists |", "schema"},
    {"drop schema s |", "keyword"},
    {"create extension |", "extension"},
    {"select a::|", "type"},
    {"select a::nu|", "type nu"},
    {"select cast(a as |", "type"},
    {"grant select on |", "relation"},
    {"grant select on t to |", "role: t"},
    {"grant usage on schema |", "schema"},
    {"revoke all on t from |", "role: t"},
    {"set |", "setting"},
    {"set local |", "setting"},
    {"set statement_timeout = |", "value statement_timeout"},
    {"set role |", "role"},
    {"show |", "setting"},
    {"alter database d set |", "setting"},
    {"comment on column t.|", "column t."},
    {"select * from t where id = :|", "variable: t"},
    {"select :nam|", "variable nam"},
    {"explain analyze select | from t", "expr: t"},
    /* no place for names */
    {"select 'a|", "nothing"},
    {"select 'a|b' from t", "nothing"},
    {"select $$ a|", "nothing"},
    {"-- abc|", "nothing"},
    {"/* abc|", "nothing"},
    {"select 'a'| from t", "keyword: t"},
    {"select /* x */ | from t", "expr: t"},
    /* broken ones */
    {")))) |", "keyword"},
    {"select ((((|", "expr"},
    {"from from from |", "relation"},
    {"select . . .|", "expr"},
    {", , |", "keyword"},
};

static void tell(const struct sql_scope *s, struct buf *out)
{
    buf_puts(out, names[s->want]);
    bool word = s->end > s->start || s->qualifier[1] || s->subject;
    buf_puts(out, word ? " " : "");
    for (size_t i = 0; i < 2; i++)
        buf_printf(out, "%s%s", s->qualifier[i] ? s->qualifier[i] : "", s->qualifier[i] ? "." : "");
    buf_printf(out, "%s%s%s", s->subject ? s->subject : "", s->quoted ? "\"" : "", s->word);
    for (size_t i = 0; i < s->n_relations; i++) {
        const struct sql_relation *r = &s->relations[i];
        buf_printf(out, "%s%s%s%s", i ? " " : ": ", r->schema ? r->schema : "", r->schema ? "." : "", r->name ? r->name : "(");
        for (size_t k = 0; k < r->n_columns; k++)
            buf_printf(out, "%s%s", k ? "," : "", r->columns[k]);
        buf_printf(out, "%s%s%s%s", r->name ? "" : ")", r->alias ? "=" : "", r->alias ? r->alias : "", r->joined ? "*" : "");
    }
    for (size_t i = 0; i < s->n_ctes; i++)
        buf_printf(out, "%s%s", i ? " " : " & ", s->ctes[i]);
}

static void knows_what_is_wanted(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const char *bar = strchr(samples[i].text, '|');
        size_t at = (size_t)(bar - samples[i].text), len = strlen(samples[i].text) - 1;
        char *text = xmalloc(len + 1);
        memcpy(text, samples[i].text, at);
        memcpy(text + at, bar + 1, len - at);
        struct arena a;
        struct sql_scope scope;
        struct buf got;
        arena_init(&a);
        buf_init(&got, 10000);
        sql_scope_at(&a, text, len, at, false, &scope);
        tell(&scope, &got);
        if (strcmp(buf_str(&got), samples[i].want) != 0) {
            print_error("%s\n  got  '%s'\n  want '%s'\n", samples[i].text, buf_str(&got), samples[i].want);
            wrong++;
        }
        buf_release(&got);
        arena_release(&a);
        free(text);
    }
    assert_int_equal(wrong, 0);
}

/* Every place of every prefix: nothing is read past the end (the text is exactly sized, for the sanitizers). */
static void survives_every_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        for (size_t len = 0; len <= strlen(samples[i].text); len++) {
            char *text = xmalloc(len + 1);
            memcpy(text, samples[i].text, len);
            for (size_t at = 0; at <= len; at += 3) {
                struct arena a;
                struct sql_scope scope;
                arena_init(&a);
                sql_scope_at(&a, text, len, at, at % 2, &scope);
                assert_true(scope.want >= SQL_WANT_NOTHING && scope.start <= scope.end && scope.end <= len);
                arena_release(&a);
            }
            free(text);
        }
    }
}

static void is_bounded(void **state)
{
    (void)state;
    struct buf text;
    struct arena a;
    struct sql_scope scope;
    buf_init(&text, 1 << 20);
    arena_init(&a);
    buf_puts(&text, "select 1 from a");
    for (int i = 0; i < 30000; i++)
        buf_puts(&text, ", (b");
    sql_scope_at(&a, buf_str(&text), text.len, 10, false, &scope);
    assert_true(scope.n_relations <= SQL_SCOPE_RELATIONS);
    sql_scope_at(&a, buf_str(&text), text.len, text.len, false, &scope);
    arena_release(&a);
    buf_release(&text);
}

static void whole_words_for_inspection(void **state)
{
    (void)state;
    static const char text[] = "select cust.name from customers cust";
    struct arena a;
    struct sql_scope scope;
    arena_init(&a);
    sql_scope_at(&a, text, sizeof text - 1, 13, true, &scope);
    assert_string_equal(scope.word, "name");
    assert_string_equal(scope.qualifier[1], "cust");
    sql_scope_at(&a, text, sizeof text - 1, 24, true, &scope);
    assert_string_equal(scope.word, "customers");
    assert_int_equal(scope.want, SQL_WANT_RELATION);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(knows_what_is_wanted), cmocka_unit_test(survives_every_prefix),
                                       cmocka_unit_test(is_bounded), cmocka_unit_test(whole_words_for_inspection)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
