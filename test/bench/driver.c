/* Runs CNI plugins as libcni does, one process for each with environment and stdin, and says how long each took. It does
 * next to nothing itself, so that what is measured is the plugin: stdin is a pipe filled before the clock starts, the child
 * is spawned without copying this process's memory, and time ends when stdout is at its end and the child was waited for.
 *
 * usage: driver NETNS chain|together < JOBS
 *
 * NETNS is the namespace that plugins run in. Each line of JOBS is EXECUTABLE, CNI_CONTAINERID, CNI_NETNS and configuration,
 * with tabs between; the other variables are this process's. `chain` runs them one after the other and, for ADD, gives each
 * the result of the one before; `together` starts them all and then waits. Output: `total NANOSECONDS`, then for each job
 * `job NANOSECONDS KIB STATUS LENGTH` (KIB: its peak of resident memory) and a line of LENGTH bytes: its stdout. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_JOBS 1024
#define MAX_TEXT 65536 /* a pipe's capacity: neither side has to wait for the other */

struct job {
  char *executable, *container, *netns, *conf;
  pid_t pid;
  int output;
  long long started, took;
  long peak;
  int status;
  size_t length;
  char *text;
};

static void require(int condition, const char *what) {
  if (condition) return;
  perror(what);
  exit(2);
}

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The configuration with `"prevResult": RESULT` as its last key. */
static char *with_result(const char *conf, const char *result) {
  char *whole = malloc(strlen(conf) + strlen(result) + 32);
  const int head = (int)(strrchr(conf, '}') - conf);
  sprintf(whole, "%.*s,\"prevResult\":%s}", head, conf, result);
  return whole;
}

static void start(struct job *job) {
  int in[2], out[2];
  require(pipe2(in, O_CLOEXEC) == 0 && pipe2(out, O_CLOEXEC) == 0, "pipe");
  const size_t length = strlen(job->conf);
  require(length < MAX_TEXT && write(in[1], job->conf, length) == (ssize_t)length, "configuration");
  close(in[1]);
  setenv("CNI_CONTAINERID", job->container, 1);
  setenv("CNI_NETNS", job->netns, 1);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], 0);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  char *argv[] = {job->executable, NULL};
  job->started = now();
  require(posix_spawn(&job->pid, job->executable, &actions, NULL, argv, environ) == 0, job->executable);
  close(in[0]);
  close(out[1]);
  job->output = out[0];
}

static void finish(struct job *job) {
  struct rusage usage;
  job->text = malloc(MAX_TEXT + 1);
  for (ssize_t got; (got = read(job->output, job->text + job->length, MAX_TEXT - job->length)) > 0;)
    job->length += (size_t)got;
  job->text[job->length] = 0;
  require(wait4(job->pid, &job->status, 0, &usage) == job->pid, "wait4");
  job->took = now() - job->started;
  job->peak = usage.ru_maxrss;
  close(job->output);
}

static size_t read_jobs(struct job *jobs) {
  size_t count = 0;
  char *line = NULL;
  for (size_t room = 0; getline(&line, &room, stdin) > 0 && count < MAX_JOBS; count++) {
    char *at = strdup(line);
    jobs[count].executable = strsep(&at, "\t");
    jobs[count].container = strsep(&at, "\t");
    jobs[count].netns = strsep(&at, "\t");
    jobs[count].conf = strsep(&at, "\n");
  }
  return count;
}

static void run_chain(struct job *jobs, size_t count) {
  const int adds = strcmp(getenv("CNI_COMMAND"), "ADD") == 0;
  for (size_t i = 0; i < count; i++) {
    if (adds && i > 0) jobs[i].conf = with_result(jobs[i].conf, jobs[i - 1].text);
    start(&jobs[i]);
    finish(&jobs[i]);
    if (jobs[i].status != 0) return;
  }
}

static void run_together(struct job *jobs, size_t count) {
  for (size_t i = 0; i < count; i++) start(&jobs[i]);
  for (size_t i = 0; i < count; i++) finish(&jobs[i]);
}

int main(int argc, char **argv) {
  static struct job jobs[MAX_JOBS];
  require(argc == 3, "usage: driver NETNS chain|together");
  const int netns = open(argv[1], O_RDONLY | O_CLOEXEC);
  require(netns >= 0 && setns(netns, CLONE_NEWNET) == 0, argv[1]);
  const size_t count = read_jobs(jobs);
  const long long started = now();
  (strcmp(argv[2], "chain") == 0 ? run_chain : run_together)(jobs, count);
  printf("total %lld\n", now() - started);
  for (size_t i = 0; i < count && jobs[i].pid != 0; i++) {
    printf("job %lld %ld %d %zu\n", jobs[i].took, jobs[i].peak, jobs[i].status, jobs[i].length);
    fwrite(jobs[i].text, 1, jobs[i].length, stdout);
    putchar('\n');
  }
  return 0;
}
