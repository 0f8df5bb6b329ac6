#pragma once
#include <node_api.h>

/* Adds `watch`, `rearm` and `unwatch` to the addon. */
void export_watch(napi_env env, napi_value exports);
