/*
 * A table as semantic HTML (table, caption, thead, th scope, tbody, tfoot), no style block, no script; survives
 * JupyterLab's sanitiser. The one place where HTML is escaped.
 */
#ifndef RENDER_HTML_H
#define RENDER_HTML_H

#include "base/buf.h"
#include "render/table.h"

void html_escape(struct buf *out, const char *text, size_t len);
void html_table(struct table *t, struct buf *out);

#endif
