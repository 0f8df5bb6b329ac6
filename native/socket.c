/* Sockets that the agent and the command line use without ever waiting in a call: notifications of netlink, ICMP, ethtool. */
#define _GNU_SOURCE
#include "socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

/* What one message of netlink may take: NLMSG_GOODSIZE is 8 KiB, a link with many functions takes more. */
#define MESSAGE_SIZE (1 << 15)
/* A record of receiveDatagrams; the same numbers are in datagram.ts. */
#define RECORD_SIZE 256
#define RECORD_SOURCE 8
#define RECORD_BYTES 36
#define RECORDS 64

int socket_in(int netns, int domain, int type, int protocol) {
  if (netns < 0) return socket(domain, type | SOCK_CLOEXEC, protocol);
  const int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (home < 0) return -1;
  int fd = -1;
  if (setns(netns, CLONE_NEWNET) == 0) {
    fd = socket(domain, type | SOCK_CLOEXEC, protocol);
    const int error = errno;
    if (setns(home, CLONE_NEWNET) != 0) abort(); /* going on in another namespace would be worse than dying */
    errno = error;
  }
  const int error = errno;
  close(home);
  errno = error;
  return fd;
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

static char *bytes_of(napi_env env, napi_value value, size_t *length) {
  void *data = NULL;
  *length = 0;
  napi_get_typedarray_info(env, value, NULL, length, &data, NULL, NULL);
  return data;
}

/* socketOpen(domain, type, protocol, netns) -> fd. */
static napi_value socket_open(napi_env env, napi_callback_info info) {
  napi_value argv[4];
  arguments(env, info, 4, argv);
  const int fd = socket_in(integer(env, argv[3]), integer(env, argv[0]), integer(env, argv[1]), integer(env, argv[2]));
  return fd < 0 ? fail(env, "socket") : number_of(env, fd);
}

/* netlinkReceive(fd, into) -> how many bytes of whole messages were waiting and fitted, 0 when none were; or -errno.
 * -ENOBUFS says that messages were lost; what had been read by then is not told. */
static napi_value netlink_receive(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  arguments(env, info, 2, argv);
  const int fd = integer(env, argv[0]);
  size_t room, used = 0;
  char *into = bytes_of(env, argv[1], &room);
  while (room - used >= MESSAGE_SIZE) {
    const ssize_t got = recv(fd, into + used, room - used, MSG_DONTWAIT);
    if (got > 0) used += NLMSG_ALIGN((size_t)got);
    else if (got < 0 && errno == EINTR) continue;
    else if (got == 0 || errno == EAGAIN) break;
    else return number_of(env, -errno);
  }
  return number_of(env, (int32_t)used);
}

/* How long ago the kernel took the datagram in, in microseconds. */
static uint32_t age_of(struct msghdr *message, const struct timespec *now) {
  for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec then;
    memcpy(&then, CMSG_DATA(part), sizeof then);
    const int64_t age = (now->tv_sec - then.tv_sec) * 1000000LL + (now->tv_nsec - then.tv_nsec) / 1000;
    return age < 0 || age > UINT32_MAX ? 0 : (uint32_t)age;
  }
  return 0;
}

/* receiveDatagrams(fd, into) -> how many were waiting and are now in `into`, or -errno. Each is a record: its length u32,
 * its age in microseconds u32 (with SO_TIMESTAMPNS), the sender's struct sockaddr, and the first 220 of its bytes. */
static napi_value receive_datagrams(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  arguments(env, info, 2, argv);
  size_t room;
  char *into = bytes_of(env, argv[1], &room);
  const unsigned count = room / RECORD_SIZE < RECORDS ? room / RECORD_SIZE : RECORDS;
  struct mmsghdr messages[RECORDS];
  struct iovec parts[RECORDS];
  char control[RECORDS][CMSG_SPACE(sizeof(struct timespec))] __attribute__((aligned(8)));
  memset(messages, 0, sizeof messages);
  for (unsigned i = 0; i < count; i++) {
    char *record = into + i * RECORD_SIZE;
    parts[i] = (struct iovec){record + RECORD_BYTES, RECORD_SIZE - RECORD_BYTES};
    messages[i].msg_hdr = (struct msghdr){.msg_name = record + RECORD_SOURCE,
                                          .msg_namelen = RECORD_BYTES - RECORD_SOURCE,
                                          .msg_iov = &parts[i],
                                          .msg_iovlen = 1,
                                          .msg_control = control[i],
                                          .msg_controllen = sizeof control[i]};
  }
  int got;
  do
    got = recvmmsg(integer(env, argv[0]), messages, count, MSG_DONTWAIT | MSG_TRUNC, NULL);
  while (got < 0 && errno == EINTR);
  if (got < 0) return number_of(env, errno == EAGAIN ? 0 : -errno);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  for (int i = 0; i < got; i++) {
    const uint32_t head[2] = {messages[i].msg_len, age_of(&messages[i].msg_hdr, &now)};
    memcpy(into + i * RECORD_SIZE, head, sizeof head);
  }
  return number_of(env, got);
}

/* attachFilter(fd, program): the socket takes in what the program, an array of struct sock_filter, returns more than 0 for. */
static napi_value attach_filter(napi_env env, napi_callback_info info) {
  napi_value argv[2];
  arguments(env, info, 2, argv);
  size_t length;
  char *bytes = bytes_of(env, argv[1], &length);
  const struct sock_fprog program = {(unsigned short)(length / sizeof(struct sock_filter)), (struct sock_filter *)bytes};
  const int failed = setsockopt(integer(env, argv[0]), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
  return failed ? fail(env, "setsockopt") : NULL;
}

/* ethtool(fd, name, request): SIOCETHTOOL on the link `name` with the struct that begins with its command; the kernel
 * answers into it. By ioctl, not by netlink: Linux 5.7 brought ETHTOOL_MSG_FEATURES_SET, and older ones need it most. */
static napi_value ethtool(napi_env env, napi_callback_info info) {
  napi_value argv[3];
  arguments(env, info, 3, argv);
  size_t length;
  struct ifreq request = {0};
  napi_get_value_string_utf8(env, argv[1], request.ifr_name, sizeof request.ifr_name, NULL);
  request.ifr_data = bytes_of(env, argv[2], &length);
  return ioctl(integer(env, argv[0]), SIOCETHTOOL, &request) < 0 ? fail(env, "ioctl") : NULL;
}

void export_socket(napi_env env, napi_value exports) {
  const struct {
    const char *name;
    napi_callback call;
  } functions[] = {
      {"socketOpen", socket_open},
      {"netlinkReceive", netlink_receive},
      {"receiveDatagrams", receive_datagrams},
      {"attachFilter", attach_filter},
      {"ethtool", ethtool},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
}
