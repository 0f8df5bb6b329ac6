#include <node_api.h>

/* Throws what errno says of `syscall`. */
napi_value fail(napi_env env, const char *syscall);
void export_text(napi_env env, napi_value exports);
