// cold COUNT COMMAND...: starts the command COUNT times and waits for its end; prints how long each took, in nanoseconds.
#include "record.h"
#include <spawn.h>
#include <sys/wait.h>

int main(int count, char **words) {
  if (count < 3) return 2;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  for (int left = atoi(words[1]); left > 0; left--) {
    pid_t child;
    int64_t began = clock_now();
    if (posix_spawnp(&child, words[2], &actions, 0, words + 2, environ)) return 1;
    waitpid(child, 0, 0);
    printf("%lld\n", (long long)(clock_now() - began));
  }
}
