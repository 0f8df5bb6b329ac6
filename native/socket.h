#pragma once
#include <node_api.h>

/* A socket (close-on-exec) of the network namespace `netns`: a descriptor, or -1 for the one this thread is in. */
int socket_in(int netns, int domain, int type, int protocol);
/* Adds `socketOpen`, `netlinkReceive`, `receiveDatagrams`, `attachFilter` and `ethtool` to the addon. */
void export_socket(napi_env env, napi_value exports);
