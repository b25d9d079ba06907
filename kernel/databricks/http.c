/* One HTTP exchange (see http.h): an easy handle driven by curl_multi_poll, so that a cancel token can end it. */
#include "databricks/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xalloc.h"
#include "databricks/config.h"

struct http {
    CURL *easy;
    CURLM *multi;
    char error[CURL_ERROR_SIZE];
};

static void global_init(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        bug("libcurl does not start");
}

struct http *http_new(struct err *e)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (!http_library(e))
        return NULL;
    pthread_once(&once, global_init);
    struct http *h = xcalloc(1, sizeof *h);
    h->easy = curl_easy_init();
    h->multi = curl_multi_init();
    if (!h->easy || !h->multi)
        bug("out of memory in libcurl");
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    curl_easy_cleanup(h->easy);
    curl_multi_cleanup(h->multi);
    free(h);
}

static size_t on_body(char *data, size_t size, size_t n, void *self)
{
    struct http_answer *a = self;
    buf_add(&a->body, data, size * n);
    return a->body.failed ? 0 : size * n;
}

static size_t on_header(char *data, size_t size, size_t n, void *self)
{
    struct http_answer *a = self;
    static const char name[] = "Retry-After:";
    size_t len = size * n;
    if (len > sizeof name && len < 64 && strncasecmp(data, name, sizeof name - 1) == 0) {
        char text[64] = "";
        memcpy(text, data + sizeof name - 1, len - (sizeof name - 1));
        char *end;
        long s = strtol(text, &end, 10);
        if (end != text && s >= 0)
            a->retry_after = s < RETRY_AFTER_MOST_S ? (int)s : RETRY_AFTER_MOST_S;
    }
    return len;
}

static struct curl_slist *set_up(struct http *h, const struct http_request *r, struct http_answer *a)
{
    CURL *c = h->easy;
    curl_easy_reset(c);
    h->error[0] = '\0';
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->error);
    curl_easy_setopt(c, CURLOPT_URL, r->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else /* Ubuntu 22.04 */
    curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
    if (dbx_host_is_loopback(r->url)) /* whatever http_proxy says: the token must not leave this machine */
        curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, r->method);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)HTTP_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, 15000L);
    curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, r->fresh ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "lakebase-kernel/" LAKEBASE_VERSION);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
    struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
    if (r->bearer) {
        char *line = xasprintf("Authorization: Bearer %s", r->bearer);
        headers = curl_slist_append(headers, line);
        xfree_secret(line);
    }
    if (r->basic_user) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, r->basic_user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, r->basic_pass);
    }
    if (r->body) {
        char *line = xasprintf("Content-Type: %s", r->content_type);
        headers = curl_slist_append(headers, line);
        free(line);
        /* No "Expect: 100-continue" round trip. */
        headers = curl_slist_append(headers, "Expect:");
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, r->body);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE, (long)r->body_len);
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    return headers;
}

/* libcurl keeps no copy of the header list, so the token in it is wiped here. */
static void free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *i = headers; i; i = i->next)
        explicit_bzero(i->data, strlen(i->data));
    curl_slist_free_all(headers);
}

/* Run the transfer to its end or to a cancel. */
static bool drive(struct http *h, struct cancel *cancel, CURLcode *result, struct err *e)
{
    struct curl_waitfd extra = {.fd = cancel ? cancel->fd : -1, .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0;
        if (!cancel_check(cancel, e))
            return false;
        CURLMcode rc = curl_multi_perform(h->multi, &running);
        if (rc == CURLM_OK && running)
            rc = curl_multi_poll(h->multi, &extra, cancel ? 1 : 0, 1000, NULL);
        if (rc != CURLM_OK)
            return err_set(e, ERR_CONNECT, "HTTP transfer failed: %s", curl_multi_strerror(rc));
        int left;
        for (CURLMsg *m; (m = curl_multi_info_read(h->multi, &left));) {
            if (m->msg == CURLMSG_DONE) {
                *result = m->data.result;
                return true;
            }
        }
        if (!running)
            return err_set(e, ERR_INTERNAL, "the HTTP transfer ended without a result");
    }
}

static bool explain(struct http *h, CURLcode rc, const struct http_answer *a, struct err *e)
{
    const char *why = h->error[0] ? h->error : curl_easy_strerror(rc);
    if (a->body.failed)
        return err_set(e, ERR_TOO_BIG, "the answer is larger than %d MiB", HTTP_MAX_BODY >> 20);
    if (rc == CURLE_OPERATION_TIMEDOUT)
        return err_set(e, ERR_TIMEOUT, "%s", why);
    return err_set(e, ERR_CONNECT, "%s", why);
}

bool http_perform(struct http *h, const struct http_request *r, struct http_answer *answer, struct cancel *cancel,
                  struct err *e)
{
    *answer = (struct http_answer){.retry_after = -1};
    buf_init(&answer->body, HTTP_MAX_BODY);
    struct curl_slist *headers = set_up(h, r, answer);
    CURLcode rc = CURLE_OK;
    CURLMcode added = curl_multi_add_handle(h->multi, h->easy);
    bool ok = added == CURLM_OK || err_set(e, ERR_CONNECT, "HTTP transfer failed: %s", curl_multi_strerror(added));
    ok = ok && drive(h, cancel, &rc, e);
    curl_multi_remove_handle(h->multi, h->easy);
    long status = 0, bytes = 0;
    curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(h->easy, CURLINFO_REQUEST_SIZE, &bytes);
    answer->status = (int)status;
    answer->sent = bytes > 0;
    if (ok && rc != CURLE_OK)
        ok = explain(h, rc, answer, e);
    free_headers(headers);
    /* Forget the credentials that libcurl copied. */
    curl_easy_reset(h->easy);
    return ok;
}

void http_escape(struct buf *out, const char *text)
{
    char *escaped = curl_easy_escape(NULL, text, (int)strlen(text));
    if (!escaped)
        bug("out of memory in libcurl");
    buf_puts(out, escaped);
    curl_free(escaped);
}
