/* The contract of every magic's descriptor: names, texts, rows, examples; and that help can be made of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <string.h>

#include "base/xalloc.h"
#include "cell/split.h"
#include "magics/help.h"
#include "magics/interp.h"
#include "magics/settings.h"

static const struct magic *const *all(size_t *n) { return magic_all(n); }

static void test_sorted_and_unique(void **state)
{
    (void)state;
    size_t n;
    const struct magic *const *m = all(&n);
    assert_true(n > 20);
    for (size_t i = 1; i < n; i++)
        assert_true(strcmp(m[i - 1]->name, m[i]->name) < 0 ||
                    (strcmp(m[i - 1]->name, m[i]->name) == 0 && (m[i - 1]->kinds & m[i]->kinds) == 0));
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(magic_find(m[i]->name, strlen(m[i]->name), m[i]->kinds), m[i]);
        for (const char *const *a = m[i]->aliases; a && *a; a++)
            assert_ptr_equal(magic_find(*a, strlen(*a), m[i]->kinds), m[i]);
    }
    assert_null(magic_find("nothing", 7, MAGIC_LINE | MAGIC_CELL | MAGIC_BACKSLASH));
    assert_null(magic_find("d", 1, MAGIC_LINE));
}

/* One line, lower-case start (a proper name may start a help), no full stop. */
static void check_line(const char *who, const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len == 0 || strchr(text, '\n') || text[len - 1] == '.')
        fail_msg("%s: '%s' should be one line without a full stop", who, text ? text : "(none)");
}

static void check_rows(const char *who, const struct arg_row *rows)
{
    bool optional = false;
    for (const struct arg_row *r = rows; r && r->name; r++) {
        check_line(r->name, r->help);
        for (const char *c = r->name; *c; c++)
            assert_true(islower((unsigned char)*c) || *c == '-');
        if (r->type == ARG_CHOICE && !r->choices)
            fail_msg("%s: --%s has no choices", who, r->name);
        if (r->positional && r->flags & ARG_REQUIRED && optional)
            fail_msg("%s: %s is required behind an optional argument", who, r->name);
        optional = optional || (r->positional && !(r->flags & ARG_REQUIRED));
        for (const struct arg_row *o = rows; o != r; o++) {
            assert_string_not_equal(o->name, r->name);
            assert_false(o->letter && o->letter == r->letter);
        }
    }
}

static void test_texts(void **state)
{
    (void)state;
    size_t n;
    const struct magic *const *m = all(&n);
    for (size_t i = 0; i < n; i++) {
        check_line(m[i]->name, m[i]->summary);
        assert_true(m[i]->kinds != 0);
        assert_non_null(m[i]->group);
        assert_true((m[i]->run != NULL) != (m[i]->subs != NULL));
        check_rows(m[i]->name, m[i]->args);
        for (const struct magic_sub *s = m[i]->subs; s && s->name; s++) {
            check_line(s->name, s->summary);
            check_rows(m[i]->name, s->args);
            assert_non_null(s->run);
        }
    }
}

/* An example is a cell; what it calls is this magic, and its arguments parse. */
static void check_example(const struct magic *m, struct arena *a, const char *code, size_t len)
{
    struct cell_items items;
    struct err e = {0};
    if (!cell_split(a, code, len, &items, &e) || items.count == 0)
        fail_msg("%s: the example '%.*s' is no cell: %s", m->name, (int)len, code, e.text);
    const struct cell_item *it = &items.items[0];
    unsigned kind = it->kind == CELL_LINE_MAGIC ? MAGIC_LINE : it->kind == CELL_CELL_MAGIC ? MAGIC_CELL
        : MAGIC_BACKSLASH;
    assert_ptr_equal(magic_find(it->name, strlen(it->name), kind), m);
    const struct arg_row *rows = m->args;
    const char *args = it->args;
    size_t n = it->args_len, word = 0;
    if (m->subs) {
        while (word < n && args[word] != ' ')
            word++;
        const struct magic_sub *s = help_sub(m, args, word);
        if (!s && !*m->subs->name) { /* the default takes the word as an argument */
            s = m->subs;
            word = 0;
        }
        assert_non_null(s);
        rows = s->args;
        args += word;
        n -= word;
    }
    if (!args_parse(a, rows, args, n, 1, 1, &e))
        fail_msg("%s: the example '%.*s' does not parse: %s", m->name, (int)len, code, e.text);
}

static void test_examples(void **state)
{
    (void)state;
    size_t n;
    const struct magic *const *m = all(&n);
    for (size_t i = 0; i < n; i++) {
        assert_non_null(m[i]->examples);
        for (const char *p = m[i]->examples; *p;) {
            struct arena a;
            arena_init(&a);
            /* A cell magic takes the lines below; any other example is one line. */
            size_t len = strncmp(p, "%%", 2) == 0 ? strlen(p) : strcspn(p, "\n");
            check_example(m[i], &a, p, len);
            p += len + (p[len] == '\n');
            arena_release(&a);
        }
    }
}

static void test_docs_name_everything(void **state)
{
    (void)state;
    struct buf out;
    size_t n;
    const struct magic *const *m = all(&n);
    buf_init(&out, 1 << 20);
    interp_docs(&out);
    assert_false(out.failed);
    for (size_t i = 0; i < n; i++) {
        char *title = xasprintf("\n### `%s%s`\n", m[i]->kinds & MAGIC_LINE ? "%" : m[i]->kinds & MAGIC_CELL ? "%%"
                                : "\\", m[i]->name);
        if (!strstr(buf_str(&out), title) || !strstr(buf_str(&out), m[i]->summary))
            fail_msg("the reference does not have%s", title);
        free(title);
        for (const struct magic_sub *s = m[i]->subs; s && s->name; s++)
            assert_non_null(strstr(buf_str(&out), s->summary));
    }
    buf_release(&out);
}

static void test_settings(void **state)
{
    (void)state;
    struct settings s = {.rows = 50};
    struct err e = {0};
    for (const struct setting *r = settings_table(); r->name; r++)
        check_line(r->name, r->help);
    assert_true(settings_put(&s, "rows", "10000", &e));
    assert_int_equal(s.rows, 10000);
    assert_true(settings_put(&s, "timeout", "2m", &e));
    assert_int_equal(s.timeout, 120000);
    assert_true(settings_put(&s, "timing", "on", &e));
    assert_true(s.timing);
    static const char *const wrong[][2] = {{"rows", "10001"}, {"rows", "0"}, {"rows", "1x"}, {"rows", ""},
                                           {"timeout", "5"},
                                           {"timeout", "25h"}, {"timeout", "1s 2s"}, {"timing", "yes"},
                                               {"nothing", "1"}};
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        err_init(&e);
        assert_false(settings_put(&s, wrong[i][0], wrong[i][1], &e));
        assert_int_equal(e.code, ERR_USAGE);
    }
    assert_int_equal(s.rows, 10000);
    assert_int_equal(s.timeout, 120000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sorted_and_unique), cmocka_unit_test(test_texts),
                                       cmocka_unit_test(test_examples), cmocka_unit_test(test_docs_name_everything),
                                       cmocka_unit_test(test_settings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
