/*
 * The part of DuckDB's stable C API (v1) that we call, written down from its documentation (duckdb.org, "C API"). One row a
 * function: result, name without "duckdb_", arguments. duck_load.c fetches the addresses; duck->name(...) calls one.
 *
 * Only duck*.c, lake*.c, front*.c and dml*.c of this folder include this file.
 */
#ifndef LAKEHOUSE_DUCK_API_H
#define LAKEHOUSE_DUCK_API_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t idx_t;
typedef struct duckdb_handle *duckdb_database, *duckdb_connection, *duckdb_config, *duckdb_statement, *duckdb_chunk,
    *duckdb_vector, *duckdb_type_ref, *duckdb_value, *duckdb_table_function, *duckdb_info;
/* The library fills it; only `internal` has a meaning, and only for the library. Passed by value in places. */
struct duckdb_result {
    idx_t columns, rows, changed;
    void *column_data;
    char *message;
    void *internal;
};
enum { DUCKDB_OK = 0, DUCKDB_FAILED = 1 };
/* duckdb_type */
enum duckdb_type {
    DUCKDB_INVALID = 0, DUCKDB_BOOLEAN = 1, DUCKDB_TINYINT = 2, DUCKDB_SMALLINT = 3, DUCKDB_INTEGER = 4, DUCKDB_BIGINT = 5,
    DUCKDB_UTINYINT = 6, DUCKDB_USMALLINT = 7, DUCKDB_UINTEGER = 8, DUCKDB_UBIGINT = 9, DUCKDB_FLOAT = 10,
    DUCKDB_DOUBLE = 11, DUCKDB_TIMESTAMP = 12, DUCKDB_DATE = 13, DUCKDB_TIME = 14, DUCKDB_INTERVAL = 15,
    DUCKDB_HUGEINT = 16, DUCKDB_VARCHAR = 17, DUCKDB_BLOB = 18, DUCKDB_DECIMAL = 19, DUCKDB_TIMESTAMP_S = 20,
    DUCKDB_TIMESTAMP_MS = 21, DUCKDB_TIMESTAMP_NS = 22, DUCKDB_ENUM = 23, DUCKDB_LIST = 24, DUCKDB_STRUCT = 25,
    DUCKDB_MAP = 26, DUCKDB_UUID = 27, DUCKDB_UNION = 28, DUCKDB_BIT = 29, DUCKDB_TIME_TZ = 30, DUCKDB_TIMESTAMP_TZ = 31,
    DUCKDB_UHUGEINT = 32, DUCKDB_ARRAY = 33
};

