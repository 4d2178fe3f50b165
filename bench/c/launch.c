// launch BENCH COMMAND...: tells the instant before exec, then is the command, with the same process id.
#include "record.h"

int main(int count, char **words) {
  if (count < 3) return 2;
  // A shell starts what is in the background with these ignored.
  signal(SIGINT, SIG_DFL);
  signal(SIGQUIT, SIG_DFL);
  tell(pipe_to_bench(words[1]), "exec", clock_now(), words[2]);
  execvp(words[2], words + 2);
  fail(words[2]);
}
