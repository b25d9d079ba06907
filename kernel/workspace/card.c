/* workspace.json (see card.h). */
#include "workspace/card.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/jx.h"
#include "base/xalloc.h"
#include "workspace/cluster.h"
#include "workspace/workspace.h"

enum { MAX_JSON = 16384 };

static char *card_path(const char *state_dir) { return xasprintf("%s/workspace.json", state_dir); }

/* Killed, its first thread gone, and the last one (with it the lock) a moment later. */
static bool is_dying(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0)
        close(fd);
    const char *state = n > 0 ? strrchr(text, ')') : NULL; /* "pid (name) state …" */
    return !state || strchr("ZX", state[2]);
}

void card_read(const char *state_dir, struct running *out)
{
    struct buf b;
    struct err none = {0};
    char *path = card_path(state_dir);
    buf_init(&b, MAX_JSON);
    json_t *doc = fs_read(path, &b, &none) ? jx_parse(buf_str(&b), b.len, MAX_JSON, &none) : NULL;
    if (doc && jx_get_int(doc, "pid", 0) == out->pid && !is_dying(out->pid)) {
        const char *url = jx_get_str(doc, "url", ""), *ca = jx_get_str(doc, "ca", "");
        err_copy(out->url, sizeof out->url, url, strlen(url));
        err_copy(out->ca, sizeof out->ca, ca, strlen(ca));
        out->ready = true;
    }
    json_decref(doc);
    buf_release(&b);
    free(path);
}

bool card_write(const struct workspace *ws, struct err *e)
{
    json_t *doc = json_object();
    json_object_set_new(doc, "pid", json_integer(getpid()));
    json_object_set_new(doc, "url", jx_str(workspace_url(ws)));
    json_object_set_new(doc, "ca", jx_str(clusters_ca_path(ws->clusters)));
    json_object_set_new(doc, "version", json_string(LAKEBASE_VERSION));
    char *text = jx_dump(doc), *path = card_path(ws->state_dir);
    bool ok = fs_write_atomic(path, text, strlen(text), 0600, e);
    json_decref(doc);
    free(text);
    free(path);
    return ok;
}

void card_remove(const char *state_dir)
{
    char *path = card_path(state_dir);
    unlink(path);
    free(path);
}
