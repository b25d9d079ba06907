/* A table as text, exactly as psql's aligned format (border 1) prints it, with NULL shown as "NULL". */
#ifndef RENDER_TEXT_H
#define RENDER_TEXT_H

#include "base/buf.h"
#include "render/table.h"

/* Appends; ends with the footer line and a newline. Lines of a cell over 500 columns wide are cut, and so are cells of
 * more than 1000 lines; what is missing is told. */
void text_table(struct table *t, struct buf *out);
/* "… (12 more characters)": what stands for `count` characters that are not shown; nothing for 0. */
void text_more(struct buf *out, size_t count);

#endif
