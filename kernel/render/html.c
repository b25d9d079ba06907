/* A table as HTML (see html.h). Structure carries the meaning; looks are JupyterLab's, for light and dark themes. */
#include "render/html.h"

#include <stdint.h>
#include <string.h>

#include "base/utf8.h"
#include "render/text.h"

enum { CELL_CAP = 2000 }; /* code points shown of one cell */

void html_escape(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0, from = 0; i <= len; i++) {
        const char *with = NULL;
        if (i < len) {
            switch (text[i]) {
            case '&': with = "&amp;"; break;
            case '<': with = "&lt;"; break;
            case '>': with = "&gt;"; break;
            case '"': with = "&quot;"; break;
            case '\'': with = "&#39;"; break;
            default: continue;
            }
        }
        buf_add(out, text + from, i - from);
        if (with)
            buf_puts(out, with);
        from = i + 1;
    }
}

static void put_text(struct buf *out, const char *text) { html_escape(out, text, strlen(text)); }

/* Blanks that a browser would fold or drop. */
static bool has_layout(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool blank = text[i] == ' ';
        if ((unsigned char)text[i] < ' ' || (blank && (i == 0 || i + 1 == len || text[i - 1] == ' ')))
            return true;
    }
    return false;
}

/* JupyterLab aligns all cells right and folds blanks, so text says otherwise. Short, and without quotation marks that JSON would
 * escape: of 10,000 rows this is half of the message. */
static void put_cell(struct buf *out, const struct table_column *column, const struct table_cell *cell)
{
    bool right = column->align == TABLE_RIGHT;
    if (!cell->text) {
        buf_printf(out, "<td style=text-align:%s><em>NULL</em></td>", right ? "right" : "left");
        return;
    }
    buf_puts(out, right ? "<td style=text-align:right>"
                  : column->whole ? "<td style=text-align:left;white-space:pre>"
                  : has_layout(cell->text, cell->len) ? "<td style=text-align:left;white-space:pre-wrap>" : "<td style=text-align:left>");
    size_t keep = utf8_offset(cell->text, cell->len, CELL_CAP);
    html_escape(out, cell->text, keep);
    text_more(out, utf8_count(cell->text + keep, cell->len - keep) + cell->cut);
    buf_puts(out, "</td>");
}

static void put_heading(struct buf *out, const struct table_column *column, const char *scope)
{
    buf_printf(out, "<th scope=\"%s\"", scope);
    if (column->type) {
        buf_puts(out, " title=\"");
        put_text(out, column->type);
        buf_putc(out, '"');
    }
    bool right = column->align == TABLE_RIGHT && strcmp(scope, "col") == 0;
    buf_printf(out, " style=\"text-align:%s\">", right ? "right" : "left");
    put_text(out, column->name);
    buf_puts(out, "</th>");
}

static void put_rows(struct table *t, struct buf *out)
{
    buf_puts(out, "<thead><tr>");
    for (size_t j = 0; j < t->n_columns; j++)
        put_heading(out, &t->columns[j], "col");
    buf_puts(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < t->n_rows; i++) {
        buf_puts(out, "<tr>");
        for (size_t j = 0; j < t->n_columns; j++)
            put_cell(out, &t->columns[j], table_cell_at(t, i, j));
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "</tbody>\n");
}

/* One body a record, one line a column, as psql's \x. */
static void put_records(struct table *t, struct buf *out)
{
    for (size_t i = 0; i < t->n_rows; i++) {
        buf_puts(out, "<tbody>\n<tr><th scope=\"rowgroup\" colspan=\"2\" style=\"text-align:left\">");
        buf_printf(out, "Record %zu</th></tr>\n", i + 1);
        for (size_t j = 0; j < t->n_columns; j++) {
            buf_puts(out, "<tr>");
            put_heading(out, &t->columns[j], "row");
            struct table_column left = {.align = TABLE_LEFT};
            put_cell(out, &left, table_cell_at(t, i, j));
            buf_puts(out, "</tr>\n");
        }
        buf_puts(out, "</tbody>\n");
    }
}

void html_table(struct table *t, struct buf *out)
{
    bool expanded = t->expanded && t->n_columns > 0 && t->n_rows > 0;
    buf_puts(out, "<table>\n");
    if (t->title) {
        buf_puts(out, "<caption>");
        put_text(out, t->title);
        buf_puts(out, "</caption>\n");
    }
    if (expanded)
        put_records(t, out);
    else
        put_rows(t, out);
    const char *footer = table_footer(t);
    if (*footer) {
        size_t span = expanded ? 2 : t->n_columns ? t->n_columns : 1;
        buf_printf(out, "<tfoot><tr><td colspan=\"%zu\" style=\"text-align:left;white-space:pre-wrap\">", span);
        put_text(out, footer);
        buf_puts(out, "</td></tr></tfoot>\n");
    }
    buf_puts(out, "</table>");
}
