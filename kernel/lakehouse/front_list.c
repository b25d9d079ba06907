/* LIST '/Volumes/…': what lies in a folder of a volume. */
#include <stdlib.h>
#include <string.h>

#include "base/jx.h"
#include "base/xalloc.h"
#include "lakehouse/front_files.h"

struct lake_stream *front_list(struct front *f, struct err *e)
{
    static const struct front_column columns[] = {{"path", "VARCHAR"}, {"name", "VARCHAR"}, {"size", "BIGINT"}, {"modification_time", "BIGINT"}};
    struct front_files x = {0};
    const char *limit = NULL;
    f->at = 1;
    x.at = front_now(f);
    if (!front_take_string(f, &x.path, e) || (front_take(f, "limit") && !front_take_option_value(f, &limit, e)) || !front_need_end(f, e) ||
        !front_files_look(f, &x, e))
        return NULL;
    json_t *rows = json_array();
    size_t most = limit ? (size_t)strtoull(limit, NULL, 10) : x.files.count;
    for (size_t i = 0; i < x.files.count && i < most; i++) {
        const struct volume_file *file = &x.files.list[i];
        const char *slash = strrchr(file->name, '/'), *end = file->folder ? "/" : "";
        json_array_append_new(rows, json_pack("[o, o, I, I]", jx_str(arena_printf(&f->arena, "%s/%s%s", x.volume_path, file->name, end)),
                                              jx_str(arena_printf(&f->arena, "%s%s", slash ? slash + 1 : file->name, end)),
                                              (json_int_t)(file->folder ? 0 : file->size), (json_int_t)file->modified_ms));
    }
    struct lake_stream *s = front_rows(f, columns, ARRAY_LEN(columns), rows, e);
    json_decref(rows);
    return s;
}
