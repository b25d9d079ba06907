/* What a table still needs on the disk: of its newest version, and of older ones that somebody may read. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

static const int64_t WEEK_MS = 7LL * 24 * 3600 * 1000;

static bool unit_ms(const char *word, size_t len, int64_t *ms)
{
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"week", 604800000}, {"day", 86400000}, {"hour", 3600000}, {"minute", 60000}, {"second", 1000}, {"millisecond", 1}};
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        size_t n = strlen(units[i].name);
        if (strncasecmp(word, units[i].name, n) == 0 && (len == n || (len == n + 1 && tolower((unsigned char)word[n]) == 's'))) {
            *ms = units[i].ms;
            return true;
        }
    }
    return false;
}

bool delta_interval(const char *text, int64_t *ms)
{
    enum { MOST = 100000000 }; /* of a unit: far beyond any use, far from an overflow */
    text += strspn(text, " ");
    if (strncasecmp(text, "interval ", 9) == 0)
        text += 9;
    *ms = 0;
    for (bool first = true;; first = false) {
        int64_t unit;
        char *end;
        text += strspn(text, " ");
        if (!*text)
            return !first;
        long long n = strtoll(text, &end, 10);
        if (end == text || n < 0 || n > MOST || *end != ' ')
            return false;
        text = end + strspn(end, " ");
        size_t len = strcspn(text, " ");
        if (!unit_ms(text, len, &unit))
            return false;
        *ms += n * unit;
        text += len;
    }
}

int64_t delta_retention(const json_t *configuration)
{
    int64_t ms;
    const char *said = jx_get_str(configuration, "delta.deletedFileRetentionDuration", NULL);
    return !said ? WEEK_MS : delta_interval(said, &ms) ? ms : -1;
}

/* A file and the vector beside it. key: as delta_file_key makes it, the path first. */
static void want(json_t *wanted, const char *root, const char *key, const json_t *body)
{
    char *path = xstrndup(key, strcspn(key, "\n"));
    json_object_set_new(wanted, path, json_true());
    free(path);
    char *vector = delta_vector_path(root, json_object_get(body, "deletionVector"));
    if (vector)
        json_object_set_new(wanted, vector, json_true());
    free(vector);
}

json_t *delta_files_wanted(const char *root, int64_t since, struct err *e)
{
    struct delta_list list;
    struct delta_replay r;
    const char *key;
    json_t *body, *wanted = NULL;
    if (!delta_list_load(root, &list, e))
        return NULL;
    delta_replay_init(&r, root);
    if (delta_replay_to(&r, &list, delta_list_newest(&list), e)) {
        wanted = json_object();
        json_object_foreach(r.live, key, body)
            want(wanted, root, key, body);
        json_object_foreach(r.removed, key, body)
            if (jx_get_int(body, "deletionTimestamp", INT64_MAX) >= since)
                want(wanted, root, key, body);
    }
    delta_replay_release(&r);
    delta_list_release(&list);
    return wanted;
}
