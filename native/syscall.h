#pragma once
#include <node_api.h>

/* Adds `syscall` and `numbers` to the addon. */
void export_syscall(napi_env env, napi_value exports);
