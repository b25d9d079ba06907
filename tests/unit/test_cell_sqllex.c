/* Statement boundaries: a table of texts and the statements that psql would send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "cell/sqllex.h"

struct sample {
    const char *text;
    const char *want; /* statements in brackets, '.' behind a terminated one; then what is open */
};

static const char *const open_names[] = {"", "string", "ident", "dollar", "comment", "paren", "atomic"};

static const struct sample samples[] = {
    {"", ""},
    {"  \n\t ", ""},
    {";;;", ""},
    {"-- only a comment", ""},
    {"/* a */ -- b\n /* c */", ""},
    {"select 1", "[select 1]"},
    {"select 1;", "[select 1]."},
    {" select 1 ; select 2", "[select 1].[select 2]"},
    {"select 1;;select 2;", "[select 1].[select 2]."},
    {"select 1 -- one; two\n; select 2", "[select 1].[select 2]"},
    {"-- first\nselect 1 -- end", "[select 1]"},
    {"select 1 -- x\n, 2", "[select 1 -- x\n, 2]"},
    {"select 'a;b';", "[select 'a;b']."},
    {"select 'it''s; fine'; x", "[select 'it''s; fine'].[x]"},
    {"select 'a\\'; select 2", "[select 'a\\'].[select 2]"},
    {"select e'a\\'; b'; select 2", "[select e'a\\'; b'].[select 2]"},
    {"select E'\\\\'; x", "[select E'\\\\'].[x]"},
    {"select E'a'\n'\\'; b'; x", "[select E'a'\n'\\'; b'].[x]"},
    {"select E'a' -- c\n '\\'; b'; x", "[select E'a' -- c\n '\\'; b'].[x]"},
    {"select E'a' '\\'; x", "[select E'a' '\\'].[x]"},
    {"select U&'\\0061;b' UESCAPE '!'; x", "[select U&'\\0061;b' UESCAPE '!'].[x]"},
    {"select U&\"d;\\0061\"; x", "[select U&\"d;\\0061\"].[x]"},
    {"select b'1;0', x'f;f', n'a;b'; y", "[select b'1;0', x'f;f', n'a;b'].[y]"},
    {"select \"a;\"\"b\" from t; x", "[select \"a;\"\"b\" from t].[x]"},
    {"select $$a;b$$; x", "[select $$a;b$$].[x]"},
    {"select $t$a;$$;$x$;$t$; x", "[select $t$a;$$;$x$;$t$].[x]"},
    {"select $tag1$;$tag1$, $Ä_$;$Ä_$; x", "[select $tag1$;$tag1$, $Ä_$;$Ä_$].[x]"},
    {"select a$b$; x", "[select a$b$].[x]"},
    {"select $1; select $2$3;", "[select $1].[select $2$3]."},
    {"select 1$$a;b$$; x", "[select 1$$a;b$$].[x]"},
    {"select $1$$a;b$$; x", "[select $1$$a;b$$].[x]"},
    {"select 1e5, 0x1F; x", "[select 1e5, 0x1F].[x]"},
    {"select $9a$; x", "[select $9a$].[x]"},
    {"select /* a /* ; */ ; */ 1; x", "[select /* a /* ; */ ; */ 1].[x]"},
    {"select 1 /*/ ; */; x", "[select 1].[x]"},
    {"select 1 /* ** **/; x", "[select 1].[x]"},
    {"select 4 */* c */ 2; x", "[select 4 */* c */ 2].[x]"},
    {"select 4 - -- c;\n 2; x", "[select 4 - -- c;\n 2].[x]"},
    {"select (1; 2); x", "[select (1; 2)].[x]"},
    {"select 1); x", "[select 1)].[x]"},
    {"create rule r as on insert to t do also (delete from a; delete from b); x",
     "[create rule r as on insert to t do also (delete from a; delete from b)].[x]"},
    {"create function f() returns int begin atomic select 1; select 2; end; x",
     "[create function f() returns int begin atomic select 1; select 2; end].[x]"},
    {"CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; x",
     "[CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END].[x]"},
    {"create function f(a int default (case when true then 1 end)) returns int begin atomic select 1; end; x",
     "[create function f(a int default (case when true then 1 end)) returns int begin atomic select 1; end].[x]"},
    {"create function \"begin\"() returns int return 1; x", "[create function \"begin\"() returns int return 1].[x]"},
    {"begin; select 1; end; x", "[begin].[select 1].[end].[x]"},
    {"create table t (x int); begin; commit;", "[create table t (x int)].[begin].[commit]."},
    {"do $$ begin raise notice 'x;'; end $$; x", "[do $$ begin raise notice 'x;'; end $$].[x]"},
    {"select '", "[select ']string@7"},
    {"select 'a''", "[select 'a'']string@7"},
    {"select e'a\\'", "[select e'a\\']string@7"},
    {"select e'a\\", "[select e'a\\]string@7"},
    {"select \"a", "[select \"a]ident@7"},
    {"select $x$ a $X$", "[select $x$ a $X$]dollar@7"},
    {"select 1; select /* /* */", "[select 1].[select /* /* */]comment@17"},
    {"/* open", "comment@0"},
    {"select 1; /* open", "[select 1].comment@10"},
    {"select (1", "[select (1]paren"},
    {"select (1; select 2", "[select (1; select 2]paren"},
    {"create function f() begin atomic select 1;", "[create function f() begin atomic select 1;]atomic"},
    {"select 'a' \n", "[select 'a']"},
    {"select E'a' \n ", "[select E'a']"},
    {"$", "[$]"},
    {"$a", "[$a]"},
    {"$$", "[$$]dollar@0"},
    {"select 'ä;ö' , ü;x", "[select 'ä;ö' , ü].[x]"},
    {"select 1;\xc2\xa0select 2", "[select 1].[\xc2\xa0select 2]"}, /* a hard space is a letter to the server too */
    {"select \xff\xfe; x", "[select \xff\xfe].[x]"},
    {"%sql x", "[%sql x]"},
};

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
        const char *text = samples[i].text;
        struct buf got;
        struct sql_span span;
        enum sql_open open = SQL_CLOSED;
        size_t pos = 0, len = strlen(text);
        /* A copy without a NUL behind it, so that a byte read too far is seen by the sanitizer. */
        char *copy = memcpy(xmalloc(len), text, len);
        buf_init(&got, 4096);
        enum sql_open last = SQL_CLOSED;
        size_t open_at = 0;
        for (bool more = true; more;) {
            more = sql_next(copy, len, &pos, false, &span, &open);
            if (more) {
                buf_putc(&got, '[');
                buf_add(&got, copy + span.start, span.len);
                buf_puts(&got, span.terminated ? "]." : "]");
            }
            if (open != SQL_CLOSED) {
                last = open;
                open_at = span.open_at;
            }
        }
        buf_puts(&got, open_names[last]);
        if (last != SQL_CLOSED && last < SQL_IN_PAREN)
            buf_printf(&got, "@%zu", open_at);
        assert_int_equal(pos, len);
        assert_string_equal(buf_str(&got), samples[i].want);
        buf_release(&got);
        free(copy);
    }
}

static void test_stops_at_magic(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t stop; /* where the search for statements ends */
        size_t statements;
    } cases[] = {
        {"%sql", 0, 0},          {"\\dt", 0, 0},           {"  %sql", 0, 0},       {"select 1;\n%sql", 10, 1},
        {"select 1;\n\n  \\dt", 11, 1}, {"select 1; \\dt", 13, 2}, {"select 1\n%x", 11, 1}, {"-- c\n%sql", 5, 0},
        {"/* c */ %sql", 12, 1}, {"select 1; -- c\n\\d", 15, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sql_span span;
        enum sql_open open;
        size_t pos = 0, n = 0;
        while (sql_next(cases[i].text, strlen(cases[i].text), &pos, true, &span, &open))
            n++;
        assert_int_equal(n, cases[i].statements);
        assert_int_equal(pos, cases[i].stop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples), cmocka_unit_test(test_stops_at_magic)};
    return cmocka_run_group_tests_name("cell_sqllex", tests, NULL, NULL);
}
