/* The answer to a call of %%python (see python.h). Who gives it is the kernel. */
#include "magics/python.h"

#include <stdlib.h>

void python_answer_release(struct python_answer *a)
{
    free(a->program);
    free(a->version);
    free(a->folder);
    free(a->lost);
    free(a->error);
    *a = (struct python_answer){0};
}
