/* Calls JavaScript back when a descriptor can be read. One thread for the process, started by the first watch, waits in
 * epoll and passes the watch's number on through a thread-safe function; that is all it does, so that everything else is
 * the main thread's alone and needs no lock. A watch fires once and is silent until it is armed again: a burst of messages
 * costs one call. None of it keeps the process alive. */
#define _GNU_SOURCE
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "text.h"

#define STACK_SIZE (1 << 16)
#define EVENTS 16
/* The eventfd that ends the thread; watches have the numbers from 1. */
#define QUIT 0

struct watch {
  uint32_t id;
  int fd; /* a duplicate: closing the caller's own descriptor ends nothing here and frees no number that epoll knows */
  napi_ref callback;
  struct watch *next;
};

static struct {
  napi_env env;
  napi_threadsafe_function call;
  pthread_t thread;
  int epoll, quit;
  uint32_t last;
  struct watch *list;
} loop;

static void *run(void *unused) {
  (void)unused;
  struct epoll_event events[EVENTS];
  for (;;) {
    const int count = epoll_wait(loop.epoll, events, EVENTS, -1);
    if (count < 0 && errno != EINTR) return NULL;
    for (int i = 0; i < count; i++) {
      if (events[i].data.u64 == QUIT) return NULL;
      napi_call_threadsafe_function(loop.call, (void *)(uintptr_t)events[i].data.u64, napi_tsfn_nonblocking);
    }
  }
}

static struct watch *watch_of(uint32_t id) {
  struct watch *watch = loop.list;
  while (watch != NULL && watch->id != id) watch = watch->next;
  return watch;
}

/* On the main thread. A watch that has ended meanwhile is not there any more: its number is never given again. */
static void call_back(napi_env env, napi_value unused, void *context, void *id) {
  (void)unused;
  (void)context;
  const struct watch *watch = env == NULL ? NULL : watch_of((uint32_t)(uintptr_t)id);
  napi_value callback, receiver;
  if (watch == NULL) return;
  napi_get_reference_value(env, watch->callback, &callback);
  napi_get_undefined(env, &receiver);
  if (napi_call_function(env, receiver, callback, 0, NULL, NULL) != napi_pending_exception) return;
  napi_value thrown;
  napi_get_and_clear_last_exception(env, &thrown);
  napi_fatal_exception(env, thrown); /* an uncaughtException, as of any other callback */
}

static void end(napi_env env, struct watch *watch) {
  epoll_ctl(loop.epoll, EPOLL_CTL_DEL, watch->fd, NULL);
  close(watch->fd);
  napi_delete_reference(env, watch->callback);
  free(watch);
}

/* Runs before the thread-safe function is taken down, since it was registered after it. */
static void stop(void *unused) {
  (void)unused;
  const uint64_t one = 1;
  if (write(loop.quit, &one, sizeof one) == sizeof one) pthread_join(loop.thread, NULL);
  while (loop.list != NULL) {
    struct watch *watch = loop.list;
    loop.list = watch->next;
    end(loop.env, watch);
  }
  close(loop.epoll);
  close(loop.quit);
  loop.env = NULL;
}

/* Signals are for the main thread. */
static int start_thread(void) {
  sigset_t all, before;
  pthread_attr_t attributes;
  sigfillset(&all);
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, STACK_SIZE);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = pthread_create(&loop.thread, &attributes, run, NULL);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return error;
}

static const char *open_loop(void) {
  struct epoll_event quit = {.events = EPOLLIN, .data.u64 = QUIT};
  if ((loop.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) return "epoll_create1";
  if ((loop.quit = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0) return "eventfd";
  return epoll_ctl(loop.epoll, EPOLL_CTL_ADD, loop.quit, &quit) < 0 ? "epoll_ctl" : NULL;
}

/* Returns the call that was refused; NULL when the thread runs. */
static const char *start(napi_env env) {
  const char *refused = open_loop();
  if (refused != NULL) return refused;
  napi_value name;
  napi_create_string_utf8(env, "podwire watch", NAPI_AUTO_LENGTH, &name);
  napi_create_threadsafe_function(env, NULL, NULL, name, 0, 1, NULL, NULL, NULL, call_back, &loop.call);
  napi_unref_threadsafe_function(env, loop.call);
  if ((errno = start_thread()) != 0) return "pthread_create";
  napi_add_env_cleanup_hook(env, stop, NULL);
  loop.env = env;
  return NULL;
}

static struct watch *add(napi_env env, int fd, napi_value callback) {
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = ++loop.last};
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) return NULL;
  if (epoll_ctl(loop.epoll, EPOLL_CTL_ADD, own, &event) < 0) {
    const int error = errno;
    close(own);
    errno = error;
    return NULL;
  }
  struct watch *watch = malloc(sizeof *watch);
  if (watch == NULL) abort();
  *watch = (struct watch){.id = loop.last, .fd = own, .next = loop.list};
  napi_create_reference(env, callback, 1, &watch->callback);
  return loop.list = watch;
}

static uint32_t number(napi_env env, napi_value value) {
  uint32_t result = 0;
  napi_get_value_uint32(env, value, &result);
  return result;
}

/* watch(fd, callback) -> number of the watch. `callback` is called once, when `fd` can be read or has an error. */
static napi_value start_watch(napi_env env, napi_callback_info info) {
  napi_value argv[2], result;
  size_t count = 2;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  if (loop.env == NULL) {
    const char *refused = start(env);
    if (refused != NULL) return fail(env, refused);
  }
  if (loop.env != env) {
    errno = EBUSY; /* a worker's; watches belong to the thread that began */
    return fail(env, "watch");
  }
  const struct watch *watch = add(env, (int)number(env, argv[0]), argv[1]);
  if (watch == NULL) return fail(env, "epoll_ctl");
  napi_create_uint32(env, watch->id, &result);
  return result;
}

/* rearm(watch): its callback is called once more, at once when there is still something to read. */
static napi_value rearm(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t count = 1;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  const struct watch *watch = watch_of(number(env, argv[0]));
  if (watch == NULL) return NULL;
  struct epoll_event event = {.events = EPOLLIN | EPOLLONESHOT, .data.u64 = watch->id};
  return epoll_ctl(loop.epoll, EPOLL_CTL_MOD, watch->fd, &event) < 0 ? fail(env, "epoll_ctl") : NULL;
}

/* unwatch(watch): its callback is not called any more. Of one that has ended: nothing. */
static napi_value unwatch(napi_env env, napi_callback_info info) {
  napi_value argv[1];
  size_t count = 1;
  napi_get_cb_info(env, info, &count, argv, NULL, NULL);
  const uint32_t id = number(env, argv[0]);
  for (struct watch **at = &loop.list; *at != NULL; at = &(*at)->next) {
    if ((*at)->id != id) continue;
    struct watch *watch = *at;
    *at = watch->next;
    end(env, watch);
    break;
  }
  return NULL;
}

void export_watch(napi_env env, napi_value exports) {
  const struct {
    const char *name;
    napi_callback call;
  } functions[] = {{"watch", start_watch}, {"rearm", rearm}, {"unwatch", unwatch}};
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
}
