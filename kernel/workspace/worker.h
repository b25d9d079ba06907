/*
 * The lakehouse worker as the server sees it: `lakebase-workspace worker`, the only process that opens libduckdb. Started
 * on first use, again after a death, ended with the server. A job has a connection (Unix socket) of its own, so jobs are
 * independent, and a job that loses its worker ends with ERR_UNAVAILABLE.
 *
 * Frames, both ways: 4 bytes length (big-endian, at most WORKER_FRAME_MAX), then one JSON object.
 *   server → worker  {"job": "statement" | "sync" | "sample", …}   first frame
 *                    {"answer": …} or {"error": {code, message, sqlstate, position}}   to a call
 *                    {"cancel": true}                               any time
 *   worker → server  {"call": method, "args": {…}}                  a question to Unity Catalog; answered before anything else
 *                    {"event": name, …}                             progress, columns, rows
 *                    {"done": {…}} or {"error": {…}}                last frame
 *
 * job "statement": sql, catalog, schema, principal, parameters [{name, value, type}], row_limit, byte_limit.
 *   events: "columns" {columns: [{name, type_name, type_text, type_precision, type_scale, position}]}, then "rows" {rows: [[text|null]]}.
 *   done: {row_count, truncated, catalog, schema, sources, target}
 * job "sync": the fields of struct sync_spec (sync/sync.h), and follow: true to go on until cancelled. Its one call is
 *   writer_login {} → {host, port, dbname, user, password, sslrootcert}: a login of one hour for the writer role. Events:
 *   "progress" {phase, version, rows, total}, "applied" {method, version, timestamp, upserted, deleted, skipped, rows}; done: as applied.
 * job "sample": name ("tpch.region"), location: its files are there when it is done: {}.
 *
 * Calls of a statement (all check the job's principal; names are arrays of 1 to 3 parts, full by then):
 *   resolve        {name: [c, s, t], write}            → {kind: "delta", full_name, location, sample?} |   sample: make it there if need be
 *                                                        {kind: "postgres", full_name, schema, table, conninfo, columns}
 *                  conninfo is a secret: a login of one hour for the reader role
 *                                                        {kind: "rows", full_name, columns: [{name, type_text}], rows: [[text|null]]}
 *   create_catalog {name, comment, if_not_exists}      drop_catalog {name, if_exists, cascade}
 *   create_schema  {name: [c, s], comment, if_not_exists}   drop_schema {name, if_exists, cascade}
 *   allocate_table {name}                              → {location, table_id}: a folder that no table has yet; checks CREATE TABLE and the name
 *   publish_table  {name, location, table_id, columns: [column_info], comment, properties}   after version 0 is on disk
 *   update_table   {name, columns, comment, properties}     after ALTER
 *   drop_table     {name, if_exists}                   the server removes the row, then the folder
 *   list           {what: "catalogs" | "schemas" | "tables", in: [c?, s?], like}   → {items: [{name, …}]}
 *   describe       {name}                              → table_info of the API
 *   open_volume    {path: "/Volumes/c/s/v/…"}          → {location, volume_id, volume_path: "/Volumes/c/s/v", path: the rest}; checks READ VOLUME
 *   create_volume  {name: [c, s, v], comment, if_not_exists}   drop_volume {name, if_exists}
 *   list_volumes   {in: [c, s], like}                  → {items: [{name}]}      describe_volume {name} → volume_info of the API
 *   grant, revoke  {privileges: [..], securable_type, name: […], principal}
 *   show_grants    {securable_type, name: […], principal?}  → {items: [{principal, action_type, object_type, object_key}]}
 */
#ifndef WORKSPACE_WORKER_H
#define WORKSPACE_WORKER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/cancel.h"
#include "base/err.h"

enum { WORKER_FRAME_MAX = 16 << 20 };

struct worker;
struct workspace;

/* Nothing is started yet. */
struct worker *worker_new(struct workspace *ws);
/* End the process and wait for it; running jobs fail with ERR_UNAVAILABLE. */
void worker_free(struct worker *w);

/* Does the process run? For the warehouse's state. Any thread. */
bool worker_up(struct worker *w);
/* Start it now instead of at the first job. ERR_UNAVAILABLE with the reason. */
bool worker_start(struct worker *w, struct cancel *cancel, struct err *e);
/* End the process; running jobs fail with ERR_UNAVAILABLE. The next job starts another. */
void worker_stop(struct worker *w);

struct worker_job {
    void *self;
    /* A question of the worker; *answer gets a new reference. Runs on the thread of worker_run. */
    bool (*call)(void *self, const char *method, const json_t *args, json_t **answer, struct err *e);
    /* Progress; return false to stop the job (with *e set). */
    bool (*event)(void *self, const char *name, const json_t *event, struct err *e);
};
/* Run a job to its end on the calling thread. *done gets the done object (new reference). cancel asks the worker to stop;
 * then ERR_CANCELLED. Any thread; many at once. */
bool worker_run(struct worker *w, const json_t *job, const struct worker_job *cb, json_t **done, struct cancel *cancel,
                struct err *e);

/* The worker process itself: serve jobs on the listening socket (fd). Whoever starts it ties it to itself (PDEATHSIG);
 * returns an exit code when the socket fails. */
int worker_main(int fd, const char *state_dir);

#endif
