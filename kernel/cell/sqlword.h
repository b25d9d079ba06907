/* The first words of a statement: what kind it is, without parsing it. */
#ifndef CELL_SQLWORD_H
#define CELL_SQLWORD_H

#include <stdbool.h>
#include <stddef.h>

struct sql_word {
    size_t at, len; /* bytes in the text */
};

/* The unquoted words that the statement begins with, at most `max`; comments and blanks between them are skipped.
 * Returns how many. */
size_t sql_words(const char *text, size_t len, struct sql_word *out, size_t max);
/* Case does not matter. */
bool sql_word_is(const char *text, const struct sql_word *word, const char *name);

enum sql_tx { SQL_TX_NONE = 0, SQL_TX_BEGIN, SQL_TX_COMMIT, SQL_TX_ROLLBACK };
/* Does the statement begin or end a transaction? COMMIT also for END and PREPARE TRANSACTION, ROLLBACK also for ABORT;
 * what only concerns savepoints is NONE. */
enum sql_tx sql_transaction(const char *text, size_t len);

enum sql_savepoint { SQL_SAVEPOINT_NONE = 0, SQL_SAVEPOINT_SET, SQL_SAVEPOINT_RELEASE, SQL_SAVEPOINT_BACK /* ROLLBACK TO */ };
/* *name: as it is written, quotes too. */
enum sql_savepoint sql_savepoint(const char *text, size_t len, struct sql_word *name);

#endif
