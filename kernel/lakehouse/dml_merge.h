/* A MERGE statement as it was written: dml_merge_parse.c fills it, dml_merge.c runs it. */
#ifndef LAKEHOUSE_DML_MERGE_H
#define LAKEHOUSE_DML_MERGE_H

#include "lakehouse/dml.h"

enum { MERGE_CLAUSES_MAX = 64, MERGE_SETS_MAX = 2000 };

enum merge_when { MERGE_MATCHED = 1, MERGE_NOT_MATCHED, MERGE_NOT_BY_SOURCE };
enum merge_action { MERGE_UPDATE = 1, MERGE_DELETE, MERGE_INSERT };

struct merge_set {
    const struct token *column;
    size_t from, to; /* tokens of the value */
};
struct merge_clause {
    enum merge_when when;
    enum merge_action action;
    size_t condition, condition_end; /* tokens after AND; equal: none */
    bool star;                       /* UPDATE SET *, INSERT * */
    struct merge_set *sets;
    size_t n_sets;
};
struct merge {
    struct front_name table;
    const char *target;              /* alias */
    size_t source_from, source_to;   /* tokens of the source with its alias */
    const char *source;              /* alias */
    bool source_unnamed;             /* the text gives a subquery no alias: ours is appended */
    size_t on, on_end;
    struct merge_clause clauses[MERGE_CLAUSES_MAX];
    size_t n;
    int64_t inserted, updated, deleted;
};

bool merge_parse(struct front *f, struct merge *m, struct err *e);

#endif
