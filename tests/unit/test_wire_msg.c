/* Messages in memory: what is taken, what is dropped and with which words, and what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jx.h"
#include "wire/msg.h"

static struct signer *no_key;

#define F(text)                                                                                    \
    {                                                                                              \
        text, sizeof text - 1                                                                      \
    }
#define HEADER "{\"msg_id\":\"1\",\"msg_type\":\"x_request\",\"session\":\"s\",\"more\":[1]}"

static struct msg *decode(const struct frame *frames, size_t n, struct err *e)
{
    err_init(e);
    struct msg *m = msg_decode(frames, n, no_key, e);
    assert_int_equal(m != NULL, e->code == ERR_NONE);
    return m;
}

static void dropped(const struct frame *frames, size_t n, const char *why)
{
    struct err e;
    assert_null(decode(frames, n, &e));
    assert_int_equal(e.code, ERR_MALFORMED);
    if (!strstr(e.text, why))
        fail_msg("'%s' does not say '%s'", e.text, why);
}

static void whole_message(void **unused)
{
    (void)unused;
    struct err e;
    const struct frame frames[] = {F("id\0one"),   F(""),
                                   F("<IDS|MSG>"), F(""),
                                   F(HEADER),      F("{\"msg_id\":\"0\"}"),
                                   F("{\"m\":1}"), F("{\"code\":\"a\\u0000b\"}"),
                                   F("buffer")};
    struct msg *m = decode(frames, 9, &e);
    assert_int_equal(m->n_ids, 2);
    assert_int_equal(m->ids[0].len, 6);
    assert_memory_equal(m->ids[0].data, "id\0one", 6);
    assert_string_equal(m->type, "x_request");
    assert_string_equal(m->id, "1");
    assert_string_equal(m->header_text, HEADER);
    assert_string_equal(jx_get_str(m->parent, "msg_id", ""), "0");
    assert_int_equal(json_string_length(json_object_get(m->content, "code")), 3);
    assert_false(m->content_bad);
    msg_free(m);
}

static void wrong_frames(void **unused)
{
    (void)unused;
    const struct frame none[] = {F("a"),  F("b"),  F("<ids|msg>"), F("{}"),
                                 F("{}"), F("{}"), F("{}")};
    dropped(none, 7, "no delimiter");
    dropped(none, 0, "no delimiter");
    const struct frame whole[] = {F("<IDS|MSG>"), F(""), F(HEADER), F("{}"), F("{}"), F("{}")};
    struct err e;
    for (size_t n = 1; n < 6; n++)
        dropped(whole, n, "behind the delimiter");
    msg_free(decode(whole, 6, &e));
}

static void numbers_at_their_caps(void **unused)
{
    (void)unused;
    struct err e;
    struct frame frames[MSG_MAX_FRAMES + 1];
    const struct frame whole[] = {F("<IDS|MSG>"), F(""), F(HEADER), F("{}"), F("{}"), F("{}")};
    for (size_t ids = MSG_MAX_IDS; ids <= MSG_MAX_IDS + 1; ids++) {
        for (size_t i = 0; i < MSG_MAX_FRAMES + 1; i++)
            frames[i] = i < ids || i >= ids + 6 ? (struct frame)F("x") : whole[i - ids];
        if (ids == MSG_MAX_IDS) {
            msg_free(decode(frames, MSG_MAX_FRAMES, &e));
            dropped(frames, MSG_MAX_FRAMES + 1, "more than 256 frames");
        } else {
            dropped(frames, MSG_MAX_FRAMES, "more than 8 routing frames");
        }
    }
}

static void wrong_parts(void **unused)
{
    (void)unused;
    static const struct {
        const char *header, *parent, *metadata, *why;
    } cases[] = {
        {"", "{}", "{}", "header of a message is not valid JSON"},
        {"[]", "{}", "{}", "header of a message is not a JSON object"},
        {"{}", "{}", "{}", "needs msg_id"},
        {"{\"msg_id\":1}", "{}", "{}", "needs msg_id"},
        {"{\"msg_id\":\"1\"}", "{}", "{}", "needs msg_type"},
        {"{\"msg_id\":\"1\",\"msg_type\":\"x\"}", "{}", "{}", "needs session"},
        {"{\"msg_id\":\"1\",\"msg_type\":\"\",\"session\":\"\"}", "{}", "{}", "empty msg_type"},
        {HEADER, "[]", "{}", "parent header of a message is not a JSON object"},
        {HEADER, "{", "{}", "parent header of a message is not valid JSON"},
        {HEADER, "null", "{}", "parent header of a message is not valid JSON"},
        {HEADER, "{}", "[]", "metadata of a message is not a JSON object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct frame frames[] = {F("<IDS|MSG>"),
                                       F(""),
                                       {cases[i].header, strlen(cases[i].header)},
                                       {cases[i].parent, strlen(cases[i].parent)},
                                       {cases[i].metadata, strlen(cases[i].metadata)},
                                       F("{}")};
        dropped(frames, 6, cases[i].why);
    }
}

static void texts_of_the_header_at_their_cap(void **unused)
{
    (void)unused;
    for (int len = MSG_MAX_TEXT; len <= MSG_MAX_TEXT + 1; len++) {
        char header[MSG_MAX_TEXT + 100], id[MSG_MAX_TEXT + 2];
        memset(id, 'i', sizeof id);
        id[len] = '\0';
        int n = snprintf(header, sizeof header,
                         "{\"msg_id\":\"%s\",\"msg_type\":\"x\",\"session\":\"s\"}", id);
        const struct frame frames[] = {F("<IDS|MSG>"), F(""),   {header, (size_t)n},
                                       F("{}"),        F("{}"), F("{}")};
        struct err e;
        if (len <= MSG_MAX_TEXT)
            msg_free(decode(frames, 6, &e));
        else
            dropped(frames, 6, "needs msg_id");
    }
}

/* Its sender is known: it gets an answer that says why. */
static void content_that_cannot_be_read(void **unused)
{
    (void)unused;
    static const char *const contents[] = {
        "", "null", "[]", "{\"a\":\"\\ud800\"}", "{\"a\":\"\xff\"}", "{}x"};
    for (size_t i = 0; i < sizeof contents / sizeof *contents; i++) {
        struct err e;
        const struct frame frames[] = {F("<IDS|MSG>"), F(""),   F(HEADER),
                                       F("{}"),        F("{}"), {contents[i], strlen(contents[i])}};
        struct msg *m = decode(frames, 6, &e);
        assert_true(m->content_bad);
        assert_int_equal(m->content_err.code, ERR_MALFORMED);
        assert_true(json_is_object(m->content));
        msg_free(m);
    }
}

