/*
 * The connection file: where a front end expects the five sockets, and the key that signs every
 * message. Source: Jupyter "Making kernels", section "Connection files", and JEP 106 (its schema).
 */
#ifndef WIRE_CONNFILE_H
#define WIRE_CONNFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum channel { CH_SHELL, CH_IOPUB, CH_STDIN, CH_CONTROL, CH_HB, CH_COUNT };

enum { CONNFILE_MAX_BYTES = 64 << 10, CONNFILE_MAX_IP = 200, CONNFILE_MAX_KEY = 1024 };

struct connfile {
    char *path;                   /* of the file; NULL when parsed from memory */
    bool ipc;                     /* Unix sockets `ip`-1, `ip`-2 …; else TCP */
    char ip[CONNFILE_MAX_IP + 1]; /* address, or the path prefix of the sockets */
    int port[CH_COUNT];           /* 0: not chosen yet */
    bool bound[CH_COUNT];         /* ipc: the socket's file is ours (sockets_bind) */
    char *key;                    /* secret; "" switches signatures off */
};

/* Keys that are not known are ignored. ERR_CONFIG names the key at fault and what it may be;
 * nothing is kept then. */
bool connfile_parse(struct connfile *c, const char *text, size_t len, struct err *e);
/* ERR_NOT_FOUND, ERR_TOO_BIG, ERR_MALFORMED, ERR_CONFIG; the path is in the text. */
bool connfile_load(struct connfile *c, const char *path, struct err *e);
/* Put the ports into the file, leaving its other keys as they are; whole file or nothing, 0600. */
bool connfile_write_ports(const struct connfile *c, struct err *e);
void connfile_release(struct connfile *c);
/* The member's name: "shell_port". */
const char *channel_port_key(enum channel ch);
/* The name alone: "shell". */
const char *channel_name(enum channel ch);

#endif
