// task BENCH NAME WORK [FILE]: what the tools start. Tells `began NAME FIRST-WORD-OF-FILE` and, at its end, `ended NAME`.
// WORK: milliseconds of sleep; `stay`: until a signal, at which it leaves at once; `reveal`: stay, and tell the DEVLOOP_*
// variables; `fall`: stay, and exit with 1 at SIGUSR1, telling `fell` just before.
#include "record.h"

static int bench;

static void leave(int signal_number) {
  tell(bench, "signalled", clock_now(), strsignal(signal_number));
  _exit(0);
}

static void fall(int signal_number) {
  (void)signal_number;
  tell(bench, "fell", clock_now(), "on request");
  _exit(1);
}

int main(int count, char **words) {
  int64_t began = clock_now();
  if (count < 4) return 2;
  bench = pipe_to_bench(words[1]);
  char seen[200] = "", told[400];
  if (count > 4) {
    int file = open(words[4], O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, seen, sizeof seen - 1);
    seen[length > 0 ? length : 0] = 0;
    seen[strcspn(seen, " \n")] = 0;
  }
  snprintf(told, sizeof told, "%s %s", words[2], *seen ? seen : "-");
  int stays = words[3][0] > '9';
  if (stays) {
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    signal(SIGHUP, leave);
    if (words[3][0] == 'f') signal(SIGUSR1, fall);
  }
  tell(bench, "began", began, told);
  if (words[3][0] == 'r')
    for (char **variable = environ; *variable; variable++)
      if (!strncmp(*variable, "DEVLOOP_", 8)) tell(bench, "variable", began, *variable);
  while (stays) pause();
  usleep((useconds_t)atoi(words[3]) * 1000);
  tell(bench, "ended", clock_now(), words[2]);
}
