/* What goes back: status and JSON text, or a file. Errors in Databricks' form: error_code and message, both always there. */
#ifndef WORKSPACE_ANSWER_H
#define WORKSPACE_ANSWER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct answer {
    int status;
    char *body; /* owned; JSON, or "" */
    bool is_file; /* the body is the file of the Files API instead */
    int fd;       /* owned */
    int64_t size, modified_ms;
};

/* Takes the document. */
void answer_json(struct answer *a, int status, json_t *doc);
/*
 * {"error_code": …, "message": …}. No `details`: some SDKs want members in it that the service does not always send, and
 * no member named error, detail, status or scimType, which SDKs read as other kinds of errors.
 * Source: error parsers of the Python, Go and JavaScript SDKs.
 */
void answer_error(struct answer *a, const struct err *e);
void answer_release(struct answer *a);

#endif
