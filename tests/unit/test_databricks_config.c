/* Unified authentication: which source wins, which profile, which errors. Cases as in the SDKs' own test suites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "databricks/config.h"

static char dir[] = "/tmp/lb-config-XXXXXX";
static char file[64];

static const char profiles[] =
    "# a comment\n; another\n"
    "[DEFAULT]\nhost = https://default.example\ntoken = dapi-default\n\n"
    "[m2m]\nhost=https://m2m.example/\nclient_id : abc # note\nclient_secret = s#cret\n"
    "[ local ]\nhost = https://spaces.example\ntoken = x\n"
    "[bare]\nhost = bare.example:8443/some/path?o=1\nTOKEN = dapi-bare\n"
    "[both]\nhost = https://both.example\ntoken = t\nclient_id = i\nclient_secret = s\n"
    "[pinned]\nhost = https://pinned.example\ntoken = t\nclient_id = i\nclient_secret = s\nauth_type = oauth-m2m\n"
    "[basic]\nhost = https://basic.example\nusername = u\npassword = p\n"
    "[nohost]\ntoken = t\n"
    "[half]\nhost = https://half.example\nclient_id = i\n"
    "[empty]\n"
    "[cli]\nhost = https://cli.example\nauth_type = databricks-cli\n"
    "[ftp]\nhost = ftp://x\ntoken = t\n"
    "[userinfo]\nhost = https://user:pw@x.example\ntoken = t\n";

static void clear_env(void)
{
    static const char *const names[] = {"DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CLIENT_ID",
                                        "DATABRICKS_CLIENT_SECRET", "DATABRICKS_USERNAME", "DATABRICKS_PASSWORD",
                                        "DATABRICKS_AUTH_TYPE", "DATABRICKS_CONFIG_PROFILE", "DATABRICKS_CONFIG_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unsetenv(names[i]);
}

static void write_file(const char *text)
{
    struct err e = {0};
    assert_true(fs_write_atomic(file, text, strlen(text), 0600, &e));
}

static int set_up(void **state)
{
    (void)state;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/cfg", dir);
    clear_env();
    write_file(profiles);
    setenv("DATABRICKS_CONFIG_FILE", file, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    struct err e = {0};
    clear_env();
    return fs_remove_tree(dir, &e) ? 0 : -1;
}

static struct dbx_config good(const char *profile)
{
    struct dbx_config c;
    struct err e = {0};
    bool ok = dbx_config_resolve(&c, profile ? &(struct dbx_options){.profile = profile} : NULL, &e);
    assert_string_equal(e.text, "");
    assert_true(ok);
    return c;
}

static void bad(const char *profile, const char *why)
{
    struct dbx_config c;
    struct err e = {0};
    assert_false(dbx_config_resolve(&c, profile ? &(struct dbx_options){.profile = profile} : NULL, &e));
    assert_int_equal(e.code, ERR_CONFIG);
    if (strncmp(e.text, why, strlen(why)) != 0)
        assert_string_equal(e.text, why);
    assert_null(strstr(e.text, "dapi"));
}

static void default_profile(void **state)
{
    (void)state;
    struct dbx_config c = good(NULL);
    assert_string_equal(c.host, "https://default.example");
    assert_string_equal(c.token, "dapi-default");
    assert_string_equal(c.profile, "DEFAULT");
    assert_int_equal(c.auth, DBX_AUTH_PAT);
    dbx_config_release(&c);
}

static void environment_alone(void **state)
{
    (void)state;
    setenv("DATABRICKS_HOST", "https://env.example", 1);
    setenv("DATABRICKS_TOKEN", "dapi-env", 1);
    struct dbx_config c = good(NULL);
    assert_string_equal(c.host, "https://env.example");
    assert_null(c.profile);
    dbx_config_release(&c);
}

/* Host or credentials in the environment and no profile named: the file is not read at all. */
static void environment_hides_the_file(void **state)
{
    (void)state;
    setenv("DATABRICKS_TOKEN", "dapi-env", 1);
    bad(NULL, "default auth: cannot configure default credentials, please check https://docs.databricks.com/");
    clear_env();
    setenv("DATABRICKS_CONFIG_FILE", file, 1);
    setenv("DATABRICKS_HOST", "https://env.example", 1);
    bad(NULL, "default auth: cannot configure default credentials");
}

/* A profile of the environment fills only what the environment leaves open. */
static void profile_of_the_environment_fills(void **state)
{
    (void)state;
    setenv("DATABRICKS_CONFIG_PROFILE", "bare", 1);
    setenv("DATABRICKS_HOST", "https://env.example", 1);
    struct dbx_config c = good(NULL);
    assert_string_equal(c.host, "https://env.example");
    assert_string_equal(c.token, "dapi-bare");
    dbx_config_release(&c);
}

