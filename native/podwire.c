/* The calls that podwire needs and Node lacks, each synchronous: netlink sockets in a given network namespace, setns,
 * flock, a unix stream socket, SHA-512; in other files texts, system calls, sockets that do not wait, and the watch on
 * them. N-API, no dependency but Node's headers. Every function throws an Error whose `errno` (positive number) and
 * `syscall` say what the kernel refused. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/netlink.h>
#include <node_api.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sha512.h"
#include "socket.h"
#include "syscall.h"
#include "text.h"
#include "watch.h"

#define RECEIVE_SIZE (1 << 16)

napi_value fail(napi_env env, const char *syscall) {
  const int error = errno;
  napi_value message, object, number, name;
  char text[160];
  strcpy(text, syscall);
  strcat(text, ": ");
  strncat(text, strerror(error), sizeof text - strlen(text) - 1);
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, NULL, message, &object);
  napi_create_int32(env, error, &number);
  napi_create_string_utf8(env, syscall, NAPI_AUTO_LENGTH, &name);
  napi_set_named_property(env, object, "errno", number);
  napi_set_named_property(env, object, "syscall", name);
  napi_throw(env, object);
  return NULL;
}

static void arguments(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
}

static int32_t integer(napi_env env, napi_value value) {
  int32_t result = -1;
  napi_get_value_int32(env, value, &result);
  return result;
}

static napi_value number_of(napi_env env, int32_t value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

/* netlinkOpen(protocol, netns) -> fd. Extended ACKs on, the request not echoed in them, buffers large enough for one
 * transaction of any size we send. */
static napi_value netlink_open(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  arguments(env, info, 2, argv);
  const int fd = socket_in(integer(env, argv[1]), AF_NETLINK, SOCK_RAW, integer(env, argv[0]));
  if (fd < 0) return fail(env, "socket");
  const int on = 1, size = 1 << 23;
  struct sockaddr_nl self = {.nl_family = AF_NETLINK};
  setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  if (bind(fd, (struct sockaddr *)&self, sizeof self) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return fail(env, "bind");
  }
  return number_of(env, fd);
}

static void free_data(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  free(data);
}

/* `size` bytes that begin with the `used` of `before`, or, without it, of `first`. */
static char *grown(char *before, const char *first, size_t used, size_t size) {
  char *larger = realloc(before, size);
  if (before == NULL) memcpy(larger, first, used);
  return larger;
}

/* A copy that the engine owns. What it does not own it counts by the length that is used, not by what was allocated, and
 * collects too late: 7 GB in a process that sent a few hundred thousand small requests. */
static napi_value bytes_of(napi_env env, const char *bytes, size_t length) {
  napi_value buffer, result;
  void *copy = NULL;
  napi_create_arraybuffer(env, length, &copy, &buffer);
  if (length > 0) memcpy(copy, bytes, length);
  napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &result);
  return result;
}

/* netlinkTransact(fd, request) -> Uint8Array: sends the messages and returns all that the kernel has to say. A request's
 * answers are queued when sendmsg returns, and each part of a dump when the part before it has been read, so reading
 * until there is nothing more is complete. */
static napi_value netlink_transact(napi_env env, napi_callback_info info) {
  napi_value argv[2], buffer, result;
  arguments(env, info, 2, argv);
  const int fd = integer(env, argv[0]);
  void *request = NULL;
  size_t length = 0;
  napi_get_typedarray_info(env, argv[1], NULL, &length, &request, NULL, NULL);
  while (length > 0 && send(fd, request, length, 0) < 0)
    if (errno != EINTR) return fail(env, "send");

  char first[RECEIVE_SIZE], *answer = first;
  size_t used = 0, room = RECEIVE_SIZE;
  for (;;) {
    if (room - used < RECEIVE_SIZE / 2) answer = grown(answer == first ? NULL : answer, first, used, room *= 2);
    const ssize_t got = recv(fd, answer + used, room - used, MSG_DONTWAIT);
    if (got > 0) used += (size_t)got;
    else if (got < 0 && errno == EINTR) continue;
    else if (got == 0 || errno == EAGAIN) break;
    else {
      const int error = errno;
      if (answer != first) free(answer);
      errno = error;
      return fail(env, "recv");
    }
  }
  if (answer == first) return bytes_of(env, first, used);
  napi_create_external_arraybuffer(env, realloc(answer, used), used, free_data, NULL, &buffer);
  napi_create_typedarray(env, napi_uint8_array, used, buffer, 0, &result);
  return result;
}

