/*
 * Files of volumes in SQL: read_files('/Volumes/…', …) and the source of COPY INTO. A path is looked up in Unity Catalog, which
 * checks READ VOLUME; nothing else of the machine can be named. front_files.c: options and which files; front_reader.c: the
 * SELECT that reads them.
 */
#ifndef LAKEHOUSE_FRONT_FILES_H
#define LAKEHOUSE_FRONT_FILES_H

#include "lakehouse/front.h"
#include "lakehouse/volume.h"

enum { FRONT_OPTIONS_MAX = 64, FRONT_FILE_NAMES_MAX = 1000 };

struct front_option {
    const char *name, *value; /* as written */
    const struct token *at;
};
struct front_files {
    const struct token *at;   /* the path's, for errors */
    const char *path;         /* as written */
    const char *format;       /* "csv", "json", "parquet"; NULL: as the first file's name ends */
    struct front_option options[FRONT_OPTIONS_MAX];
    size_t n_options;
    struct delta_schema schema; /* read_files(…, schema => '…') */
    bool load;                /* COPY INTO: types only where asked for; no _rescued_data */
    const char **names, *pattern; /* FILES and PATTERN of COPY INTO */
    size_t n_names;
    /* set by front_files_find */
    const char *volume_id, *volume_path; /* "/Volumes/main/default/v" */
    const char *folder;       /* the volume's */
    struct volume_files files;
};

/* ---- front_files.c ---- */
/* An option as it came; names are looked at later, when the format is known. */
bool front_files_option(struct front *f, struct front_files *x, const struct front_option *o, struct err *e);
/* The value at f->at: a string, number, true, false or parameter. */
bool front_take_option_value(struct front *f, const char **out, struct err *e);
/* "CSV" → "csv", "json", "parquet". */
bool front_files_format(struct front *f, const char *text, const struct token *at, const char **out, struct err *e);
/* The arguments of read_files, whose bracket is at token `open`. NULL: *e is set. Freed with front_files_free. */
struct front_files *front_parse_read_files(struct front *f, size_t open, struct err *e);
void front_files_free(struct front_files *x);
/* Ask Unity Catalog for the volume, list the files, check the options. No file is an error. */
bool front_files_find(struct front *f, struct front_files *x, struct err *e);
/* What lies at the path itself, for LIST: files and folders; nothing is fine. */
bool front_files_look(struct front *f, struct front_files *x, struct err *e);
/* The value of an option, or NULL. */
const char *front_files_text(const struct front_files *x, const char *name);
bool front_files_flag(const struct front_files *x, const char *name, bool otherwise);
/* Errors about one of the files: [class] "Error while reading file /Volumes/…: why". */
bool front_files_error(struct front *f, const struct front_files *x, const struct volume_file *file, struct err *e,
                       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- front_reader.c ---- */
/* Append a SELECT over the files. wanted (may be NULL): columns of these names are read as these types, so that the engine
 * names file and line of what does not fit. */
bool front_reader_sql(struct front *f, const struct front_files *x, const struct delta_schema *wanted, struct buf *out,
                      struct err *e);

#endif
