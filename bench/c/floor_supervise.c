// floor_supervise COUNT COMMAND...: the floor of a supervisor. COUNT children; one that ends by itself is started again at
// once; at SIGINT all are told to end, waited for, and it ends itself.
#include "record.h"
#include <sys/wait.h>

int main(int count, char **words) {
  if (count < 3) return 2;
  int wanted = atoi(words[1]);
  pid_t children[256];
  sigset_t heard, none;
  sigemptyset(&none);
  sigemptyset(&heard);
  sigaddset(&heard, SIGINT);
  sigaddset(&heard, SIGCHLD);
  sigprocmask(SIG_BLOCK, &heard, 0);
  for (int i = 0; i < wanted; i++) children[i] = start(words + 2, &none);
  for (;;) {
    int signal_number;
    sigwait(&heard, &signal_number);
    if (signal_number == SIGINT) break;
    for (pid_t dead; (dead = waitpid(-1, 0, WNOHANG)) > 0;)
      for (int i = 0; i < wanted; i++)
        if (children[i] == dead) children[i] = start(words + 2, &none);
  }
  for (int i = 0; i < wanted; i++) kill(children[i], SIGTERM);
  while (wait(0) > 0) continue;
}
