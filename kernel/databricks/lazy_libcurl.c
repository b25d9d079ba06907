/*
 * libcurl at its first use (base/lazy.h): the functions of libcurl that databricks/ calls, each a row. Not an interface of
 * its own: everybody includes curl/curl.h as always, and a row that differs from it does not compile.
 */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <stdarg.h>

#include "base/lazy.h"
#include "databricks/http.h"

#undef curl_easy_setopt
#undef curl_easy_getinfo

#define RETURNS(R)                                                                                                     \
    R(CURLcode, curl_global_init, (long flags), (flags))                                                               \
    R(CURL *, curl_easy_init, (void), ())                                                                              \
    R(char *, curl_easy_escape, (CURL * h, const char *text, int len), (h, text, len))                                 \
    R(const char *, curl_easy_strerror, (CURLcode code), (code))                                                       \
    R(CURLM *, curl_multi_init, (void), ())                                                                            \
    R(CURLMcode, curl_multi_cleanup, (CURLM * m), (m))                                                                 \
    R(CURLMcode, curl_multi_add_handle, (CURLM * m, CURL * h), (m, h))                                                 \
    R(CURLMcode, curl_multi_remove_handle, (CURLM * m, CURL * h), (m, h))                                              \
    R(CURLMcode, curl_multi_perform, (CURLM * m, int *running), (m, running))                                          \
    R(CURLMcode, curl_multi_poll,                                                                                      \
      (CURLM * m, struct curl_waitfd extra[], unsigned int n, int ms, int *ready), (m, extra, n, ms, ready))           \
    R(CURLMsg *, curl_multi_info_read, (CURLM * m, int *queued), (m, queued))                                          \
    R(const char *, curl_multi_strerror, (CURLMcode code), (code))                                                     \
    R(struct curl_slist *, curl_slist_append, (struct curl_slist * list, const char *text), (list, text))

#define VOIDS(V)                                                                                                       \
    V(curl_easy_cleanup, (CURL * h), (h))                                                                              \
    V(curl_easy_reset, (CURL * h), (h))                                                                                \
    V(curl_slist_free_all, (struct curl_slist * list), (list))                                                         \
    V(curl_free, (void *p), (p))

#define OWN(O) O(curl_easy_setopt) O(curl_easy_getinfo)

LAZY_LIBRARY(http_library, "libcurl.so.4", RETURNS, VOIDS, OWN)

/* The value of an option is a long, a pointer or a curl_off_t: one register each on the 64-bit machines we build for. */
_Static_assert(sizeof(void *) == sizeof(long) && sizeof(curl_off_t) == sizeof(long), "one size for every option's value");

CURLcode curl_easy_setopt(CURL *h, CURLoption option, ...)
{
    va_list ap;
    va_start(ap, option);
    void *value = va_arg(ap, void *);
    va_end(ap);
    real_ready();
    return real.curl_easy_setopt(h, option, value);
}

CURLcode curl_easy_getinfo(CURL *h, CURLINFO info, ...)
{
    va_list ap;
    va_start(ap, info);
    void *value = va_arg(ap, void *);
    va_end(ap);
    real_ready();
    return real.curl_easy_getinfo(h, info, value);
}
