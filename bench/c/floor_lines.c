// floor_lines LABEL COMMAND...: the floor of labelled output. One pipe, large reads, memchr, one write for each read.
#include "record.h"
#include <sys/wait.h>

enum { READ = 1 << 18 };

int main(int count, char **words) {
  if (count < 3) return 2;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC)) fail("pipe");
  fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
  pid_t child = vfork();
  if (child == 0) {
    dup2(ends[1], 1);
    execv(words[2], words + 2);
    _exit(127);
  }
  close(ends[1]);
  size_t label = strlen(words[1]);
  char *in = malloc(READ), *out = malloc(READ * (label + 1));
  int at_begin = 1;
  for (ssize_t got; (got = read(ends[0], in, READ)) > 0;) {
    char *to = out;
    for (char *from = in, *end = in + got; from < end;) {
      char *line_end = memchr(from, '\n', (size_t)(end - from));
      size_t length = (size_t)((line_end ? line_end + 1 : end) - from);
      if (at_begin) to = mempcpy(to, words[1], label);
      to = mempcpy(to, from, length);
      from += length;
      at_begin = line_end != 0;
    }
    for (char *from = out; from < to;) {
      ssize_t written = write(1, from, (size_t)(to - from));
      if (written < 0) fail("write");
      from += written;
    }
  }
  waitpid(child, 0, 0);
}
