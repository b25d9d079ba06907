/* Table properties (`configuration`): which of Delta's own we keep to, and with which values. Others are the user's. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/delta_log.h"

/* values: the only ones that we keep to; NULL: any. A name that ends in '.' stands for all that begin so. */
static const struct rule {
    const char *name, *values;
} rules[] = {
    {"delta.enableChangeDataFeed", "true false"},
    {"delta.appendOnly", "true false"},
    {"delta.enableInCommitTimestamps", "true"},
    {"delta.inCommitTimestampEnablementVersion", NULL},
    {"delta.inCommitTimestampEnablementTimestamp", NULL},
    {"delta.enableDeletionVectors", "false"},
    {"delta.enableRowTracking", "false"},
    {"delta.enableTypeWidening", "false"},
    {"delta.columnMapping.mode", "none"},
    {"delta.checkpointPolicy", "classic"},
    {"delta.checkpointInterval", NULL},
    {"delta.checkpoint.writeStatsAsJson", NULL},
    {"delta.checkpoint.writeStatsAsStruct", NULL},
    {"delta.dataSkippingNumIndexedCols", NULL},
    {"delta.dataSkippingStatsColumns", NULL},
    {"delta.logRetentionDuration", NULL},
    {"delta.enableExpiredLogCleanup", NULL},
    {"delta.deletedFileRetentionDuration", NULL},
    {"delta.targetFileSize", NULL},
    {"delta.tuneFileSizesForRewrites", NULL},
    {"delta.isolationLevel", NULL},
    {"delta.parquet.", NULL},
    {"delta.autoOptimize.", NULL},
};

static const struct rule *find_rule(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        size_t n = strlen(rules[i].name);
        if (rules[i].name[n - 1] == '.' ? !strncmp(rules[i].name, name, n) : !strcmp(rules[i].name, name))
            return &rules[i];
    }
    return NULL;
}

static bool allowed(const char *values, const char *value)
{
    for (size_t n; *values; values += n + (values[n] == ' ')) {
        n = strcspn(values, " ");
        if (strlen(value) == n && !strncasecmp(values, value, n))
            return true;
    }
    return false;
}

static bool check(const char *name, const char *value, struct err *e)
{
    const struct rule *r = find_rule(name);
    if (strncmp(name, "delta.", 6) != 0)
        return true;
    if (!r)
        return err_set(e, ERR_NOT_IMPLEMENTED, "the table property '%.100s' is not offered by this workspace", name);
    if (!r->values || allowed(r->values, value))
        return true;
    if (!strcmp(r->values, "true false"))
        return err_set(e, ERR_INVALID_PARAMETER, "the table property '%s' is true or false, not '%.60s'", name, value);
    return err_set(e, ERR_NOT_IMPLEMENTED, "the table property '%s' can only be '%s' in this workspace, not '%.60s'", name,
                   r->values, value);
}

bool delta_properties_check(const json_t *configuration, const json_t *before, struct err *e)
{
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)configuration, name, value) {
        if (!json_is_string(value))
            return err_set(e, ERR_INVALID_PARAMETER, "the table property '%.100s' has a value that is no text", name);
        const char *was = jx_get_str(before, name, NULL);
        if ((!was || strcmp(was, json_string_value(value)) != 0) && !check(name, json_string_value(value), e))
            return false;
    }
    return true;
}

void delta_properties_tidy(json_t *configuration)
{
    static const char *const words[] = {"true", "false"};
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const char *value = jx_get_str(configuration, rules[i].name, NULL);
        for (size_t k = 0; value && rules[i].values && k < ARRAY_LEN(words); k++)
            if (!strcasecmp(value, words[k])) {
                json_object_set_new(configuration, rules[i].name, json_string(words[k]));
                break;
            }
    }
}
