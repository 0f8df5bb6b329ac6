/* Whole texts through descriptors and in files, and whether two paths are one file: in one call each what, by system calls
 * of JavaScript, takes three to five. */
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK 8192

/* True when a call is worth repeating: at once, or once the descriptor is ready (a runtime may hand over pipes that do not
 * block). */
static int again(int fd, short events) {
  if (errno == EINTR) return 1;
  struct pollfd ready = {.fd = fd, .events = events};
  return (errno == EAGAIN || errno == EWOULDBLOCK) && (poll(&ready, 1, -1) >= 0 || errno == EINTR);
}

static char *text_of(napi_env env, napi_value value, size_t *length) {
  napi_get_value_string_utf8(env, value, NULL, 0, length);
  char *text = malloc(*length + 1);
  if (text != NULL) napi_get_value_string_utf8(env, value, text, *length + 1, length);
  return text;
}

/* The bytes up to the end, or `max` and one more; NULL with errno. */
static char *read_all(int fd, size_t max, size_t *length) {
  size_t room = CHUNK, used = 0;
  char *bytes = malloc(room);
  for (;;) {
    if (bytes != NULL && used == room) bytes = realloc(bytes, room *= 2);
    const ssize_t got = bytes == NULL ? -1 : read(fd, bytes + used, room - used);
    if (got > 0) used += (size_t)got;
    if (got == 0 || used > max) break;
    if (got < 0 && (bytes == NULL || !again(fd, POLLIN))) {
      free(bytes);
      return NULL;
    }
  }
  *length = used;
  return bytes;
}

static int is_terminal_like(int fd) {
  struct stat stat;
  return fstat(fd, &stat) == 0 && S_ISCHR(stat.st_mode);
}

/* readText(fd, max) -> the text up to the end, without a byte order mark; '' of a character device, where nobody types a
 * configuration. E2BIG above `max` bytes. */
static napi_value read_text(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  size_t count = 2, length = 0;
  int32_t fd = -1;
  uint32_t max = 0;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  napi_get_value_int32(env, argv[0], &fd);
  napi_get_value_uint32(env, argv[1], &max);
  char *bytes = is_terminal_like(fd) ? calloc(1, 1) : read_all(fd, max, &length);
  if (bytes == NULL) return fail(env, "read");
  if (length > max) {
    free(bytes);
    errno = E2BIG;
    return fail(env, "read");
  }
  const size_t mark = length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  napi_create_string_utf8(env, bytes + mark, length - mark, &result);
  free(bytes);
  return result;
}

/* writeText(fd, text): all of it. */
static napi_value write_text(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  size_t count = 2, length = 0, done = 0;
  int32_t fd = -1;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  napi_get_value_int32(env, argv[0], &fd);
  char *text = text_of(env, argv[1], &length);
  while (text != NULL && done < length) {
    const ssize_t put = write(fd, text + done, length - done);
    if (put >= 0) done += (size_t)put;
    else if (!again(fd, POLLOUT)) break;
  }
  const int error = errno;
  free(text);
  errno = error;
  return text != NULL && done == length ? NULL : fail(env, "write");
}

/* A path as a C string; NULL, with EINVAL, for one with a NUL in it. */
static char *path_of(napi_env env, napi_value value) {
  size_t length = 0;
  char *path = text_of(env, value, &length);
  if (path != NULL && strlen(path) == length) return path;
  free(path);
  errno = EINVAL;
  return NULL;
}

static napi_value errno_of(napi_env env) {
  napi_value result;
  napi_create_int32(env, -errno, &result);
  return result;
}

/* readFile(path, latin1) -> its text, of UTF-8 or with a character for each byte; or the errno, negative. */
static napi_value read_file(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  size_t count = 2, length = 0;
  bool latin1 = false;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  napi_get_value_bool(env, argv[1], &latin1);
  char *path = path_of(env, argv[0]);
  const int fd = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  char *bytes = fd < 0 ? NULL : read_all(fd, SIZE_MAX - CHUNK, &length);
  const int error = errno;
  if (fd >= 0) close(fd);
  free(path);
  errno = error;
  if (bytes == NULL) return errno_of(env);
  (latin1 ? napi_create_string_latin1 : napi_create_string_utf8)(env, bytes, length, &result);
  free(bytes);
  return result;
}

/* writeFile(path, text, mode) -> 0, or the errno, negative: makes the file, or replaces what it holds. */
static napi_value write_file(napi_env env, napi_callback_info info) {
  napi_value argv[3], result;
  size_t count = 3, length = 0, done = 0;
  uint32_t mode = 0;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  napi_get_value_uint32(env, argv[2], &mode);
  char *path = path_of(env, argv[0]), *text = text_of(env, argv[1], &length);
  const int fd = path == NULL || text == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  while (fd >= 0 && done < length) {
    const ssize_t put = write(fd, text + done, length - done);
    if (put >= 0) done += (size_t)put;
    else if (errno != EINTR) break;
  }
  const int error = errno;
  if (fd >= 0) close(fd);
  free(path);
  free(text);
  errno = error;
  if (fd < 0 || done < length) return errno_of(env);
  napi_create_int32(env, 0, &result);
  return result;
}

/* sameFile(path, path) -> whether both lead to one file; false when either leads nowhere. */
static napi_value same_file(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  size_t count = 2;
  struct stat stats[2];
  int same = 1;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  for (int i = 0; i < 2; i++) {
    char *path = path_of(env, argv[i]);
    same = same && path != NULL && stat(path, &stats[i]) == 0;
    free(path);
  }
  same = same && stats[0].st_dev == stats[1].st_dev && stats[0].st_ino == stats[1].st_ino;
  napi_get_boolean(env, same, &result);
  return result;
}

void export_text(napi_env env, napi_value exports) {
  const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"readText", read_text},   {"writeText", write_text}, {"readFile", read_file},
      {"writeFile", write_file}, {"sameFile", same_file},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
}