/* setns(fd): moves this thread, and so every synchronous call after it, into a network namespace. */
static napi_value set_netns(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  arguments(env, info, 1, argv);
  return setns(integer(env, argv[0]), CLONE_NEWNET) == 0 ? NULL : fail(env, "setns");
}

/* flock(fd, operation): LOCK_SH 1, LOCK_EX 2, LOCK_NB 4, LOCK_UN 8. */
static napi_value lock_file(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  arguments(env, info, 2, argv);
  while (flock(integer(env, argv[0]), integer(env, argv[1])) != 0)
    if (errno != EINTR) return fail(env, "flock");
  return NULL;
}

/* connectUnix(path) -> fd of a connected stream socket with a timeout of five seconds on each read and write. */
static napi_value connect_unix(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  arguments(env, info, 1, argv);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  napi_get_value_string_utf8(env, argv[0], address.sun_path, sizeof address.sun_path, NULL);
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(env, "socket");
  const struct timeval wait = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    const int error = errno;
    close(fd);
    errno = error;
    return fail(env, "connect");
  }
  return number_of(env, fd);
}

/* sha512(bytes) -> 128 hex digits. Loading node:crypto costs 2.3 ms and 3.5 MiB in each exec (measured). */
static napi_value sha512_hex(napi_env env, napi_callback_info info) {
  napi_value argv[1], result;
  arguments(env, info, 1, argv);
  void *data = NULL;
  size_t length = 0;
  napi_get_typedarray_info(env, argv[0], NULL, &length, &data, NULL, NULL);
  unsigned char digest[64];
  char hex[128];
  sha512(data, length, digest);
  for (int i = 0; i < 64; i++) {
    hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
    hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
  }
  napi_create_string_latin1(env, hex, sizeof hex, &result);
  return result;
}

/* Gives the executable's own code back to the page cache, and with `data` its constants too: what starting the engine ran is
 * not run again, and what is needed is mapped again at its first use. 6 MiB less at the peak of an exec, in no measurable
 * time. Called for the executable, which comes first, and ends there. */
static int give_back_code(struct dl_phdr_info *program, size_t size, void *data) {
  (void)size;
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < program->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &program->dlpi_phdr[i];
    const int is_code = (part->p_flags & PF_X) != 0, is_constant = data != NULL && (part->p_flags & PF_W) == 0;
    if (part->p_type != PT_LOAD || !(is_code || is_constant)) continue;
    const uintptr_t start = program->dlpi_addr + part->p_vaddr, from = start & ~(page - 1);
    madvise((void *)from, start + part->p_filesz - from, MADV_DONTNEED);
  }
  return 1;
}

/* giveBackPages(): what of the executable was read from its file is let go, for a process that goes on for long. */
static napi_value give_back_pages(napi_env env, napi_callback_info info) {
  (void)env;
  (void)info;
  int constants = 1;
  dl_iterate_phdr(give_back_code, &constants);
  return NULL;
}

static napi_value initialise(napi_env env, napi_value exports) {
  const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"netlinkOpen", netlink_open}, {"netlinkTransact", netlink_transact}, {"setns", set_netns},
      {"flock", lock_file},          {"connectUnix", connect_unix},         {"sha512", sha512_hex},
      {"giveBackPages", give_back_pages},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  export_syscall(env, exports);
  export_text(env, exports);
  export_socket(env, exports);
  export_watch(env, exports);
  dl_iterate_phdr(give_back_code, NULL);
  return exports;
}

NAPI_MODULE(podwire, initialise)