#define DUCK_FUNCTIONS(F) \
    F(const char *, library_version, (void)) \
    F(int, create_config, (duckdb_config *out)) \
    F(int, set_config, (duckdb_config config, const char *name, const char *option)) \
    F(void, destroy_config, (duckdb_config *config)) \
    F(int, open_ext, (const char *path, duckdb_database *out, duckdb_config config, char **error)) \
    F(void, close, (duckdb_database *db)) \
    F(int, connect, (duckdb_database db, duckdb_connection *out)) \
    F(void, disconnect, (duckdb_connection *c)) \
    F(void, interrupt, (duckdb_connection c)) \
    F(void, free, (void *p)) \
    F(int, prepare, (duckdb_connection c, const char *sql, duckdb_statement *out)) \
    F(void, destroy_prepare, (duckdb_statement *s)) \
    F(const char *, prepare_error, (duckdb_statement s)) \
    F(int, prepared_statement_type, (duckdb_statement s)) \
    F(idx_t, prepared_statement_column_count, (duckdb_statement s)) \
    F(const char *, prepared_statement_column_name, (duckdb_statement s, idx_t column)) \
    F(duckdb_type_ref, prepared_statement_column_logical_type, (duckdb_statement s, idx_t column)) \
    F(int, bind_parameter_index, (duckdb_statement s, idx_t *index, const char *name)) \
    F(int, bind_varchar_length, (duckdb_statement s, idx_t index, const char *text, idx_t length)) \
    F(int, bind_null, (duckdb_statement s, idx_t index)) \
    F(int, execute_prepared_streaming, (duckdb_statement s, struct duckdb_result *out)) \
    F(void, destroy_result, (struct duckdb_result *r)) \
    F(const char *, result_error, (struct duckdb_result *r)) \
    F(idx_t, column_count, (struct duckdb_result *r)) \
    F(duckdb_type_ref, column_logical_type, (struct duckdb_result *r, idx_t column)) \
    F(duckdb_chunk, fetch_chunk, (struct duckdb_result r)) \
    F(void, destroy_data_chunk, (duckdb_chunk *c)) \
    F(idx_t, data_chunk_get_size, (duckdb_chunk c)) \
    F(void, data_chunk_set_size, (duckdb_chunk c, idx_t size)) \
    F(duckdb_vector, data_chunk_get_vector, (duckdb_chunk c, idx_t column)) \
    F(void *, vector_get_data, (duckdb_vector v)) \
    F(uint64_t *, vector_get_validity, (duckdb_vector v)) \
    F(void, vector_ensure_validity_writable, (duckdb_vector v)) \
    F(void, vector_assign_string_element_len, (duckdb_vector v, idx_t row, const char *text, idx_t length)) \
    F(duckdb_vector, list_vector_get_child, (duckdb_vector v)) \
    F(duckdb_vector, struct_vector_get_child, (duckdb_vector v, idx_t i)) \
    F(idx_t, vector_size, (void)) \
    F(duckdb_type_ref, create_logical_type, (int type)) \
    F(void, destroy_logical_type, (duckdb_type_ref *t)) \
    F(int, get_type_id, (duckdb_type_ref t)) \
    F(uint8_t, decimal_width, (duckdb_type_ref t)) \
    F(uint8_t, decimal_scale, (duckdb_type_ref t)) \
    F(int, decimal_internal_type, (duckdb_type_ref t)) \
    F(duckdb_type_ref, list_type_child_type, (duckdb_type_ref t)) \
    F(duckdb_type_ref, map_type_key_type, (duckdb_type_ref t)) \
    F(duckdb_type_ref, map_type_value_type, (duckdb_type_ref t)) \
    F(idx_t, struct_type_child_count, (duckdb_type_ref t)) \
    F(char *, struct_type_child_name, (duckdb_type_ref t, idx_t i)) \
    F(duckdb_type_ref, struct_type_child_type, (duckdb_type_ref t, idx_t i)) \
    F(duckdb_value, get_table_names, (duckdb_connection c, const char *sql, bool qualified)) \
    F(idx_t, get_list_size, (duckdb_value v)) \
    F(duckdb_value, get_list_child, (duckdb_value v, idx_t i)) \
    F(char *, get_varchar, (duckdb_value v)) \
    F(int64_t, get_int64, (duckdb_value v)) \
    F(void, destroy_value, (duckdb_value *v)) \
    F(duckdb_table_function, create_table_function, (void)) \
    F(void, destroy_table_function, (duckdb_table_function *f)) \
    F(void, table_function_set_name, (duckdb_table_function f, const char *name)) \
    F(void, table_function_add_parameter, (duckdb_table_function f, duckdb_type_ref t)) \
    F(void, table_function_set_extra_info, (duckdb_table_function f, void *extra, void (*destroy)(void *))) \
    F(void, table_function_set_bind, (duckdb_table_function f, void (*bind)(duckdb_info info))) \
    F(void, table_function_set_init, (duckdb_table_function f, void (*init)(duckdb_info info))) \
    F(void, table_function_set_function, (duckdb_table_function f, void (*run)(duckdb_info info, duckdb_chunk out))) \
    F(void, table_function_supports_projection_pushdown, (duckdb_table_function f, bool pushdown)) \
    F(int, register_table_function, (duckdb_connection c, duckdb_table_function f)) \
    F(void *, bind_get_extra_info, (duckdb_info info)) \
    F(duckdb_value, bind_get_parameter, (duckdb_info info, idx_t i)) \
    F(void, bind_add_result_column, (duckdb_info info, const char *name, duckdb_type_ref t)) \
    F(void, bind_set_bind_data, (duckdb_info info, void *data, void (*destroy)(void *))) \
    F(void, bind_set_error, (duckdb_info info, const char *error)) \
    F(void *, init_get_bind_data, (duckdb_info info)) \
    F(idx_t, init_get_column_count, (duckdb_info info)) \
    F(idx_t, init_get_column_index, (duckdb_info info, idx_t i)) \
    F(void, init_set_init_data, (duckdb_info info, void *data, void (*destroy)(void *))) \
    F(void, init_set_max_threads, (duckdb_info info, idx_t threads)) \
    F(void, init_set_error, (duckdb_info info, const char *error)) \
    F(void *, function_get_init_data, (duckdb_info info)) \
    F(void, function_set_error, (duckdb_info info, const char *error))

struct duck_api {
#define DUCK_MEMBER(result, name, args) result(*name) args;
    DUCK_FUNCTIONS(DUCK_MEMBER)
#undef DUCK_MEMBER
};
/* Filled by duck_load. */
extern struct duck_api duck_functions;
static struct duck_api *const duck = &duck_functions;

#endif
