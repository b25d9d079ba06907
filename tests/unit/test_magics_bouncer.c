/* What a notebook says of a pool behind PgBouncer in transaction mode, and of a transaction that is left waiting. */
#include "pgbouncer.h"

#include "magics_cells.h"

static struct cells c;

static int set_up(void **state)
{
    set_up_cluster(state);
    cells_open(&c);
    return no_cluster || bouncer_start("ignore_startup_parameters = options") ? 0 : -1;
}

static int tear_down(void **state)
{
    cells_close(&c);
    bouncer_stop();
    return tear_down_cluster(state);
}

static void shows(const char *cell, const char *part, bool wanted)
{
    const char *text = cells_run(&c, cell);
    if ((strstr(text, part) != NULL) != wanted || c.error)
        fail_msg("%s \"%s\" in\n%s", wanted ? "no" : "a", part, text);
}

static void go(const char *dbname, const char *port)
{
    char cell[200];
    snprintf(cell, sizeof cell, "%%connect postgresql://learner@%s:%s/%s?sslmode=disable", cluster.address, port, dbname);
    shows(cell, "Connected", true);
}

static void test_the_warning(void **state)
{
    (void)state;
    NEED_BOUNCER();
    go("postgres", BOUNCER_PORT);
    shows("%pool open app", "Warning: a pooler in transaction mode (PgBouncer or alike) is in between, so SET, LISTEN,", true);
    shows("%pool status app", " warning ", true);
    shows("%pool status app --all", "shared, of a pooler in transaction mode", true);
    shows("%pool close app", "closed", true);
    go("sessions", BOUNCER_PORT);
    shows("%pool open app", "arning", false);
    shows("%pool status app --all", "of a pooler in session mode", true);
    shows("%pool status app", "arning", false);
    shows("%pool close app", "closed", true);
}

static void test_no_warning(void **state)
{
    (void)state;
    NEED_CLUSTER();
    go("postgres", "5432");
    shows("%pool open app --idle-in-tx 1ms", "arning", false);
    shows("%pool status app --all", " its own", true);
    shows("%pool checkout app as mine", "Borrowed", true);
    shows("%sql --on mine SELECT 1", "1", true);
    shows("%pool status app", "(idle in transaction)", false);
    shows("%sql --on mine BEGIN", "BEGIN", true);
    shows("%sql --on mine SELECT FROM pg_sleep(0.01)", "", true);
    struct err e;
    err_init(&e);
    cancel_poll(NULL, -1, 0, 5, &e); /* what is looked for is that time has passed */
    shows("%pool status app", "mine (idle in transaction)", true);
    shows("%sql --on mine COMMIT", "COMMIT", true);
    shows("%pool status app", "(idle in transaction)", false);
    shows("%disconnect mine\n%pool close app", "closed", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_warning), cmocka_unit_test(test_no_warning)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