/* A profile that the caller names is meant: nothing of the environment gets into it. */
static void named_profile_is_insisted_on(void **state)
{
    (void)state;
    setenv("DATABRICKS_CONFIG_PROFILE", "basic", 1);
    setenv("DATABRICKS_HOST", "https://env.example", 1);
    setenv("DATABRICKS_TOKEN", "dapi-env", 1);
    struct dbx_config c = good("m2m");
    assert_string_equal(c.host, "https://m2m.example");
    assert_string_equal(c.client_id, "abc"); /* " #" starts a comment … */
    assert_string_equal(c.client_secret, "s#cret"); /* … "#" alone does not */
    assert_int_equal(c.auth, DBX_AUTH_M2M);
    assert_null(c.token);
    dbx_config_release(&c);
}

static void hosts_are_put_right(void **state)
{
    (void)state;
    struct dbx_config c = good("bare");
    assert_string_equal(c.host, "https://bare.example:8443");
    assert_string_equal(c.token, "dapi-bare"); /* keys in any case */
    dbx_config_release(&c);
    bad("ftp", "host 'ftp://x' is not an http or https address");
    bad("userinfo", "host has no valid server name");
}

static void profiles_that_are_missing(void **state)
{
    (void)state;
    char why[160];
    snprintf(why, sizeof why, "resolve: %s has no nowhere profile configured", file);
    bad("nowhere", why);
    setenv("DATABRICKS_CONFIG_PROFILE", "nowhere", 1);
    bad(NULL, why);
    unsetenv("DATABRICKS_CONFIG_PROFILE");
    write_file("[other]\nhost = h\n");
    bad(NULL, "default auth: cannot configure default credentials"); /* no DEFAULT is fine, nothing else is known */
    remove(file);
    bad(NULL, "default auth: cannot configure default credentials");
    snprintf(why, sizeof why, "resolve: %s has no m2m profile configured", file);
    bad("m2m", why);
}

static void settings_name_the_default(void **state)
{
    (void)state;
    char text[2048];
    snprintf(text, sizeof text, "%s[__settings__]\ndefault_profile = m2m\n", profiles);
    write_file(text);
    struct dbx_config c = good(NULL);
    assert_string_equal(c.host, "https://m2m.example");
    assert_string_equal(c.profile, "m2m");
    dbx_config_release(&c);
}

static void two_methods_at_once(void **state)
{
    (void)state;
    bad("both", "validate: more than one authorization method configured: oauth and pat");
    struct dbx_config c = good("pinned");
    assert_int_equal(c.auth, DBX_AUTH_M2M);
    dbx_config_release(&c);
}

static void what_cannot_log_in(void **state)
{
    (void)state;
    bad("basic", "default auth: cannot configure default credentials");
    bad("nohost", "default auth: cannot configure default credentials");
    bad("half", "default auth: cannot configure default credentials");
    bad("empty", "default auth: cannot configure default credentials");
    bad("cli", "auth_type 'databricks-cli' is not supported here: pat and oauth-m2m are");
}

static void file_at_its_cap(void **state)
{
    (void)state;
    size_t cap = 1 << 20, head = strlen(profiles);
    char *text = malloc(cap + 2);
    memcpy(text, profiles, head);
    memset(text + head, '\n', cap + 1 - head);
    text[cap] = '\0';
    write_file(text);
    struct dbx_config c = good(NULL);
    dbx_config_release(&c);
    text[cap] = '\n';
    text[cap + 1] = '\0';
    write_file(text);
    char why[160];
    snprintf(why, sizeof why, "%s is larger than %zu bytes", file, cap);
    bad(NULL, why);
    free(text);
}

static void loopback_hosts(void **state)
{
    (void)state;
    static const char *const yes[] = {"http://127.0.0.1:41234", "http://127.9.9.9", "https://localhost:1", "http://[::1]:80",
                                      "http://LOCALHOST"};
    static const char *const no[] = {"https://x.example", "http://127.0.0.1.evil.example", "http://localhost.evil.example",
                                     "https://1.127.0.0.1", "http://[::2]", "http://localhos"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        assert_true(dbx_host_is_loopback(yes[i]));
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        assert_false(dbx_host_is_loopback(no[i]));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(default_profile), T(environment_alone), T(environment_hides_the_file), T(profile_of_the_environment_fills),
        T(named_profile_is_insisted_on), T(hosts_are_put_right), T(profiles_that_are_missing),
        T(settings_name_the_default), T(two_methods_at_once), T(what_cannot_log_in), T(file_at_its_cap), T(loopback_hosts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
