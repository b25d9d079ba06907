/* A table as text, exactly as psql's aligned format (border 1) prints it, with NULL shown as "NULL". */
#ifndef RENDER_TEXT_H
#define RENDER_TEXT_H

#include "base/buf.h"
#include "render/table.h"

/* Appends; ends with the footer line and a newline. Cells over 500 columns wide are cut with "…". */
void text_table(struct table *t, struct buf *out);

#endif
