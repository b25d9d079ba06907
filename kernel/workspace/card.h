/*
 * <state>/workspace.json, the card of the workspace that serves: its pid, address and CA, for whoever looks for it. Written
 * when it serves, removed when it ends; one that a killed workspace left is not believed (the pid does not hold the lock).
 */
#ifndef WORKSPACE_CARD_H
#define WORKSPACE_CARD_H

#include <stdbool.h>

#include "base/err.h"
#include "workspace/control.h"

struct workspace;

/* Fill url, ca and ready of *out, when the card is that of out->pid, the holder of the lock, and that one lives. */
void card_read(const char *state_dir, struct running *out);
bool card_write(const struct workspace *ws, struct err *e);
void card_remove(const char *state_dir); /* nothing there is fine */

#endif
