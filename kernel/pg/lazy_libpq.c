/*
 * libpq at its first use (base/lazy.h): the functions of libpq that pg/ calls, each a row. Not an interface of its own:
 * everybody includes libpq-fe.h as always, and a row that differs from it does not compile.
 */
#include <libpq-fe.h>

#include "base/lazy.h"
#include "pg/internal.h"

#define RETURNS(R)                                                                                                     \
    R(int, PQlibVersion, (void), ())                                                                                   \
    R(PGconn *, PQconnectStartParams, (const char *const *k, const char *const *v, int x), (k, v, x))                  \
    R(PostgresPollingStatusType, PQconnectPoll, (PGconn * c), (c))                                                     \
    R(PQconninfoOption *, PQconninfoParse, (const char *text, char **why), (text, why))                                \
    R(PQconninfoOption *, PQconninfo, (PGconn * c), (c))                                                               \
    R(ConnStatusType, PQstatus, (const PGconn *c), (c))                                                                \
    R(PGTransactionStatusType, PQtransactionStatus, (const PGconn *c), (c))                                            \
    R(char *, PQerrorMessage, (const PGconn *c), (c))                                                                  \
    R(const char *, PQparameterStatus, (const PGconn *c, const char *name), (c, name))                                 \
    R(int, PQserverVersion, (const PGconn *c), (c))                                                                    \
    R(int, PQbackendPID, (const PGconn *c), (c))                                                                       \
    R(int, PQconnectionNeedsPassword, (const PGconn *c), (c))                                                          \
    R(int, PQsocket, (const PGconn *c), (c))                                                                           \
    R(int, PQsslInUse, (PGconn * c), (c))                                                                              \
    R(const char *, PQsslAttribute, (PGconn * c, const char *name), (c, name))                                         \
    R(char *, PQdb, (const PGconn *c), (c))                                                                            \
    R(char *, PQhost, (const PGconn *c), (c))                                                                          \
    R(char *, PQport, (const PGconn *c), (c))                                                                          \
    R(char *, PQuser, (const PGconn *c), (c))                                                                          \
    R(PGVerbosity, PQsetErrorVerbosity, (PGconn * c, PGVerbosity v), (c, v))                                           \
    R(PQnoticeReceiver, PQsetNoticeReceiver, (PGconn * c, PQnoticeReceiver f, void *arg), (c, f, arg))                 \
    R(int, PQsetnonblocking, (PGconn * c, int on), (c, on))                                                            \
    R(int, PQsetSingleRowMode, (PGconn * c), (c))                                                                      \
    R(int, PQflush, (PGconn * c), (c))                                                                                 \
    R(int, PQconsumeInput, (PGconn * c), (c))                                                                          \
    R(int, PQisBusy, (PGconn * c), (c))                                                                                \
    R(int, PQsendQuery, (PGconn * c, const char *sql), (c, sql))                                                       \
    R(int, PQsendQueryParams,                                                                                          \
      (PGconn * c, const char *sql, int n, const Oid *types, const char *const *values, const int *lengths,            \
       const int *formats, int format),                                                                                \
      (c, sql, n, types, values, lengths, formats, format))                                                            \
    R(int, PQsendPrepare, (PGconn * c, const char *name, const char *sql, int n, const Oid *types),                    \
      (c, name, sql, n, types))                                                                                        \
    R(int, PQsendQueryPrepared,                                                                                        \
      (PGconn * c, const char *name, int n, const char *const *values, const int *lengths,                             \
       const int *formats, int format),                                                                                \
      (c, name, n, values, lengths, formats, format))                                                                  \
    R(PGresult *, PQgetResult, (PGconn * c), (c))                                                                      \
    R(PGnotify *, PQnotifies, (PGconn * c), (c))                                                                       \
    R(int, PQgetCopyData, (PGconn * c, char **buffer, int async), (c, buffer, async))                                  \
    R(int, PQputCopyData, (PGconn * c, const char *data, int n), (c, data, n))                                         \
    R(int, PQputCopyEnd, (PGconn * c, const char *why), (c, why))                                                      \
    R(PGcancel *, PQgetCancel, (PGconn * c), (c))                                                                      \
    R(int, PQcancel, (PGcancel * c, char *why, int size), (c, why, size))                                              \
    R(ExecStatusType, PQresultStatus, (const PGresult *r), (r))                                                        \
    R(char *, PQresultErrorMessage, (const PGresult *r), (r))                                                          \
    R(char *, PQresultErrorField, (const PGresult *r, int field), (r, field))                                          \
    R(char *, PQcmdStatus, (PGresult * r), (r))                                                                        \
    R(int, PQnfields, (const PGresult *r), (r))                                                                        \
    R(int, PQntuples, (const PGresult *r), (r))                                                                        \
    R(char *, PQfname, (const PGresult *r, int column), (r, column))                                                   \
    R(Oid, PQftype, (const PGresult *r, int column), (r, column))                                                      \
    R(int, PQfmod, (const PGresult *r, int column), (r, column))                                                       \
    R(char *, PQgetvalue, (const PGresult *r, int row, int column), (r, row, column))                                  \
    R(int, PQgetisnull, (const PGresult *r, int row, int column), (r, row, column))                                    \
    R(int, PQgetlength, (const PGresult *r, int row, int column), (r, row, column))

#define VOIDS(V)                                                                                                       \
    V(PQfinish, (PGconn * c), (c))                                                                                     \
    V(PQclear, (PGresult * r), (r))                                                                                    \
    V(PQfreemem, (void *p), (p))                                                                                       \
    V(PQfreeCancel, (PGcancel * c), (c))                                                                               \
    V(PQconninfoFree, (PQconninfoOption * o), (o))

#define OWN(O) /* none */

LAZY_LIBRARY(pg_library, "libpq.so.5", RETURNS, VOIDS, OWN)
