/*
 * A statement's tokens, and the walk over them that finds parentheses, clauses and relations. Private to sqlwalk.c and
 * sqlscope.c.
 */
#ifndef CELL_SQLWALK_H
#define CELL_SQLWALK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "cell/sqlscope.h"

enum { SQL_OUTPUTS_MAX = 100, SQL_CTES_MAX = 100 };

enum kind { T_WORD = 1, T_IDENT, T_STRING, T_NUMBER, T_SIGN, T_PLACE };

struct token {
    enum kind kind;
    size_t at, len;
    const char *name; /* T_WORD, T_IDENT: folded; T_SIGN: the sign; else "" */
};

enum clause { C_NONE = 0, C_OUTPUT, C_FROM, C_JOIN, C_EXPR, C_SET, C_COLUMNS, C_TABLE, C_WITH };

/* What the next identifier is. */
enum expect { E_ANY = 0, E_RELATION, E_ALIAS };

struct frame {
    size_t parent, opener; /* opener: index of the token before its parenthesis */
    enum clause clause;
    enum expect expect;
    bool around;           /* the place is in it */
    bool select;           /* it is a query */
    bool star;             /* with * in its output */
    bool joins;            /* FROM (a JOIN b …): what is in it is seen outside */
    bool target;           /* the relation before was that of INTO, REFERENCES, COPY, INDEX ON: columns may follow */
    size_t items;          /* tokens since the last comma */
    const char *with;      /* the name before AS ( in its WITH */
    const char *output;    /* name of the output column that is being read */
    const char **outputs;  /* OUTPUTS_MAX of them, or NULL */
    size_t n_outputs;
};

struct source {
    struct sql_relation r;
    size_t frame, body; /* body: of a subquery; 0: none */
};

struct cte {
    const char *name;
    size_t body;
};

struct walk {
    struct arena *a;
    const char *text;
    struct token *tokens;
    size_t n, i;
    struct frame *frames;
    size_t n_frames, now;
    struct source *sources;
    size_t n_sources;
    struct cte *ctes;
    size_t n_ctes;
    size_t last;         /* the source that an alias would name, plus one; 0: none */
    /* at the place */
    size_t place, at_frame;
    struct frame at;
};

/* Read the tokens and walk over them; out gets start, end and quoted. false: the place is inside a string or a comment.
 * w->a and w->text are given. */
bool sql_walk(struct walk *w, size_t len, size_t at, bool whole, struct sql_scope *out);

bool sql_is_word(const struct token *t, const char *name);
bool sql_is_sign(const struct token *t, char c);
bool sql_is_name(const struct token *t);     /* an identifier, or a word that is not reserved */
bool sql_is_reserved(const struct token *t);
bool sql_is_one_of(const char *name, const char *const *words, size_t n);
/* The statement's first word; token i when it is a word, else "". */
bool sql_begins(const struct walk *w, const char *word);
const char *sql_head(const struct walk *w, size_t i);
bool sql_has_before(const struct walk *w, size_t i, const char *word);

#endif
