/* Job "sample" of the lakehouse worker: the files of a table of `samples`, for a reader that is not the worker. */
#include "base/jx.h"
#include "lakehouse/samples.h"
#include "workspace/worker_job.h"

bool worker_sample(struct worker_ctx *x, const json_t *job, json_t **done, struct err *e)
{
    if (!sample_make(worker_lake(x), jx_get_str(job, "name", ""), jx_get_str(job, "location", ""), worker_cancel(x), e))
        return false;
    *done = json_object();
    return true;
}
