/* The connection file: every key, right and wrong, at its cap; ports written back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/jx.h"
#include "wire/connfile.h"

#define PORTS "\"shell_port\":5,\"iopub_port\":4,\"stdin_port\":3,\"control_port\":2,\"hb_port\":1"
#define REST PORTS ",\"key\":\"k\""

static bool parse(struct connfile *c, const char *text, struct err *e)
{
    err_init(e);
    bool ok = connfile_parse(c, text, strlen(text), e);
    assert_int_equal(ok, e->code == ERR_NONE);
    return ok;
}

static void refused(const char *text, enum err_code code, const char *why)
{
    struct connfile c;
    struct err e;
    assert_false(parse(&c, text, &e));
    assert_int_equal(e.code, code);
    if (!strstr(e.text, why))
        fail_msg("'%s' does not say '%s'", e.text, why);
    assert_null(c.key);
}

static void tcp(void **unused)
{
    (void)unused;
    struct connfile c;
    struct err e;
    assert_true(parse(&c, "{\"transport\":\"tcp\",\"ip\":\"127.0.0.1\",\"x\":{}," REST "}", &e));
    assert_false(c.ipc);
    assert_string_equal(c.ip, "127.0.0.1");
    assert_string_equal(c.key, "k");
    const int expected[CH_COUNT] = {
        [CH_SHELL] = 5, [CH_IOPUB] = 4, [CH_STDIN] = 3, [CH_CONTROL] = 2, [CH_HB] = 1};
    for (int ch = 0; ch < CH_COUNT; ch++)
        assert_int_equal(c.port[ch], expected[ch]);
    connfile_release(&c);
}

/* JEP 106: a missing transport is tcp, ports may be strings; "" switches signatures off. */
static void other_spellings(void **unused)
{
    (void)unused;
    struct connfile c;
    struct err e;
    assert_true(
        parse(&c,
              "{\"ip\":\"::1\",\"shell_port\":\"65535\",\"iopub_port\":\"0\",\"stdin_port\":0,"
              "\"control_port\":0,\"hb_port\":0,\"key\":\"\",\"signature_scheme\":\"hmac-sha256\"}",
              &e));
    assert_int_equal(c.port[CH_SHELL], 65535);
    assert_string_equal(c.key, "");
    connfile_release(&c);
    assert_true(parse(&c, "{\"transport\":\"ipc\",\"ip\":\"/tmp/a b/k\"," REST "}", &e));
    assert_true(c.ipc);
    connfile_release(&c);
}

static void wrong_files(void **unused)
{
    (void)unused;
    refused("", ERR_MALFORMED, "not valid JSON");
    refused("[]", ERR_CONFIG, "object");
    refused("{}", ERR_CONFIG, "ip is missing");
    refused("{\"transport\":\"x\"}", ERR_CONFIG, "transport");
    refused("{\"transport\":null}", ERR_CONFIG, "transport");
    refused("{\"ip\":5}", ERR_CONFIG, "ip is missing");
    refused("{\"ip\":\"a;b\"}", ERR_CONFIG, "not an address");
    refused("{\"ip\":\"h\"}", ERR_CONFIG, "shell_port is missing");
    refused("{\"ip\":\"h\",\"shell_port\":65536}", ERR_CONFIG, "shell_port must be");
    refused("{\"ip\":\"h\",\"shell_port\":\"-1\"}", ERR_CONFIG, "shell_port must be");
    refused("{\"ip\":\"h\",\"shell_port\":true}", ERR_CONFIG, "shell_port must be");
    refused("{\"ip\":\"h\",\"shell_port\":7,\"iopub_port\":7}", ERR_CONFIG, "are both 7");
    refused("{\"ip\":\"h\"," PORTS "}", ERR_CONFIG, "key must be");
    refused("{\"ip\":\"h\"," PORTS ",\"key\":null}", ERR_CONFIG, "key must be");
    refused("{\"ip\":\"h\",\"signature_scheme\":\"hmac-sha512\"," REST "}", ERR_CONFIG,
            "hmac-sha256");
    refused("{\"ip\":\"h\",\"signature_scheme\":1," REST "}", ERR_CONFIG, "hmac-sha256");
    refused("{\"registration_ip\":\"h\"}", ERR_NOT_IMPLEMENTED, "registration");
    refused("{\"curve_secretkey\":\"h\"}", ERR_NOT_IMPLEMENTED, "CurveZMQ");
}

