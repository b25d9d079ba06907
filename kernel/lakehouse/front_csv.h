/* CSV files as SQL, for front_reader.c. */
#ifndef LAKEHOUSE_FRONT_CSV_H
#define LAKEHOUSE_FRONT_CSV_H

#include "lakehouse/front_files.h"

/* As front_reader_sql. Nothing is appended when no file has a record. */
bool front_csv_sql(struct front *f, const struct front_files *x, const struct delta_schema *wanted, struct buf *out, struct err *e);
/* Append the absolute path as a string that the engine takes for this one file (front_reader.c). */
void front_put_path(const struct front_files *x, const struct volume_file *file, struct buf *out);

#endif