/* Parse after verification: a wrong signature is what is reported, whatever the JSON is. */
static void signature_comes_before_json(void **unused)
{
    (void)unused;
    struct err e;
    err_init(&e);
    struct signer *s = signer_new("key", &e);
    const struct frame frames[] = {F("<IDS|MSG>"), F("00"), F("{{{"), F("{}"), F("{}"), F("{}")};
    assert_null(msg_decode(frames, 6, s, &e));
    assert_int_equal(e.code, ERR_PERMISSION);
    signer_free(s);
}

static void senders(void **unused)
{
    (void)unused;
    struct err e;
    struct msg *m[4];
    const struct frame ids[] = {F("a"), F("b"), F("a"), F("aa")};
    for (int i = 0; i < 4; i++) {
        const struct frame frames[] = {ids[i],  F("<IDS|MSG>"), F(""),  F(HEADER),
                                       F("{}"), F("{}"),        F("{}")};
        m[i] = decode(frames, 7, &e);
    }
    assert_false(msg_same_sender(m[0], m[1]));
    assert_true(msg_same_sender(m[0], m[2]));
    assert_false(msg_same_sender(m[0], m[3]));
    for (int i = 0; i < 4; i++)
        msg_free(m[i]);
}

static void packets(void **unused)
{
    (void)unused;
    struct err e;
    struct author a;
    struct packet p, q;
    const struct frame frames[] = {F("id"), F("<IDS|MSG>"), F(""),  F(HEADER),
                                   F("{}"), F("{}"),        F("{}")};
    struct msg *m = decode(frames, 7, &e);
    author_init(&a);
    packet_init(&p, &a, "x_reply", m, NULL, strdup("{\"a\":1}"));
    packet_init(&q, &a, "status", NULL, m->metadata, strdup("{}"));
    assert_string_equal(p.parent, HEADER);
    assert_int_equal(p.parent_len, sizeof HEADER - 1);
    assert_string_equal(q.parent, "{}");
    assert_string_equal(p.content, "{\"a\":1}");
    assert_string_equal(q.metadata, "{}");
    assert_string_not_equal(p.id, q.id);
    json_t *header = json_loads(p.header, 0, NULL);
    assert_string_equal(jx_get_str(header, "msg_id", ""), p.id);
    assert_string_equal(jx_get_str(header, "session", ""), a.session);
    assert_string_equal(jx_get_str(header, "version", ""), "5.5");
    assert_string_equal(jx_get_str(header, "msg_type", ""), "x_reply");
    assert_int_equal(strlen(jx_get_str(header, "date", "")), strlen("2026-01-02T03:04:05.000123Z"));
    json_decref(header);
    packet_release(&p);
    packet_release(&q);
    msg_free(m);
}

int main(void)
{
    struct err e;
    err_init(&e);
    no_key = signer_new("", &e);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_message),
        cmocka_unit_test(wrong_frames),
        cmocka_unit_test(numbers_at_their_caps),
        cmocka_unit_test(wrong_parts),
        cmocka_unit_test(texts_of_the_header_at_their_cap),
        cmocka_unit_test(content_that_cannot_be_read),
        cmocka_unit_test(signature_comes_before_json),
        cmocka_unit_test(senders),
        cmocka_unit_test(packets),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    signer_free(no_key);
    return rc;
}
