// What all of these small programs share: one clock, one way to tell the bench that something happened.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

// CLOCK_MONOTONIC, which is also what the bench reads.
static inline int64_t clock_now(void) {
  struct timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static inline void fail(const char *what) {
  perror(what);
  _exit(111);
}

static inline int pipe_to_bench(const char *path) { return open(path, O_WRONLY | O_CLOEXEC); }

// A record is one line and one write below PIPE_BUF, so records of many programs never mix.
static inline void tell(int bench, const char *what, int64_t at, const char *words) {
  char line[1024];
  int length = snprintf(line, sizeof line, "%s %lld %d %s\n", what, (long long)at, (int)getpid(), words);
  if (length >= (int)sizeof line) length = (int)sizeof line, line[length - 1] = '\n';
  ssize_t written = write(bench, line, (size_t)length);
  (void)written;  // the bench may be gone
}

// A child begins without the signals that its parent holds back.
static inline pid_t start(char **command, sigset_t *mask) {
  pid_t child = vfork();
  if (child == 0) {
    if (mask) sigprocmask(SIG_SETMASK, mask, 0);
    execv(command[0], command);
    _exit(127);
  }
  return child;
}
