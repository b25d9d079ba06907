/* What the files of the store share. Private to store*.c. */
#ifndef WORKSPACE_STORE_PRIVATE_H
#define WORKSPACE_STORE_PRIVATE_H

#include <pthread.h>
#include <sqlite3.h>

#include "workspace/store.h"

struct store {
    pthread_mutex_t lock; /* around every use of db */
    sqlite3 *db;
};

#endif