/* text with `fill` (so many x) between two pieces */
static char *filled(const char *before, size_t fill, const char *after)
{
    struct buf b;
    buf_init(&b, 1 << 20);
    buf_puts(&b, before);
    buf_fill(&b, 'x', fill);
    buf_puts(&b, after);
    return buf_detach(&b);
}

static void caps(void **unused)
{
    (void)unused;
    struct connfile c;
    struct err e;
    char *text = filled("{\"ip\":\"", CONNFILE_MAX_IP, "\"," REST "}");
    assert_true(parse(&c, text, &e));
    connfile_release(&c);
    free(text);
    text = filled("{\"ip\":\"", CONNFILE_MAX_IP + 1, "\"," REST "}");
    refused(text, ERR_CONFIG, "not an address");
    free(text);
    text = filled("{\"ip\":\"h\"," PORTS ",\"key\":\"", CONNFILE_MAX_KEY, "\"}");
    assert_true(parse(&c, text, &e));
    connfile_release(&c);
    free(text);
    text = filled("{\"ip\":\"h\"," PORTS ",\"key\":\"", CONNFILE_MAX_KEY + 1, "\"}");
    refused(text, ERR_CONFIG, "longer than");
    free(text);
    size_t around = strlen("{\"a\":\"\",\"ip\":\"h\"," REST "}");
    text = filled("{\"a\":\"", CONNFILE_MAX_BYTES - around, "\",\"ip\":\"h\"," REST "}");
    assert_int_equal(strlen(text), CONNFILE_MAX_BYTES);
    assert_true(parse(&c, text, &e));
    connfile_release(&c);
    free(text);
    text = filled("{\"a\":\"", CONNFILE_MAX_BYTES - around + 1, "\",\"ip\":\"h\"," REST "}");
    refused(text, ERR_TOO_BIG, "more than");
    free(text);
}

static void ports_are_written_back(void **unused)
{
    (void)unused;
    char folder[] = "/tmp/lb-connfile-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/k.json", folder);
    struct err e;
    struct connfile c, again;
    err_init(&e);
    static const char text[] =
        "{\"ip\":\"h\",\"keep\":[1,\"\xc3\xa4\"],\"shell_port\":\"0\",\"iopub_port\":0,"
        "\"stdin_port\":0,\"control_port\":0,\"hb_port\":9,\"key\":\"secret\"}";
    assert_true(fs_write_atomic(path, text, sizeof text - 1, 0644, &e));
    assert_true(connfile_load(&c, path, &e));
    for (int ch = 0; ch < CH_HB; ch++)
        c.port[ch] = 1000 + ch;
    assert_true(connfile_write_ports(&c, &e));
    assert_true(connfile_load(&again, path, &e));
    for (int ch = 0; ch < CH_HB; ch++)
        assert_int_equal(again.port[ch], 1000 + ch);
    assert_int_equal(again.port[CH_HB], 9);
    assert_string_equal(again.key, "secret");
    connfile_release(&again);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    struct buf b;
    buf_init(&b, 1 << 16);
    assert_true(fs_read(path, &b, &e));
    json_t *o = jx_parse(buf_str(&b), b.len, 1 << 16, &e);
    assert_int_equal(json_array_size(json_object_get(o, "keep")), 2);
    json_decref(o);
    buf_release(&b);
    /* a file that is gone, or no longer one: an error, and nothing is made */
    assert_true(fs_remove_tree(folder, &e));
    assert_false(connfile_write_ports(&c, &e));
    assert_int_equal(e.code, ERR_NOT_FOUND);
    err_init(&e);
    assert_false(connfile_load(&again, path, &e));
    assert_non_null(strstr(e.text, path));
    assert_null(strstr(e.text, "secret"));
    connfile_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(tcp), cmocka_unit_test(other_spellings),
                                       cmocka_unit_test(wrong_files), cmocka_unit_test(caps),
                                       cmocka_unit_test(ports_are_written_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
